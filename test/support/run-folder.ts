import { chmodSync, mkdtempSync, readFileSync, rmSync, statfsSync } from 'node:fs'
import path from 'node:path'

const MEMORY = '/dev/shm'
const MIN_FREE_BYTES = 4 * 2 ** 30

/**
 * Puts all temporary files of this process and its children into one folder in memory, which is
 * removed when the process ends. The tests make hundreds of short-lived databases, lakes and
 * profiles, which would cost a disk more time than the tests themselves. Does nothing if there is
 * too little memory for it, or if `TMPDIR` already names a folder.
 */
export function useMemoryFolder(): void {
  if (process.env['TMPDIR'] !== undefined || !isMemoryFit()) return
  const folder = mkdtempSync(path.join(MEMORY, 'tidemark-run-'))
  // Open to all, like any temporary folder: for root, a database server runs as another user.
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
