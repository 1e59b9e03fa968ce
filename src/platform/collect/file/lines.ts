import { isUtf8 } from 'node:buffer'
import { createReadStream, createWriteStream } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { findMisreadText } from './misread-text.ts'

/** The longest line, or CSV record, that is read. */
export const MAX_LINE_BYTES = 4 * 1024 * 1024

/** The bytes that are read at once. */
export const CHUNK_BYTES = 1 << 20

/**
 * Whether DuckDB cannot misread anything in a file. Neither format may hold a NUL. JSON may hold no
 * `\u0000` and no number with more digits than a double can hold. CSV may hold no quote next to a
 * blank, because DuckDB drops some blanks there.
 */
export async function isPlainText(path: string, format: 'json' | 'csv'): Promise<boolean> {
  const misread = findMisreadText()
  let last = Buffer.alloc(0)
  for await (const chunk of readBehindMark(path)) {
    if (chunk.includes(0)) return false
    if (format === 'json') misread.add(chunk)
    else if ([chunk, Buffer.concat([last, chunk.subarray(0, 1)])].some(hasQuoteAtBlank))
      return false
    last = Buffer.from(chunk.subarray(-1))
    if (!misread.isPlain()) return false
  }
  return true
}

function hasQuoteAtBlank(bytes: Buffer): boolean {
  return bytes.includes('" ') || bytes.includes(' "')
}

/** Whether a file begins like a JSON array or object. True for a file that holds only blanks. */
export async function isJsonText(path: string): Promise<boolean> {
  for await (const chunk of readBehindMark(path)) {
    const text = chunk.toString('latin1').trimStart()
    if (text !== '') return /^[[{]/.test(text)
  }
  return true
}

/** The length of a UTF-8 byte order mark at the start of a file; 0 if it has none. */
export async function markBytes(file: FileHandle): Promise<number> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(3), 0, 3, 0)
  return bytesRead === 3 && buffer.equals(MARK) ? 3 : 0
}

/** The path of the same content without a byte order mark: `path` itself, or a copy at `target`. */
export async function withoutMark(path: string, target: string): Promise<string> {
  await using file = await open(path)
  if ((await markBytes(file)) === 0) return path
  await pipeline(createReadStream(path, { start: 3 }), createWriteStream(target))
  return target
}

const MARK = Buffer.from([0xef, 0xbb, 0xbf])

/**
 * The bytes of a file behind a byte order mark, in pieces. All pieces share one buffer, so each is
 * valid only until the next one is asked for.
 */
async function* readBehindMark(path: string): AsyncGenerator<Buffer> {
  await using file = await open(path)
  const buffer = Buffer.allocUnsafe(CHUNK_BYTES)
  let position = await markBytes(file)
  for (;;) {
    const { bytesRead } = await file.read(buffer, 0, CHUNK_BYTES, position)
    if (bytesRead === 0) return
    position += bytesRead
    yield buffer.subarray(0, bytesRead)
  }
}

/** A line of the file. `text` has no line end, and is cut if the line cannot be read. */
export interface Line {
  readonly number: number
  readonly text: string
  readonly fault?: 'not_text' | 'line_too_long' | 'never_closed'
}

/** How many characters are kept from a line that cannot be read. */
const KEPT_CHARS = 1000

/**
 * Every line of a file, or every CSV record if `isRecord` finds where records end. Holds little
 * more in memory than one line of the allowed length.
 */
export async function* readLines(path: string, isRecord?: RecordEnd): AsyncGenerator<Line> {
  let number = 1
  let first = 1
  let parts: Buffer[] = []
  let sizeBytes = 0
  let isOpen = false
  const finish = (): Line => {
    const bytes = Buffer.concat(parts)
    const end = bytes.at(-1) === 13 ? bytes.length - 1 : bytes.length
    const line = { number: first, text: bytes.toString('utf8', 0, end) }
    if (sizeBytes > MAX_LINE_BYTES) {
      const fault = isOpen ? 'never_closed' : 'line_too_long'
      return { ...line, text: line.text.slice(0, KEPT_CHARS), fault }
    }
    return isUtf8(bytes) && !bytes.includes(0)
      ? line
      : { ...line, text: line.text.slice(0, KEPT_CHARS), fault: 'not_text' }
  }
  for await (const chunk of readBehindMark(path)) {
    for (let from = 0; from < chunk.length;) {
      const at = chunk.indexOf(10, from)
      const end = at === -1 ? chunk.length : at
      const part = chunk.subarray(from, end)
      if (isRecord !== undefined) isOpen = isRecord(part, isOpen)
      sizeBytes += part.length
      if (sizeBytes <= MAX_LINE_BYTES + CHUNK_BYTES) parts.push(Buffer.from(part))
      from = end + 1
      if (at === -1) break
      number++
      if (isOpen && sizeBytes <= MAX_LINE_BYTES) {
        parts.push(Buffer.from('\n'))
        sizeBytes += 1
        continue
      }
      yield finish()
      isOpen = false
      first = number
      parts = []
      sizeBytes = 0
    }
  }
  if (sizeBytes > 0) yield finish()
}

/** Whether a quote is still open after these bytes, given whether it was open before them. */
type RecordEnd = (part: Buffer, isOpen: boolean) => boolean

/**
 * A quote opens a field only at the start of the field. Inside a field, two quotes mean one.
 */
export function quotesOpen(part: Buffer, isOpen: boolean): boolean {
  let isInside = isOpen
  for (let at = part.indexOf(34); at !== -1; at = part.indexOf(34, at + 1)) {
    if (isInside) {
      if (part[at + 1] === 34) at++
      else isInside = false
    } else if (at === 0 || part[at - 1] === 44) isInside = true
  }
  return isInside
}
