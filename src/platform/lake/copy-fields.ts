import { isAscii, isUtf8 } from 'node:buffer'
import { createHash, type Hash } from 'node:crypto'

/** How much of a line is held in memory. */
export interface KeptFields {
  /** Size limit of a field in bytes. A larger field is not kept. */
  readonly fieldBytes: number
  /** Size limit of all kept fields of a row in bytes. A field that would exceed it is not kept. */
  readonly rowBytes: number
  /** Whether a field, given by its index in the line, is exempt from the row's limit. */
  readonly isNeeded: (index: number) => boolean
}

/** One field of a line in COPY's text format. */
export interface CopyField {
  /** The field as written in the line, escaped; undefined if it was too large to keep. */
  readonly raw: Buffer | undefined
  /** Size of the unescaped value in bytes. */
  readonly sizeBytes: number
  /** SHA-256 of the unescaped value, in hexadecimal. */
  readonly sha256: string
  /** Always true for a field that came in pieces and was not kept. */
  readonly isUtf8: boolean
  /** Always true for a field that was not kept. */
  readonly isAscii: boolean
  /** The unescaped value; empty if it was not kept. */
  bytes(): Buffer
}

const TAB = 9
const BACKSLASH = 0x5c

/**
 * Reads the fields of one line, given in pieces without its line feed. Every field gets its size
 * and checksum, in bounded memory however long the line is. An error while reading a piece is
 * thrown unchanged.
 */
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
  // A field in one piece is checked at once, so it need not be kept.
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

/**
 * Undoes COPY's escapes in a piece of a field. A piece may begin or end in the middle of an escape.
 */
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
