import { chmodSync, mkdtempSync, readFileSync, rmSync, statfsSync } from 'node:fs'
import path from 'node:path'

const MEMORY = '/dev/shm'
const MIN_FREE_BYTES = 4 * 2 ** 30

/**
 * Has everything temporary of this process and its children lie in one folder in memory, gone when
 * the process ends: hundreds of databases, lakes and profiles are made for a moment each, which
 * costs a disk far more than the tests themselves. Does nothing where there is little memory of
 * that kind, or where `TMPDIR` says already where to write.
 */
export function useMemoryFolder(): void {
  if (process.env['TMPDIR'] !== undefined || !isMemoryFit()) return
  const folder = mkdtempSync(path.join(MEMORY, 'tidemark-run-'))
  // As any temporary folder: started by root, a database server is another user.
  chmodSync(folder, 0o1777)
  process.env['TMPDIR'] = folder
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
}

function isMemoryFit(): boolean {
  try {
    const { bavail, bsize } = statfsSync(MEMORY)
    const [mount = ''] = /^\S+ \/dev\/shm .*$/m.exec(readFileSync('/proc/mounts', 'utf8')) ?? []
    // Postgres and Chromium may be started from copies in there.
    return bavail * bsize >= MIN_FREE_BYTES && mount !== '' && !/\bnoexec\b/.test(mount)
  } catch {
    return false
  }
}
