import { crc32, deflateRawSync } from 'node:zlib'

export interface ZipEntry {
  readonly name: string
  readonly body: Buffer
  /** 0 stored, 8 deflated, 12 one that is not supported. Default 8. */
  readonly method?: 0 | 8 | 12
  readonly flags?: number
  /** Default: the correct CRC-32. */
  readonly crc?: number
  /** Default: the correct size before packing. */
  readonly sizeBytes?: number
  /** Default: the packed body. */
  readonly packed?: Buffer
}

/** A ZIP archive as in `APPNOTE.TXT`, with `isZip64` in the form for large archives. */
export function zip(entries: readonly ZipEntry[], { isZip64 = false } = {}): Buffer {
  const parts: Buffer[] = []
  const directory: Buffer[] = []
  let offset = 0
  for (const { name, body, method = 8, flags = 0, crc = crc32(body), ...claimed } of entries) {
    const { sizeBytes = body.length } = claimed
    const { packed = method === 8 ? deflateRawSync(body) : body } = claimed
    const own = Buffer.alloc(26)
    own.writeUInt16LE(20, 0)
    own.writeUInt16LE(flags, 2)
    own.writeUInt16LE(method, 4)
    own.writeUInt32LE(crc, 10)
    own.writeUInt32LE(packed.length, 14)
    own.writeUInt32LE(sizeBytes, 18)
    own.writeUInt16LE(Buffer.byteLength(name), 22)
    const local = Buffer.concat([Buffer.from('PK\x03\x04'), own, Buffer.from(name), packed])
    const rest = Buffer.alloc(14)
    rest.writeUInt32LE(offset, 10)
    const listed = Buffer.from(own)
    const large = Buffer.alloc(isZip64 ? 28 : 0)
    if (isZip64) {
      large.writeUInt16LE(1, 0)
      large.writeUInt16LE(24, 2)
      for (const [at, value] of [sizeBytes, packed.length, offset].entries()) {
        large.writeBigUInt64LE(BigInt(value), 4 + 8 * at)
      }
      listed.writeUInt32LE(UNKNOWN, 14)
      listed.writeUInt32LE(UNKNOWN, 18)
      listed.writeUInt16LE(large.length, 24)
      rest.writeUInt32LE(UNKNOWN, 10)
    }
    const signature = Buffer.from('PK\x01\x02\x14\x00', 'latin1')
    directory.push(Buffer.concat([signature, listed, rest, Buffer.from(name), large]))
    parts.push(local)
    offset += local.length
  }
  const directoryBytes = Buffer.concat(directory).length
  const end = Buffer.alloc(18)
  end.writeUInt16LE(entries.length, 6)
  end.writeUInt32LE(directoryBytes, 8)
  end.writeUInt32LE(isZip64 ? UNKNOWN : offset, 12)
  if (isZip64) {
    // The record for large archives, and the locator that leads to it.
    const record = Buffer.alloc(52)
    record.writeBigUInt64LE(44n, 0)
    record.writeBigUInt64LE(BigInt(entries.length), 20)
    record.writeBigUInt64LE(BigInt(entries.length), 28)
    record.writeBigUInt64LE(BigInt(directoryBytes), 36)
    record.writeBigUInt64LE(BigInt(offset), 44)
    const locator = Buffer.alloc(16)
    locator.writeBigUInt64LE(BigInt(offset + directoryBytes), 4)
    locator.writeUInt32LE(1, 12)
    directory.push(Buffer.from('PK\x06\x06'), record, Buffer.from('PK\x06\x07'), locator)
  }
  return Buffer.concat([...parts, ...directory, Buffer.from('PK\x05\x06'), end])
}

/** Marks a number that only the fields for large archives hold. */
const UNKNOWN = 0xffffffff

/** An archive of one file. */
export function zipFile(name: string, text: string): Buffer {
  return zip([{ name, body: Buffer.from(text) }])
}
