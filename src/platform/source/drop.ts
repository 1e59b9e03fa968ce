import { constants } from 'node:fs'
import { copyFile, lstat, readdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { codeOf, ConfigError, TransientError } from '../errors.ts'

/** A file that somebody dropped for a feed. */
export interface DroppedFile {
  /** Path below the drop, separated by `/`: `visit/2026/july.csv`. */
  readonly name: string
  readonly sizeBytes: number
  /** Changes whenever the content changes. The same content may have several versions. */
  readonly version: string
  /** ISO 8601 UTC. */
  readonly modifiedAt: string
}

/**
 * A place into which others drop files, with a folder for each feed: a directory, or a prefix of a
 * bucket. Tidemark reads it and never changes anything in it.
 */
export interface Drop {
  /** Its name in messages. It holds no credentials. */
  readonly location: string
  /** Whether the directory exists. Undefined for a bucket, whose prefixes need not be made. */
  exists?(): Promise<boolean>
  /**
   * Lists the files below a feed's folder that nobody is still writing, ordered by the bytes of
   * their names. Leftovers (`isLeftover`) are never listed. `onIgnored` gets the name of each
   * leftover; a folder counts once, with everything in it.
   */
  list(feed: string, onIgnored?: (name: string) => void): AsyncIterable<DroppedFile>
  /**
   * Copies a file to `path`. Returns false if the file is gone or was replaced since it was listed.
   * Then `path` must not be used, and a later run takes the new file.
   */
  fetch(file: DroppedFile, path: string): Promise<boolean>
}

/**
 * Whether the name of a file or folder says that an engine or a program keeps it for itself beside
 * the data: hidden files (`.DS_Store`, `.part-0.crc`), names that Spark and Hive skip too
 * (`_SUCCESS`, `_delta_log`; but `_day=1` is a folder with a value), lock files of spreadsheets
 * (`~$…`), and Iceberg's metadata.
 */
export function isLeftover(name: string): boolean {
  return /^(\.|~\$|_(?!.*=))|\.metadata\.json(\.gz)?$/s.test(name)
}

/** A file that changed more recently than this may still be being written. */
const SETTLED_MS = 1000

/**
 * A directory as a drop. Links are not followed. Throws `ConfigError` (`DROP_DENIED`) if a file or
 * folder may not be read, and `TransientError` (`DROP_UNREACHABLE`) for other errors of the disk.
 */
export function diskDrop(directory: string, { settledMs = SETTLED_MS } = {}): Drop {
  const root = resolve(directory)

  async function* list(
    feed: string,
    onIgnored?: (name: string) => void,
  ): AsyncGenerator<DroppedFile> {
    const folder = await unlessMissing(root, () => lstat(join(root, feed)))
    if (folder?.isSymbolicLink() === false) yield* walk(feed, onIgnored)
  }

  async function* walk(
    folder: string,
    onIgnored?: (name: string) => void,
  ): AsyncGenerator<DroppedFile> {
    const found = await unlessMissing(root, () =>
      readdir(join(root, folder), { withFileTypes: true }),
    )
    const entries = (found ?? [])
      .filter((entry) => entry.isDirectory() || entry.isFile())
      // A folder sorts by its name and a slash, as in a bucket.
      .map((entry) => Buffer.from(entry.isDirectory() ? `${entry.name}/` : entry.name))
      .toSorted((a, b) => a.compare(b))
    for (const entry of entries) {
      const name = `${folder}/${entry.toString()}`
      if (isLeftover(entry.toString())) {
        onIgnored?.(name)
        continue
      }
      if (name.endsWith('/')) {
        yield* walk(name.slice(0, -1), onIgnored)
        continue
      }
      const file = await describe(name)
      const isSettled = file !== undefined && Date.parse(file.modifiedAt) <= Date.now() - settledMs
      if (isSettled) yield file
    }
  }

  async function describe(name: string): Promise<DroppedFile | undefined> {
    const found = await unlessMissing(root, () => lstat(join(root, name)))
    if (found === undefined) return undefined
    const { size, mtimeMs, ino } = found
    const modifiedAt = new Date(mtimeMs).toISOString()
    return { name, sizeBytes: size, version: `${mtimeMs}-${size}-${ino}`, modifiedAt }
  }

  return {
    location: root,
    list,
    exists: async () => (await unlessMissing(root, () => lstat(root))) !== undefined,
    async fetch({ name, version }, path) {
      const isSame = async (): Promise<boolean> => (await describe(name))?.version === version
      if (!(await isSame())) return false
      const isCopied = await unlessMissing(root, async () => {
        await copyFile(join(root, name), path, constants.COPYFILE_FICLONE)
        return true
      })
      return isCopied === true && (await isSame())
    },
  }
}

/** The result of `work`; undefined if the file or folder that it reads is missing. */
async function unlessMissing<T>(root: string, work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work()
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw explainDropError(error, root)
  }
}

function explainDropError(error: unknown, root: string): Error {
  const code = codeOf(error)
  if (code === 'EACCES' || code === 'EPERM') {
    return new ConfigError(`This user may not read the drop ${root} [${code}]`, {
      code: 'DROP_DENIED',
      hint: 'grant this user read access to the folder and everything below it',
      cause: error,
    })
  }
  return new TransientError(`The drop ${root} cannot be read just now [${code}]`, {
    code: 'DROP_UNREACHABLE',
    hint: 'nothing is lost; the next run takes the files',
    cause: error,
  })
}
