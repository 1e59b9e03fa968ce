import fc from 'fast-check'
import { expect, it } from 'vitest'
import { parseKey, tellKey } from './told-key.ts'

it('parseKey() takes the key of one column as it is', () => {
  for (const text of ['42', '1,2', '"a"', '', 'a\nb']) expect(parseKey(text, 1)).toEqual([text])
})

it.each([
  ['1,2', ['1', '2']],
  ['1,"a,b"', ['1', 'a,b']],
  ['"say ""hi""",2', ['say "hi"', '2']],
  [',', ['', '']],
  ['1', ['1']],
  ['1,2,3', ['1', '2', '3']],
  ['"not closed,2', ['"not closed', '2']],
])('parseKey() takes the key of two columns %s apart', (text, values) => {
  expect(parseKey(text, 2)).toEqual(values)
})

it('tellKey() writes a key as parseKey() reads it', () => {
  const value = fc.string({ unit: fc.constantFrom('a', ',', '"', ' ', 'é', '😀', '1') })
  fc.assert(
    fc.property(fc.array(value, { minLength: 1, maxLength: 4 }), (values) => {
      expect(parseKey(tellKey(values), values.length)).toEqual(values)
    }),
  )
})

it('tellKey() stays on one line', () => {
  expect(tellKey(['a\nb\tc\u001B[2J'])).toBe('a\\nb\\tc\\u{1b}[2J')
  expect(tellKey(['\u202Eabc', '\u2028'])).toBe('\\u{202e}abc,\\u{2028}')
})
