import { isUtf8 } from 'node:buffer'
import { createReadStream, createWriteStream } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'

/** The longest line, or CSV record, that is read. */
export const MAX_LINE_BYTES = 4 * 1024 * 1024

/** Some whole lines of a text file, in a file of their own. */
export interface LineRun {
  readonly path: string
  /** Lines of the file before this run. */
  readonly before: number
  readonly lines: number
  /** Lines of the run that hold nothing. */
  readonly emptyLines: number
  /**
   * Whether DuckDB cannot misread anything in it: no `\u0000`, no number with more digits than a
   * double can hold, and no line that is too long.
   */
  readonly isPlain: boolean
}

export const CHUNK_BYTES = 1 << 20

/**
 * Splits a text file, in order, into files of whole lines, each of about `maxBytes` or `maxLines`
 * but at least one line. Leaves out a byte order mark. Holds a few megabytes in memory, or the
 * longest line. The caller removes the files.
 */
export async function* splitLines(
  path: string,
  {
    target,
    maxBytes = 128 * 1024 * 1024,
    maxLines = 1_000_000,
  }: { target: (index: number) => string; maxBytes?: number; maxLines?: number },
): AsyncGenerator<LineRun> {
  await using source = await open(path)
  const buffer = Buffer.allocUnsafe(CHUNK_BYTES)
  let before = 0
  let index = 0
  let run: OpenRun | undefined
  let position = await markBytes(source)
  for (;;) {
    const { bytesRead } = await source.read(buffer, 0, CHUNK_BYTES, position)
    if (bytesRead === 0) break
    position += bytesRead
    let chunk = buffer.subarray(0, bytesRead)
    while (chunk.length > 0) {
      run ??= await openRun(target(index++))
      const isFull = run.sizeBytes + chunk.length > maxBytes || run.lines >= maxLines
      const end = isFull ? chunk.indexOf(10) + 1 : 0
      const part = end > 0 ? chunk.subarray(0, end) : chunk
      await run.write(part)
      chunk = chunk.subarray(part.length)
      if (end > 0) {
        yield { ...(await run.close()), before }
        before += run.lines
        run = undefined
      }
    }
  }
  if (run !== undefined) yield { ...(await run.close()), before }
}

/** A run that is still being written. */
interface OpenRun {
  readonly sizeBytes: number
  readonly lines: number
  write(part: Buffer): Promise<void>
  close(): Promise<Omit<LineRun, 'before'>>
}

async function openRun(path: string): Promise<OpenRun> {
  const file = await open(path, 'w')
  const marks = findMarks()
  let sizeBytes = 0
  let lines = 0
  let emptyLines = 0
  let lineBytes = 0
  let hasLongLine = false
  let last = 10
  return {
    get sizeBytes() {
      return sizeBytes
    },
    get lines() {
      return lines
    },
    async write(part) {
      sizeBytes += part.length
      let start = 0
      for (let at = part.indexOf(10); at !== -1; at = part.indexOf(10, start)) {
        lines++
        lineBytes += at - start
        if (lineBytes === 0 || (lineBytes === 1 && part[at - 1] === 13)) emptyLines++
        if (lineBytes > MAX_LINE_BYTES) hasLongLine = true
        lineBytes = 0
        start = at + 1
      }
      lineBytes += part.length - start
      if (lineBytes > MAX_LINE_BYTES) hasLongLine = true
      last = part.at(-1) ?? last
      marks.add(part)
      for (let from = 0; from < part.length;) {
        from += (await file.write(part, from)).bytesWritten
      }
    },
    async close() {
      await file.close()
      if (last !== 10) lines++
      return { path, lines, emptyLines, isPlain: marks.isPlain() && !hasLongLine }
    },
  }
}

/**
 * Whether DuckDB cannot misread anything in a file. Neither format may hold a NUL. JSON may hold no
 * `\u0000` and no number with more digits than a double can hold. CSV may hold no quote next to a
 * blank, because DuckDB drops some blanks there.
 */
export async function isPlainText(path: string, format: 'json' | 'csv'): Promise<boolean> {
  const marks = findMarks()
  let last = Buffer.alloc(0)
  for await (const chunk of readBehindMark(path)) {
    if (chunk.includes(0)) return false
    if (format === 'json') marks.add(chunk)
    else if ([chunk, Buffer.concat([last, chunk.subarray(0, 1)])].some(hasQuoteAtBlank))
      return false
    last = Buffer.from(chunk.subarray(-1))
    if (!marks.isPlain()) return false
  }
  return true
}

function hasQuoteAtBlank(bytes: Buffer): boolean {
  return bytes.includes('" ') || bytes.includes(' "')
}

/** A run of this many digits, points and exponents may be a number that a double cannot hold. */
const LONG = 17
/** The bytes that a number may hold: `0`–`9`, `.`, `+`, `-`, `e`, `E`. */
const NUMERIC = new Uint8Array(256)
for (const char of '0123456789.+-eE') NUMERIC[char.charCodeAt(0)] = 1

/** Looks in a stream of chunks for text that DuckDB would misread. */
function findMarks(): { add(chunk: Buffer): void; isPlain(): boolean } {
  let isPlain = true
  let tail = Buffer.alloc(0)
  const look = (bytes: Buffer): void => {
    isPlain &&= !bytes.includes('\\u0000') && !holdsLongNumber(bytes)
  }
  return {
    add(chunk) {
      if (!isPlain) return
      // Text that begins in one chunk and ends in the next.
      if (tail.length > 0) look(Buffer.concat([tail, chunk.subarray(0, 64)]))
      look(chunk)
      tail = Buffer.from(chunk.subarray(-64))
    },
    isPlain: () => isPlain,
  }
}

/**
 * Looks at every sixteenth byte only, because a run of seventeen bytes always covers one of them.
 */
function holdsLongNumber(bytes: Buffer): boolean {
  const { length } = bytes
  for (let at = LONG - 1; at < length; at += LONG - 1) {
    if (NUMERIC[bytes[at] ?? 0] === 0) continue
    // A run of seventeen that covers this byte reaches eight bytes to its left or to its right.
    if (NUMERIC[bytes[at - 8] ?? 0] === 0 && NUMERIC[bytes[at + 8] ?? 0] === 0) continue
    let from = at
    while (from > 0 && NUMERIC[bytes[from - 1] ?? 0] === 1) from--
    let to = at + 1
    while (to < length && NUMERIC[bytes[to] ?? 0] === 1) to++
    // A run after a quote is a text, not a number.
    if (to - from < LONG || bytes[from - 1] === 34) continue
    const text = bytes.toString('latin1', from, to)
    if (/^-?\d+(\.\d+)?([eE][+-]?\d+)?$/.test(text) && /[.eE]/.test(text)) return true
    if (from === 0 || to === length) return true
  }
  return false
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
async function markBytes(file: FileHandle): Promise<number> {
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
