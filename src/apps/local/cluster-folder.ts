import { createHash } from 'node:crypto'
import * as fs from 'node:fs'
import path from 'node:path'
import { readLine, stopOrphan } from './orphaned-server.ts'
import { type Account, isOpenToAll, ownFolder, sharedBases } from './postgres-binaries.ts'

/** Folders outside the homes. Each holds one cluster and a note that names its home. */
const DISTANT = /^tidemark-[0-9a-f]{16}$/
const NOTE = 'home.json'
/** The file in a home that names the folder with its cluster. */
export const POINTER = 'cluster-folder'

/** What the note in such a folder says about its home. */
interface Note {
  readonly home: string
  /** The home's file system. While it is not mounted, nobody can tell whether the home is gone. */
  readonly device: number
}

/**
 * Returns where the cluster for the folder `home` is: in `<home>/cluster`, or in a folder outside
 * if the server's account could not reach that one. A home that is moved keeps its cluster. May be
 * repeated. Throws `ConfigError` as `ownFolder` does.
 */
export function clusterFolder(home: string, account: Account | undefined): string {
  if (account === undefined || isOpenToAll(home)) return path.join(fs.realpathSync(home), 'cluster')
  const hash = createHash('sha256').update(home).digest('hex').slice(0, 16)
  const folder = keptFolder(home) ?? ownFolder(sharedBases('/var/lib'), `tidemark-${hash}`, 0o711)
  fs.chmodSync(folder, 0o711)
  const note: Note = { home, device: fs.statSync(home).dev }
  fs.writeFileSync(path.join(folder, NOTE), JSON.stringify(note), { mode: 0o600 })
  fs.writeFileSync(path.join(home, POINTER), `${folder}\n`, { mode: 0o600 })
  return path.join(fs.realpathSync(folder), 'cluster')
}

/** The folder that this home used before, unless the home it was copied from still uses it. */
function keptFolder(home: string): string | undefined {
  const folder = readLine(path.join(home, POINTER), 0) ?? ''
  const note = isDistant(folder) ? readNote(folder) : undefined
  return note !== undefined && (note.home === home || isGone(note)) ? folder : undefined
}

/**
 * Removes the clusters whose homes were removed, and stops their servers. A cluster in use stays.
 * So does a cluster whose home may lie on a disk that is not mounted now.
 */
export async function sweepClusters(bases = sharedBases('/var/lib')): Promise<void> {
  for (const base of bases) {
    for (const name of fs.readdirSync(base)) {
      const folder = path.join(base, name)
      if (!DISTANT.test(name) || !isDistant(folder)) continue
      const note = readNote(folder)
      if (note === undefined || !isGone(note)) continue
      try {
        await stopOrphan(path.join(fs.realpathSync(folder), 'cluster'))
        fs.rmSync(folder, { recursive: true, force: true })
      } catch {
        // Its server is in use, or another process is removing the cluster now.
      }
    }
  }
}

/**
 * Whether this user made a folder for a cluster: it is not a link, and only this user may write.
 */
function isDistant(folder: string): boolean {
  const found = fs.lstatSync(folder, { throwIfNoEntry: false })
  return (
    DISTANT.test(path.basename(folder)) &&
    found?.isDirectory() === true &&
    found.uid === process.getuid?.() &&
    (found.mode & 0o022) === 0
  )
}

function readNote(folder: string): Note | undefined {
  try {
    return JSON.parse(fs.readFileSync(path.join(folder, NOTE), 'utf8')) as Note
  } catch {
    return undefined
  }
}

/** Whether a home was removed. The rest of its path must be on the same file system as before. */
function isGone({ home, device }: Note): boolean {
  if (fs.existsSync(home)) return false
  let above = path.dirname(home)
  while (!fs.existsSync(above)) above = path.dirname(above)
  return fs.statSync(above).dev === device
}
