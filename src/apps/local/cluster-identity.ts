import { closeSync, existsSync, openSync, readSync } from 'node:fs'
import path from 'node:path'
import { POINTER } from './cluster-folder.ts'
import { readLine } from './orphaned-server.ts'

/**
 * The system identifier of the cluster that was made for a folder of `startEmbeddedPostgres`, whether
 * its server runs or not: the first eight bytes of its control file (src/include/catalog/pg_control.h).
 * Undefined where there is no cluster, or none that this user may read. Starts and changes nothing.
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
  // Embedded servers run on the machine that reads this, so the order of bytes is its own.
  return String(bytes.readBigUInt64LE())
}
