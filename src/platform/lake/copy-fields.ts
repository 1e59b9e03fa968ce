import { isAscii, isUtf8 } from 'node:buffer'
import { createHash, type Hash } from 'node:crypto'

/** How much of a line is held in memory. */
export interface KeptFields {
  /** Larger fields are not kept. */
  readonly fieldBytes: number
  /** A field with which the kept fields of the row would exceed this is not kept either. */
  readonly rowBytes: number
  /** Whether a field is exempt from the second limit, by its index in the line. */
  readonly isNeeded: (index: number) => boolean
}

/** One field of a line in COPY's text format. */
export interface CopyField {
  /** As it stands in the line, escaped; undefined if it was too large to keep. */
  readonly raw: Buffer | undefined
  /** Size of the value, its escapes undone. */
  readonly sizeBytes: number
  /** SHA-256 of the value, its escapes undone, in hexadecimal. */
  readonly sha256: string
  /** Always true for a field that came in pieces and was not kept. */
  readonly isUtf8: boolean
  /** Always true for a field that was not kept. */
  readonly isAscii: boolean
  /** The value, its escapes undone; empty if it was not kept. */
  bytes(): Buffer
}

const TAB = 9
const BACKSLASH = 0x5c

/** The fields of one line, given in pieces without its line feed. */
export async function readFields(
  pieces: Iterable<Buffer> | AsyncIterable<Buffer>,
  { fieldBytes, rowBytes, isNeeded }: KeptFields,
): Promise<CopyField[]> {
  const fields: CopyField[] = []
  let leftBytes = rowBytes
  const begin = () =>
    beginField(isNeeded(fields.length) ? fieldBytes : Math.min(fieldBytes, leftBytes))
  let field = begin()
  for await (const piece of pieces) {
    for (let from = 0; ;) {
      const tab = piece.indexOf(TAB, from)
      if (tab < 0) {
        field.add(piece.subarray(from))
        break
      }
      field.add(piece.subarray(from, tab))
      const ended = field.end()
      fields.push(ended)
      leftBytes -= ended.raw?.length ?? 0
      field = begin()
      from = tab + 1
    }
  }
  fields.push(field.end())
  return fields
}

function beginField(keptBytes: number): { add(piece: Buffer): void; end(): CopyField } {
  let kept: Buffer[] | undefined = []
  let rawBytes = 0
  let sizeBytes = 0
  let isInEscape = false
  // For a field in one piece this is known without keeping it.
  let pieces = 0
  let isText = true
  const hash: Hash = createHash('sha256')
  return {
    add(piece) {
      rawBytes += piece.length
      pieces += 1
      isText &&= pieces > 1 || isUtf8(piece)
      if (rawBytes > keptBytes) kept = undefined
      kept?.push(piece)
      const value = unescape(piece, isInEscape)
      isInEscape = value.isInEscape
      sizeBytes += value.bytes.length
      hash.update(value.bytes)
    },
    end() {
      const raw = kept === undefined ? undefined : Buffer.concat(kept)
      return {
        raw,
        sizeBytes,
        sha256: hash.digest('hex'),
        isUtf8: pieces > 1 ? raw === undefined || isUtf8(raw) : isText,
        isAscii: raw === undefined || isAscii(raw),
        bytes: () => unescape(raw ?? Buffer.alloc(0), false).bytes,
      }
    },
  }
}

const LETTERS: Readonly<Record<string, number>> = { b: 8, t: 9, n: 10, v: 11, f: 12, r: 13 }

/** Undoes COPY's escapes in a piece of a field, which may begin or end in the middle of one. */
function unescape(piece: Buffer, beginsInEscape: boolean): { bytes: Buffer; isInEscape: boolean } {
  const bytes = Buffer.allocUnsafe(piece.length)
  let sizeBytes = 0
  let isInEscape = beginsInEscape
  for (let from = 0; from < piece.length;) {
    if (isInEscape) {
      const char = piece[from] ?? 0
      bytes[sizeBytes] = LETTERS[String.fromCharCode(char)] ?? char
      sizeBytes += 1
      from += 1
      isInEscape = false
      continue
    }
    const found = piece.indexOf(BACKSLASH, from)
    const to = found < 0 ? piece.length : found
    sizeBytes += piece.copy(bytes, sizeBytes, from, to)
    isInEscape = found >= 0
    from = to + 1
  }
  return { bytes: bytes.subarray(0, sizeBytes), isInEscape }
}
