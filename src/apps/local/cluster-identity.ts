import { closeSync, existsSync, openSync, readSync } from 'node:fs'
import path from 'node:path'
import { POINTER } from './cluster-folder.ts'
import { readLine } from './orphaned-server.ts'

/**
 * Reads the system identifier of the cluster in a folder of `startEmbeddedPostgres`, whether or not
 * its server runs: the first eight bytes of its control file (src/include/catalog/pg_control.h).
 * Undefined if there is no cluster, or if this user may not read it. Starts and changes nothing.
 */
export function readClusterIdentity(dataDir: string): string | undefined {
  const own = path.join(dataDir, 'cluster')
  const cluster = existsSync(own)
    ? own
    : path.join(readLine(path.join(dataDir, POINTER), 0) ?? '', 'cluster')
  const bytes = Buffer.alloc(8)
  try {
    const file = openSync(path.join(cluster, 'global', 'pg_control'), 'r')
    try {
      if (readSync(file, bytes) < bytes.length) return undefined
    } finally {
      closeSync(file)
    }
  } catch {
    return undefined
  }
  // An embedded server runs on this machine, so its byte order is this machine's.
  return String(bytes.readBigUInt64LE())
}
