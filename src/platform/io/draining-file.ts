import { isUtf8 } from 'node:buffer'
import { open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { Writable } from 'node:stream'
import { callbackify } from 'node:util'
import { explainScratchError, withScratchErrors } from './disk-errors.ts'

/** Properties of a file of lines, observed while it was written. */
export interface WrittenText {
  readonly isUtf8: boolean
  /**
   * Length of the longest line that spans several pieces of the stream, with its line feed. Lines
   * within one piece are not measured, because they are shorter than a piece.
   */
  readonly longestLineBytes: number
}

/** A file that accepts a stream to its end, even if the disk fails. */
export interface DrainingFile extends AsyncDisposable {
  readonly sink: Writable
  /**
   * Returns the properties of the text. Throws if a write failed: `ConfigError` if the cause is
   * known.
   */
  check(): WrittenText
}

/**
 * Creates a file to stream into. After a failed write the sink accepts and discards everything
 * else, so that a sender that must finish (a connection in the middle of a COPY) stays usable.
 * Throws `ConfigError` if the file cannot be created.
 */
export async function openDrainingFile(path: string): Promise<DrainingFile> {
  const folder = dirname(path)
  const file = await withScratchErrors(folder, () => open(path, 'w'))
  let failure: unknown
  const text = watchText()
  const write = async (chunk: Buffer): Promise<void> => {
    if (failure !== undefined) return
    text.add(chunk)
    try {
      // Unlike `write`, `appendFile` goes on until everything is written.
      await file.appendFile(chunk)
    } catch (error) {
      failure = explainScratchError(error, folder) ?? error
    }
  }
  return {
    sink: new Writable({
      highWaterMark: 1 << 20,
      write(chunk: Buffer, _encoding, done) {
        callbackify(write)(chunk, done)
      },
      writev(chunks: { chunk: Buffer }[], done) {
        callbackify(write)(Buffer.concat(chunks.map(({ chunk }) => chunk)), done)
      },
    }),
    check() {
      if (failure !== undefined) throw failure
      return text.end()
    },
    [Symbol.asyncDispose]: () => file.close(),
  }
}

/** Inspects text piece by piece. This takes a fraction of the time of writing it. */
function watchText(): { add(piece: Buffer): void; end(): WrittenText } {
  // The first bytes of a character that ends in the next piece.
  let begun: Buffer = Buffer.alloc(0)
  let isText = true
  let lineBytes = 0
  let longestLineBytes = 0
  return {
    add(piece) {
      if (isText) {
        const whole = begun.length === 0 ? piece : Buffer.concat([begun, piece])
        const end = endOfCharacters(whole)
        isText = isUtf8(whole.subarray(0, end))
        begun = whole.subarray(end)
      }
      const first = piece.indexOf(LINE_FEED)
      if (first < 0) {
        lineBytes += piece.length
      } else {
        longestLineBytes = Math.max(longestLineBytes, lineBytes + first + 1)
        lineBytes = piece.length - piece.lastIndexOf(LINE_FEED) - 1
      }
    },
    end: () => ({
      isUtf8: isText && begun.length === 0,
      longestLineBytes: Math.max(longestLineBytes, lineBytes),
    }),
  }
}

const LINE_FEED = 10

/**
 * Where the last complete UTF-8 character ends. The end of the bytes if that cannot be determined.
 */
function endOfCharacters(bytes: Buffer): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back] ?? 0
    if (byte < 0x80) return bytes.length
    if (byte < 0xc0) continue
    const size = byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4
    return back < size ? bytes.length - back : bytes.length
  }
  return bytes.length
}
