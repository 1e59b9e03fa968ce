import { isUtf8 } from 'node:buffer'
import { createReadStream, createWriteStream } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { findMarks } from './misread-text.ts'

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
  /** Whether each line matches the pattern that was given or holds nothing. */
  readonly isMatched: boolean
}

export const CHUNK_BYTES = 1 << 20

/**
 * Splits a text file, in order, into files of whole lines, each of about `maxBytes` or `maxLines`
 * but at least one line. Leaves out a byte order mark. Holds a few megabytes in memory, or the
 * longest line. The caller removes the files. `pattern` matches one line with its end where the last
 * match ended; the bytes are read as Latin-1.
 */
export async function* splitLines(
  path: string,
  {
    target,
    pattern,
    maxBytes = 128 * 1024 * 1024,
    maxLines = 1_000_000,
    smallRuns = 0,
  }: {
    target: (index: number) => string
    pattern?: RegExp | undefined
    maxBytes?: number
    maxLines?: number
    /** How many runs at the start are small, so that each reader begins early. */
    smallRuns?: number
  },
): AsyncGenerator<LineRun> {
  let before = 0
  let index = 0
  let run: OpenRun | undefined
  for await (const { lines, areWhole } of readPieces(path)) {
    for (let from = 0; from < lines.length;) {
      run ??= await openRun(target(index++), pattern)
      const limit = index <= smallRuns ? maxBytes / 8 : maxBytes
      const isFull = run.sizeBytes + lines.length - from > limit || run.lines >= maxLines
      const lineEnd = isFull ? lines.indexOf(10, from) + 1 : 0
      const end = lineEnd > 0 ? lineEnd : lines.length
      await run.write(lines.subarray(from, end), { areWhole })
      from = end
      if (lineEnd > 0) {
        yield { ...(await run.close()), before }
        before += run.lines
        run = undefined
      }
    }
  }
  if (run !== undefined) yield { ...(await run.close()), before }
}

/**
 * The bytes of a file behind a byte order mark, in pieces of whole lines. A line that is longer
 * than a piece comes in parts. All pieces share one buffer, so each is valid only until the next
 * one is asked for.
 */
async function* readPieces(
  path: string,
): AsyncGenerator<{ readonly lines: Buffer; readonly areWhole: boolean }> {
  await using file = await open(path)
  const buffer = Buffer.allocUnsafeSlow(CHUNK_BYTES)
  let position = await markBytes(file)
  let filled = 0
  let isAtStart = true
  for (;;) {
    const { bytesRead } = await file.read(buffer, filled, CHUNK_BYTES - filled, position)
    position += bytesRead
    filled += bytesRead
    if (filled === 0) return
    const isLast = bytesRead === 0
    const lastEnd = buffer.subarray(0, filled).lastIndexOf(10) + 1
    if (lastEnd === 0 && filled < CHUNK_BYTES && !isLast) continue
    const end = lastEnd === 0 || isLast ? filled : lastEnd
    yield { lines: buffer.subarray(0, end), areWhole: isAtStart && (lastEnd > 0 || isLast) }
    isAtStart = lastEnd > 0
    buffer.copyWithin(0, end, filled)
    filled -= end
  }
}

/** A run that is still being written. */
interface OpenRun {
  readonly sizeBytes: number
  readonly lines: number
  /** Writes some whole lines, or part of one. */
  write(part: Buffer, options: { areWhole: boolean }): Promise<void>
  close(): Promise<Omit<LineRun, 'before'>>
}

async function openRun(path: string, pattern: RegExp | undefined): Promise<OpenRun> {
  const file = await open(path, 'w')
  const tally = tallyLines()
  let sizeBytes = 0
  let isMatched = pattern !== undefined
  return {
    get sizeBytes() {
      return sizeBytes
    },
    get lines() {
      return tally.lines
    },
    async write(part, { areWhole }) {
      sizeBytes += part.length
      const counted = isMatched && areWhole && pattern ? countMatching(part, pattern) : undefined
      isMatched = counted !== undefined
      if (counted === undefined) tally.look(part)
      else tally.add(counted)
      for (let from = 0; from < part.length;) {
        from += (await file.write(part, from)).bytesWritten
      }
    },
    async close() {
      await file.close()
      return { path, ...tally.end(), isMatched }
    },
  }
}

/** How many lines there are, and how many of them hold nothing. */
type LineCount = Pick<LineRun, 'lines' | 'emptyLines'>

/**
 * Bytes that become a string at once: so few that V8 soon reuses their memory. With strings of a
 * megabyte, the process held 50 MB more.
 */
const TEXT_BYTES = 1 << 16

/** Counts whole lines if each matches the pattern or holds nothing; otherwise returns undefined. */
function countMatching(part: Buffer, pattern: RegExp): LineCount | undefined {
  let [lines, emptyLines] = [0, 0]
  for (let from = 0; from < part.length;) {
    const isLast = part.length - from <= TEXT_BYTES
    const lastEnd = isLast ? 0 : part.subarray(from, from + TEXT_BYTES).lastIndexOf(10) + 1
    const end = lastEnd > 0 ? from + lastEnd : part.length
    const text = part.toString('latin1', from, end)
    from = end
    for (let at = 0; at < text.length; lines++) {
      const emptyBytes = text[at] === '\n' ? 1 : text.startsWith('\r\n', at) ? 2 : 0
      if (emptyBytes > 0) {
        emptyLines++
        at += emptyBytes
        continue
      }
      pattern.lastIndex = at
      if (!pattern.test(text)) return undefined
      at = pattern.lastIndex
    }
  }
  return { lines, emptyLines }
}

/** Counts the lines of a run, and looks at those that match no pattern for what DuckDB misreads. */
function tallyLines(): {
  readonly lines: number
  /** Counts lines that match the pattern. */
  add(count: LineCount): void
  /** Counts lines, or part of one, and looks at them. */
  look(part: Buffer): void
  end(): LineCount & Pick<LineRun, 'isPlain'>
} {
  const marks = findMarks()
  let [lines, emptyLines] = [0, 0]
  let lineBytes = 0
  let hasLongLine = false
  let last = 10
  return {
    get lines() {
      return lines
    },
    add(count) {
      lines += count.lines
      emptyLines += count.emptyLines
    },
    look(part) {
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
    },
    end() {
      if (last !== 10) lines++
      return { lines, emptyLines, isPlain: marks.isPlain() && !hasLongLine }
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
