import { isUtf8 } from 'node:buffer'
import { type FileHandle, open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { ContractError } from '../errors.ts'
import { withScratchErrors } from '../io/disk-errors.ts'
import { readChunks, readLineBlocks } from '../io/line-blocks.ts'
import { NOT_UTF8 } from '../source/convert-lines.ts'
import type { CopiedRows } from '../source/copy.ts'
import { type CopyField, type KeptFields, readFields } from './copy-fields.ts'
import { MAX_ROW_BYTES } from './copy-text.ts'
import type { Column } from './lake-type.ts'
import type { LakeTable } from './table-state.ts'

/** The column before the fields of a readable line: its line number in the file. */
export const READABLE_LEAD: readonly Column[] = [{ name: '_ordinal', type: 'BIGINT' }]

/**
 * The columns before the fields of an unreadable line: its line number, why it is refused, and the
 * column that is the cause.
 */
export const UNREADABLE_LEAD: readonly Column[] = [
  ...READABLE_LEAD,
  { name: '_reason', type: 'VARCHAR' },
  { name: '_column', type: 'VARCHAR' },
]

/** Copied rows in two files that DuckDB can read. Line numbers begin at 1. */
export interface SeparatedLines {
  readonly readable: string
  readonly unreadable: string
  /** Number of lines in both files together. */
  readonly rows: number
}

/** Maximum number of bytes kept of one field of a refused row, and of all its fields together. */
const KEPT_FIELD_BYTES = 1 << 20
const KEPT_ROW_BYTES = 4 << 20

const LINE_FEED = 10
const TAB = 9

/**
 * Separates the rows that DuckDB cannot read (too large, or not UTF-8) from all others, in bounded
 * memory whatever their size. A refused row keeps the fields that are small and UTF-8. Bytes that
 * are not UTF-8 become hexadecimal digits (`\x…`). A larger field becomes its size and checksum.
 * Throws `ContractError` (`KEY_NOT_EXACT`) if a field of the key cannot be kept.
 */
export async function separateLines(copied: CopiedRows, table: LakeTable): Promise<SeparatedLines> {
  const paths = { readable: `${copied.path}.readable`, unreadable: `${copied.path}.unreadable` }
  const folder = dirname(copied.path)
  const write = (file: FileHandle, data: Buffer | string) =>
    withScratchErrors(folder, () => file.appendFile(data))
  await using readable = await withScratchErrors(folder, () => open(paths.readable, 'w'))
  await using unreadable = await withScratchErrors(folder, () => open(paths.unreadable, 'w'))
  const kept: KeptFields = {
    fieldBytes: KEPT_FIELD_BYTES,
    rowBytes: KEPT_ROW_BYTES,
    isNeeded: (index) => table.key.includes(table.columns[index - 1]?.name ?? ''),
  }
  let rows = 0
  for await (const block of readLineBlocks(copied.path, { maxLineBytes: MAX_ROW_BYTES })) {
    if (!('lines' in block)) {
      rows += 1
      const fields = await readFields(readChunks(copied.path, block), kept)
      await write(unreadable, writeRefused(table, { ordinal: rows, fields, isTooLarge: true }))
      continue
    }
    const accepted: Buffer[] = []
    const isText = isUtf8(block.lines)
    for (const line of linesOf(block.lines)) {
      rows += 1
      // A line that does not begin with a tab carries a note, see `copyCarefully`.
      if (line[0] === TAB && (isText || isUtf8(line))) {
        accepted.push(Buffer.from(String(rows)), line, END)
        continue
      }
      const fields = await readFields([line], kept)
      await write(unreadable, writeRefused(table, { ordinal: rows, fields, isTooLarge: false }))
    }
    await write(readable, Buffer.concat(accepted))
  }
  return { ...paths, rows }
}

const END = Buffer.from('\n')

function* linesOf(lines: Buffer): Generator<Buffer> {
  for (let from = 0; from < lines.length;) {
    const found = lines.indexOf(LINE_FEED, from)
    const to = found < 0 ? lines.length : found
    yield lines.subarray(from, to)
    from = to + 1
  }
}

interface RefusedLine {
  readonly ordinal: number
  /** The note, then one field per column. */
  readonly fields: readonly CopyField[]
  readonly isTooLarge: boolean
}

/** A refused row as a line with the columns of `UNREADABLE_LEAD` and the table. */
function writeRefused(table: LakeTable, { ordinal, fields, isTooLarge }: RefusedLine): string {
  const [note, ...values] = fields
  const notes = note?.raw?.toString('latin1').split(',') ?? []
  const cut = new Map<string, number>()
  for (const each of notes) {
    const [number = '', bytes] = each.split('=')
    if (bytes !== undefined) cut.set(number, Number(bytes))
  }
  const found = table.columns.map(({ name }, index) => {
    const field = values[index]
    const cutBytes = cut.get(String(index + 1))
    const isRefused = notes.includes(NOT_UTF8) && field?.isAscii === false
    const isText = !isRefused && field?.isUtf8 !== false
    return { name, field, cutBytes, isText, sizeBytes: cutBytes ?? field?.sizeBytes ?? 0 }
  })
  const isCut = found.some(({ cutBytes }) => cutBytes !== undefined)
  const reason = isTooLarge || isCut ? 'row_too_large' : 'not_utf8'
  const largest = found.reduce((one, other) => (other.sizeBytes > one.sizeBytes ? other : one))
  const column =
    reason === 'row_too_large' ? largest.name : found.find(({ isText }) => !isText)?.name
  const texts = found.map(({ name, field, cutBytes, isText, sizeBytes }) => {
    const raw = field?.raw
    const isKey = table.key.includes(name)
    if (isKey && (raw === undefined || !isText)) throw unreadableKey(table, name)
    if (cutBytes !== undefined) return `[${cutBytes} bytes]`
    if (raw === undefined) return `[${sizeBytes} bytes, sha256 ${field?.sha256}]`
    return isText ? raw.toString('utf8') : `\\\\x${field?.bytes().toString('hex')}`
  })
  return `${[ordinal, reason, escapeName(column), ...texts].join('\t')}\n`
}

/** A column's name, which may hold any character, as a field in COPY's text format. */
function escapeName(name: string | undefined): string {
  const escapes: Readonly<Record<string, string>> = { '\t': 't', '\n': 'n', '\r': 'r', '\\': '\\' }
  return name?.replaceAll(/[\t\n\r\\]/g, (char) => `\\${escapes[char]}`) ?? '\\N'
}

function unreadableKey(table: LakeTable, column: string): ContractError {
  return new ContractError(
    `Table ${table.name}: key column ${column} holds a value that is not UTF-8 or is too large`,
    { code: 'KEY_NOT_EXACT', hint: 'correct the keys in the source, or declare another key' },
  )
}
