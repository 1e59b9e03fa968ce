import { codeOf } from '../errors.ts'
import { isAscii } from 'node:buffer'
import { open, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import { withScratchErrors } from '../io/disk-errors.ts'
import { readChunks, readLineBlocks } from '../io/line-blocks.ts'
import { type Client, onlyRow } from '../io/postgres.ts'
import { NOT_UTF8_STATES } from '../io/sql-states.ts'

/** The note on a row whose text cannot be converted to UTF-8. */
export const NOT_UTF8 = 'not_utf8'

/** Longer lines are not converted, because the lake refuses them anyway (`MAX_ROW_BYTES`). */
const MAX_CONVERTED_BYTES = 16 * 1024 * 1024

const NOTE = `${NOT_UTF8},`

/**
 * Converts a file of lines in place from the server's encoding to UTF-8, with the server's own
 * conversion. A line that is too long or cannot be converted keeps its bytes and gets the note
 * `NOT_UTF8`. Tabs and line feeds are the same as in ASCII in every server encoding (manual,
 * 23.3.1). Throws what `pg` throws.
 */
export async function convertLines(
  client: Client,
  { path, encoding }: { path: string; encoding: string },
): Promise<void> {
  const folder = dirname(path)
  const converted = `${path}.utf8`
  await using file = await withScratchErrors(folder, () => open(converted, 'w'))
  const write = (bytes: Buffer) => withScratchErrors(folder, () => file.appendFile(bytes))
  for await (const block of readLineBlocks(path, { maxLineBytes: MAX_CONVERTED_BYTES })) {
    if ('lines' in block) {
      await write(await convert(client, { lines: block.lines, encoding }))
    } else {
      await write(Buffer.from(NOTE))
      for await (const chunk of readChunks(path, block)) await write(chunk)
      await write(Buffer.from('\n'))
    }
  }
  await withScratchErrors(folder, () => rename(converted, path))
}

/**
 * Converts whole lines together if possible. Otherwise converts each half separately, down to
 * single lines.
 */
async function convert(
  client: Client,
  { lines, encoding }: { lines: Buffer; encoding: string },
): Promise<Buffer> {
  if (isAscii(lines)) return lines
  await client.query('savepoint tidemark_convert')
  try {
    const found = await client.query<{ text: Buffer }>(
      `select pg_catalog.convert($1::bytea, $2, 'UTF8') as text`,
      [lines, encoding],
    )
    return onlyRow(found).text
  } catch (error) {
    await client.query('rollback to savepoint tidemark_convert')
    const code = codeOf(error)
    if (!NOT_UTF8_STATES.has(code)) throw error
  } finally {
    // After a lost connection there is nothing to release.
    await client.query('release savepoint tidemark_convert').catch(() => {})
  }
  const middle = middleOf(lines)
  if (middle === undefined) return Buffer.concat([Buffer.from(NOTE), lines])
  return Buffer.concat([
    await convert(client, { lines: lines.subarray(0, middle), encoding }),
    await convert(client, { lines: lines.subarray(middle), encoding }),
  ])
}

/** The offset that cuts the lines in two; undefined for a single line. */
function middleOf(lines: Buffer): number | undefined {
  const before = lines.lastIndexOf(10, Math.floor(lines.length / 2))
  if (before >= 0 && before + 1 < lines.length) return before + 1
  const after = lines.indexOf(10)
  return after >= 0 && after + 1 < lines.length ? after + 1 : undefined
}
