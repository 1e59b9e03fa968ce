import { resolve } from 'node:path'
import { isKey } from './object-store.ts'

/** The place of a zone: a directory, or everything below a prefix of an S3 bucket. */
export type ZoneAddress =
  | { readonly kind: 'directory'; readonly path: string }
  | { readonly kind: 'bucket'; readonly bucket: string; readonly prefix: string }

/** The possible forms of an address, for messages. */
export const ZONE_ADDRESS = 'a directory, or s3://bucket or s3://bucket/prefix'

const BUCKET = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/

/**
 * Parses `/a/directory`, `s3://bucket` or `s3://bucket/prefix`. A prefix follows the rules of keys;
 * a slash at its end is dropped. Returns `undefined` for anything else: another scheme, one slash
 * after the scheme, a name that no bucket can have, credentials in the address. So a relative path
 * that begins like a scheme (`backup:old`) needs `./` before it.
 */
export function parseZoneAddress(address: string): ZoneAddress | undefined {
  if (!/^[a-z][a-z0-9+.-]*:/i.test(address)) return { kind: 'directory', path: resolve(address) }
  if (!/^s3:\/\//i.test(address)) return undefined
  const [bucket = '', ...rest] = address.slice('s3://'.length).split('/')
  const prefix = rest.join('/').replace(/\/$/, '')
  if (!BUCKET.test(bucket) || bucket.includes('..')) return undefined
  if (prefix !== '' && !isKey(prefix)) return undefined
  return { kind: 'bucket', bucket, prefix }
}
