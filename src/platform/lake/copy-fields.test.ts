import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { type KeptFields, readFields } from './copy-fields.ts'

const ALL: KeptFields = { fieldBytes: 1 << 20, rowBytes: 1 << 20, isNeeded: () => false }

/** As Postgres writes a value (manual, COPY, "Text Format"). */
function escape(value: string): string {
  const letters: Record<string, string> = { '\t': 't', '\n': 'n', '\r': 'r', '\b': 'b', '\f': 'f' }
  return value
    .replaceAll('\\', '\\\\')
    .replaceAll(/[\t\n\r\b\f]/g, (char) => `\\${letters[char] ?? char}`)
}

it('I6 readFields() gives the size and checksum of every value, however it is cut into pieces', async () => {
  const value = fc.string({ unit: fc.constantFrom('a', '\\', '\t', '\n', 'N', 'ü', '€', '\r') })
  await fc.assert(
    fc.asyncProperty(
      fc.array(value, { minLength: 1, maxLength: 5 }),
      fc.integer({ min: 1, max: 9 }),
      async (values, pieceBytes) => {
        const line = Buffer.from(values.map(escape).join('\t'))
        const pieces: Buffer[] = []
        for (let from = 0; from < line.length; from += pieceBytes) {
          pieces.push(line.subarray(from, from + pieceBytes))
        }
        const fields = await readFields(pieces, ALL)
        expect(fields.map((field) => [field.bytes().toString(), field.isUtf8])).toEqual(
          values.map((each) => [each, true]),
        )
        expect(fields.map(({ sizeBytes, sha256 }) => [sizeBytes, sha256])).toEqual(
          values.map((each) => [
            Buffer.byteLength(each),
            createHash('sha256').update(each).digest('hex'),
          ]),
        )
      },
    ),
  )
})

it('I12 readFields() keeps the needed fields, and no more of a line than its limit', async () => {
  const kept = { fieldBytes: 5, rowBytes: 8, isNeeded: (index: number) => index === 3 }
  const fields = await readFields([Buffer.from('12345\t123456\t1234\t123\t1')], kept)
  expect(fields.map(({ raw, sizeBytes }) => [raw?.toString(), sizeBytes])).toEqual([
    ['12345', 5],
    [undefined, 6],
    [undefined, 4],
    ['123', 3],
    [undefined, 1],
  ])
})

it('readFields() finds bytes that are not text, also in a field that it does not keep', async () => {
  const kept = { fieldBytes: 1, rowBytes: 1, isNeeded: () => false }
  const fields = await readFields([Buffer.from([0x61, 9, 0xfc, 0xfc, 9, 0x62])], kept)
  expect(fields.map(({ isUtf8 }) => isUtf8)).toEqual([true, false, true])
})
