import { crc32, deflateRawSync } from 'node:zlib'

export interface ZipEntry {
  readonly name: string
  readonly body: Buffer
  /** 0 stored, 8 deflated, 12 one that is not supported. Default 8. */
  readonly method?: 0 | 8 | 12
  readonly flags?: number
  /** Default: the correct CRC-32. */
  readonly crc?: number
  /** Default: the packed body. */
  readonly packed?: Buffer
}

/** A ZIP archive as in `APPNOTE.TXT`. */
export function zip(entries: readonly ZipEntry[]): Buffer {
  const parts: Buffer[] = []
  const directory: Buffer[] = []
  let offset = 0
  for (const { name, body, method = 8, flags = 0, crc = crc32(body), ...given } of entries) {
    const packed = given.packed ?? (method === 8 ? deflateRawSync(body) : body)
    const own = Buffer.alloc(26)
    own.writeUInt16LE(20, 0)
    own.writeUInt16LE(flags, 2)
    own.writeUInt16LE(method, 4)
    own.writeUInt32LE(crc, 10)
    own.writeUInt32LE(packed.length, 14)
    own.writeUInt32LE(body.length, 18)
    own.writeUInt16LE(Buffer.byteLength(name), 22)
    const local = Buffer.concat([Buffer.from('PK\x03\x04'), own, Buffer.from(name), packed])
    const rest = Buffer.alloc(14)
    rest.writeUInt32LE(offset, 10)
    directory.push(
      Buffer.concat([Buffer.from('PK\x01\x02\x14\x00', 'latin1'), own, rest, Buffer.from(name)]),
    )
    parts.push(local)
    offset += local.length
  }
  const end = Buffer.alloc(18)
  end.writeUInt16LE(entries.length, 6)
  end.writeUInt32LE(Buffer.concat(directory).length, 8)
  end.writeUInt32LE(offset, 12)
  return Buffer.concat([...parts, ...directory, Buffer.from('PK\x05\x06'), end])
}

/** An archive of one file. */
export function zipFile(name: string, text: string): Buffer {
  return zip([{ name, body: Buffer.from(text) }])
}
