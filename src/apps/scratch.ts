import { randomUUID } from 'node:crypto'
import { mkdir, readdir, readFile, rm, rmdir, stat, utimes, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { withScratchErrors } from '../platform/io/disk-errors.ts'
import { codeOf, ConfigError } from '../platform/errors.ts'
import type { AppLog } from './log.ts'
import { isAlive, markProcess, type ProcessMark } from './process-mark.ts'

/**
 * A folder for this process alone. Disposing removes it, and the empty folders above it that were
 * created for it.
 */
export interface Scratch extends AsyncDisposable {
  readonly path: string
}

/** Ending of the file beside each scratch folder that marks the process that made it. */
const MARK = '.owner.json'

/** A living process touches its mark this often, for machines that cannot see the process. */
const TOUCH_MS = 3_600_000
const ABANDONED_MS = 24 * TOUCH_MS

/**
 * Removes the scratch folders that dead processes left in `parent`, then makes one for this process.
 * Folders of living processes stay, and so does everything that Tidemark did not make. Throws
 * `ConfigError` if the folder cannot be made.
 */
export async function openScratch(parent: string, { log }: { log: AppLog }): Promise<Scratch> {
  return await withScratchErrors(parent, async () => {
    const path = join(parent, randomUUID())
    const mark = path + MARK
    const made = await makeFolder(parent)
    const folders = await sweepScratch(parent)
    if (folders > 0) log({ event: 'scratch_swept', folders })
    // The mark comes first: a folder without one would belong to nobody.
    await writeMark(mark)
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
        if (made !== undefined) await removeEmpty(resolve(parent), resolve(made))
      },
    }
  })
}

async function writeMark(mark: string): Promise<void> {
  const text = JSON.stringify(await markProcess())
  for (;;) {
    try {
      await writeFile(mark, text, { mode: 0o600 })
      return
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error
      // The process that created the folder found it empty and removed it.
      await makeFolder(dirname(mark))
    }
  }
}

/** Removes a folder and the folders above it, up to and including `last`, as long as they are empty. */
async function removeEmpty(folder: string, last: string): Promise<void> {
  try {
    await rmdir(folder)
    if (folder !== last) await removeEmpty(dirname(folder), last)
  } catch {
    // It is in use, and stays.
  }
}

/**
 * Creates a folder, and returns the topmost folder that was created for it. If it cannot be created,
 * nothing is lost yet, whatever the system calls the error.
 */
async function makeFolder(parent: string): Promise<string | undefined> {
  try {
    return await mkdir(parent, { recursive: true })
  } catch (error) {
    // On a read-only file system Node says ENOENT.
    const code = codeOf(error)
    if (!['ENOENT', 'ENOTDIR', 'EEXIST'].includes(code)) throw error
    throw new ConfigError(`The scratch folder ${parent} cannot be made [${code}]`, {
      code: 'SCRATCH_PERMISSION',
      hint: 'set TIDEMARK_SCRATCH or TIDEMARK_HOME to a folder that this user may create and write',
      cause: error,
    })
  }
}

/** Removes the scratch folders that dead processes left in `parent`. Returns how many. */
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
      // It is another user's, or another process is removing it. It is not in our way.
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

/** Removes the mark last, so that the next sweep finishes an interrupted removal. */
async function removeScratch(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true })
  await rm(path + MARK, { force: true })
}
