import { constants } from 'node:fs'
import { copyFile, lstat, readdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { ConfigError, TransientError } from '../errors.ts'

/** A file that somebody has dropped for a feed. */
export interface DroppedFile {
  /** Below the drop, `/`-separated: `exchange_rate/2026/july.csv`. */
  readonly name: string
  readonly sizeBytes: number
  /** Another content has another version; the same content may have several. */
  readonly version: string
  /** ISO 8601 UTC. */
  readonly modifiedAt: string
}

/**
 * A place into which others drop files, a folder for each feed: a directory or a prefix of a bucket.
 * Nothing in it is ours: it is read, and never changed.
 */
export interface Drop {
  /** What to call it in messages; holds no credentials. */
  readonly location: string
  /**
   * The files below a feed's folder that nobody is still writing, in the order of their names as
   * bytes. Leftovers (`isLeftover`) are never listed: `onIgnored` gets the name of each, once for a
   * folder with all that is in it.
   */
  list(feed: string, onIgnored?: (name: string) => void): AsyncIterable<DroppedFile>
  /**
   * Copies a file to `path`; false when it is another by now or gone: it is taken another time, and
   * what lies at `path` is not to be used.
   */
  fetch(file: DroppedFile, path: string): Promise<boolean>
}

/**
 * Whether a file or folder is what engines and programs keep for themselves beside the data, by its
 * name: hidden files (`.DS_Store`, `.part-0.crc`), names that Spark and Hive skip too (`_SUCCESS`,
 * `_delta_log`; but `_day=1` is a folder with a value), lock files of spreadsheets (`~$…`), and
 * Iceberg's metadata.
 */
export function isLeftover(name: string): boolean {
  return /^(\.|~\$|_(?!.*=))|\.metadata\.json(\.gz)?$/s.test(name)
}

/** A file that was changed within this time may still be being written. */
const SETTLED_MS = 1000

/** A directory as a drop. Links are not followed. */
export function diskDrop(directory: string, { settledMs = SETTLED_MS } = {}): Drop {
  const root = resolve(directory)

  async function* list(
    feed: string,
    onIgnored?: (name: string) => void,
  ): AsyncGenerator<DroppedFile> {
    const folder = await lstat(join(root, feed)).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined
      throw explain(error, root)
    })
    if (folder?.isSymbolicLink() === false) yield* walk(feed, onIgnored)
  }

  async function* walk(
    folder: string,
    onIgnored?: (name: string) => void,
  ): AsyncGenerator<DroppedFile> {
    const found = await readdir(join(root, folder), { withFileTypes: true }).catch(
      (error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return []
        throw explain(error, root)
      },
    )
    const entries = found
      .filter((entry) => entry.isDirectory() || entry.isFile())
      // A folder sorts as its name with a slash, as in a bucket.
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
    try {
      const { size, mtimeMs, ino } = await lstat(join(root, name))
      const modifiedAt = new Date(mtimeMs).toISOString()
      return { name, sizeBytes: size, version: `${mtimeMs}-${size}-${ino}`, modifiedAt }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw explain(error, root)
    }
  }

  return {
    location: root,
    list,
    async fetch({ name, version }, path) {
      const isSame = async (): Promise<boolean> => (await describe(name))?.version === version
      if (!(await isSame())) return false
      try {
        await copyFile(join(root, name), path, constants.COPYFILE_FICLONE)
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
        throw explain(error, root)
      }
      return await isSame()
    },
  }
}

function explain(error: unknown, root: string): Error {
  const { code = '' } = error as NodeJS.ErrnoException
  if (code === 'EACCES' || code === 'EPERM') {
    return new ConfigError(`The drop ${root} may not be read [${code}]`, {
      code: 'DROP_DENIED',
      hint: 'let the user Tidemark runs as read it and everything below',
      cause: error,
    })
  }
  return new TransientError(`The drop ${root} cannot be read just now [${code}]`, {
    code: 'DROP_UNREACHABLE',
    hint: 'nothing is lost; the next run takes what is there',
    cause: error,
  })
}
