import { open } from 'node:fs/promises'
import { CHUNK_BYTES, markBytes, MAX_LINE_BYTES } from './lines.ts'
import { findMisreadText } from './misread-text.ts'

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
  /** Whether each line matches the pattern or holds nothing; false without a pattern. */
  readonly isMatched: boolean
}

/**
 * Splits a text file, in order, into files of whole lines, each of about `maxBytes` or `maxLines`
 * but at least one line. Leaves out a byte order mark. Holds a few megabytes in memory, whatever the
 * length of a line. The caller removes the files. `pattern` is the `line` of a `LinePattern`.
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
 * The bytes of a file behind a byte order mark, in pieces of whole lines. A line that is longer than
 * a piece comes in parts, which are not `areWhole`. All pieces share one buffer, so each is valid
 * only until the next one is asked for.
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
 * Bytes that become one string: so few that V8 soon reuses their memory. With strings of a megabyte,
 * the process held 50 MB more.
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

/** Counts the lines of a run, and looks for text that DuckDB misreads in lines without a match. */
function tallyLines(): {
  readonly lines: number
  /** Counts lines that match the pattern. */
  add(count: LineCount): void
  /** Counts lines, or part of one, and looks at them. */
  look(part: Buffer): void
  end(): LineCount & Pick<LineRun, 'isPlain'>
} {
  const misread = findMisreadText()
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
      misread.add(part)
    },
    end() {
      if (last !== 10) lines++
      return { lines, emptyLines, isPlain: misread.isPlain() && !hasLongLine }
    },
  }
}
