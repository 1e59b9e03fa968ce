import { randomUUID } from 'node:crypto'
import { mkdir, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { withScratchErrors } from '../platform/io/disk-errors.ts'
import { ConfigError } from '../platform/errors.ts'
import type { AppLog } from './log.ts'
import { isAlive, markProcess, type ProcessMark } from './process-mark.ts'

/** A folder for this process alone; gone when it is disposed. */
export interface Scratch extends AsyncDisposable {
  readonly path: string
}

/** Beside each scratch folder: the mark of the process that made it. */
const MARK = '.owner.json'

/** A mark is touched this often while its process lives, for those who cannot see the process. */
const TOUCH_MS = 3_600_000
const ABANDONED_MS = 24 * TOUCH_MS

/**
 * Makes a scratch folder below `parent`, after removing those whose processes ended without
 * removing them. Folders of living processes stay, and so does everything that Tidemark did not
 * make. Throws `ConfigError` if the folder cannot be made.
 */
export async function openScratch(parent: string, { log }: { log: AppLog }): Promise<Scratch> {
  return await withScratchErrors(parent, async () => {
    await makeFolder(parent)
    const folders = await sweepScratch(parent)
    if (folders > 0) log({ event: 'scratch_swept', folders })
    const path = join(parent, randomUUID())
    const mark = path + MARK
    // First the mark: a folder without one would be nobody's.
    await writeFile(mark, JSON.stringify(await markProcess()), { mode: 0o600 })
    await mkdir(path)
    const touching = setInterval(() => {
      const now = new Date()
      void utimes(mark, now, now).catch(() => {})
    }, TOUCH_MS).unref()
    return {
      path,
      async [Symbol.asyncDispose]() {
        clearInterval(touching)
        await removeScratch(path)
      },
    }
  })
}

/** Nothing can be lost yet where the folder itself cannot be made, whatever the system calls that. */
async function makeFolder(parent: string): Promise<void> {
  try {
    await mkdir(parent, { recursive: true })
  } catch (error) {
    // Of a read-only file system Node says ENOENT.
    const { code = '' } = error as NodeJS.ErrnoException
    if (!['ENOENT', 'ENOTDIR', 'EEXIST'].includes(code)) throw error
    throw new ConfigError(`The scratch folder ${parent} cannot be made [${code}]`, {
      code: 'SCRATCH_PERMISSION',
      hint: 'set TIDEMARK_SCRATCH, or TIDEMARK_HOME, to a folder that this user may make and write',
      cause: error,
    })
  }
}

/** Removes the scratch folders that dead processes left below `parent`; returns how many. */
async function sweepScratch(parent: string): Promise<number> {
  let swept = 0
  for (const name of await readdir(parent)) {
    if (!name.endsWith(MARK)) continue
    const path = join(parent, name.slice(0, -MARK.length))
    try {
      if (!(await isAbandoned(path + MARK))) continue
      await removeScratch(path)
      swept += 1
    } catch {
      // Another user's, or being removed by another process just now: not in the way of this one.
    }
  }
  return swept
}

async function isAbandoned(mark: string): Promise<boolean> {
  const { mtimeMs } = await stat(mark)
  const owner = JSON.parse(await readFile(mark, 'utf8')) as ProcessMark
  const isLiving = await isAlive(owner)
  return isLiving === undefined ? Date.now() - mtimeMs > ABANDONED_MS : !isLiving
}

/** Removes the mark last, so that the next sweep finishes a removal that was cut short. */
async function removeScratch(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true })
  await rm(path + MARK, { force: true })
}
