import { rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type Deps, isPastDeadline } from '../deps.ts'
import { ContractError, TidemarkError } from '../errors.ts'
import { inMemory } from '../io/memory.ts'
import type { Feed } from '../project/source-contract.ts'
import type { Drop, DroppedFile } from '../source/drop.ts'
import { addressWithoutQuery } from '../source/http.ts'
import { gunzipFile, unzipFile } from '../source/unpack.ts'
import { askServer } from './ask-server.ts'
import { formatOf, isArchive, isTaken, valuesOfFolders } from './file/format.ts'
import type { OfferedFile } from './take-file.ts'

/** A server or a drop that could not be read, and the reason. */
export interface FeedFailure {
  readonly feed: string
  readonly error: TidemarkError
}

/** The limits of one batch. The next batch takes the rest. */
const MAX_FILES = 100
const MAX_BYTES = 2 * 1024 ** 3

/** Name → version of every file that was taken. */
export type Versions = ReadonlyMap<string, string>

/** The files of a feed that were not taken before. */
export interface Offer {
  readonly feed: Feed
  readonly files: readonly OfferedFile[]
  /** Files and folders in the drop that hold no data for the feed. */
  readonly ignored: number
  /** Whether more is waiting for the next batch. */
  readonly isCutShort: boolean
  /** Servers and drops that could not be read. */
  readonly failures: readonly FeedFailure[]
}

/** Where to look for the files of one feed. */
export interface OfferOptions {
  readonly feed: Feed
  /** Folder for the local copies. */
  readonly folder: string
  readonly known: Versions
  /** Time of this collection, ISO 8601 UTC. */
  readonly collectedAt: string
}

/**
 * Finds everything that a feed offers and that was not taken before: answers first, then files in
 * the order of their names. A server or a drop that cannot be reached is logged and listed as a
 * failure, and the rest is offered.
 */
export async function findOffered(deps: Deps, options: OfferOptions): Promise<Offer> {
  const { feed } = options
  const { servers = [], drop } = deps.feeds ?? {}
  const files: OfferedFile[] = []
  const failures: FeedFailure[] = []
  const attempt = async <T>(work: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await work()
    } catch (error) {
      if (!(error instanceof TidemarkError)) throw error
      failures.push({ feed: feed.name, error })
      logUnreachable(deps, { feed, error })
      return undefined
    }
  }
  for (const server of servers) {
    if (server.format.feed !== feed.name) continue
    const rawPath = join(options.folder, `${feed.name}-answer-${files.length}`)
    const { collectedAt } = options
    const known = options.known.get(addressWithoutQuery(server.url))
    const file = await attempt(() => askServer(deps, { server, rawPath, collectedAt, known }))
    if (file !== undefined) files.push(file)
  }
  const found = { ignored: 0, isCutShort: false }
  if (drop !== undefined) {
    await attempt(async () => {
      for await (const file of fetchNew(deps, { ...options, drop, before: files.length, found })) {
        files.push(file)
      }
    })
  }
  return { feed, files, failures, ...found }
}

function logUnreachable(
  { log }: Deps,
  { feed, error: { code, message } }: { feed: Feed; error: TidemarkError },
): void {
  log({ event: 'feed_unreachable', level: 'warn', table: feed.name, code, reason: message })
}

/**
 * Fetches the dropped files that were not taken before, until the batch is full. Counts into
 * `found`.
 */
async function* fetchNew(
  deps: Deps,
  {
    feed,
    folder,
    known,
    drop,
    before,
    found,
  }: OfferOptions & {
    drop: Drop
    before: number
    found: { ignored: number; isCutShort: boolean }
  },
): AsyncGenerator<OfferedFile> {
  const ignore = (): void => void (found.ignored += 1)
  let [files, sizeBytes] = [before, 0]
  for await (const dropped of drop.list(feed.name, ignore)) {
    if (!isTaken(dropped.name)) {
      ignore()
      continue
    }
    if (known.get(dropped.name) === dropped.version) continue
    sizeBytes += dropped.sizeBytes
    const isFull = files >= MAX_FILES || sizeBytes > MAX_BYTES || isPastDeadline(deps)
    if (files > 0 && isFull) {
      found.isCutShort = true
      return
    }
    const file = await fetchDropped(drop, dropped, join(folder, `${feed.name}-${files}`))
    if (file === undefined) continue
    files += 1
    yield file
    // A gzip file may unpack to a thousand times its size on this disk.
    if (file.rows !== undefined && file.rows.path !== file.rawPath) {
      sizeBytes += (await stat(file.rows.path)).size
    }
  }
  reportIgnoredFiles(deps, { drop, feed, ignored: found.ignored })
}

/** The number of ignored files that was last logged, by lake, drop and feed. */
const reportedIn = inMemory(() => new Map<string, number>())

/** Logs the number of ignored files whenever it changes, not with every run. */
function reportIgnoredFiles(
  deps: Deps,
  { drop, feed, ignored }: { drop: Drop; feed: Feed; ignored: number },
): void {
  const reported = reportedIn(deps.memory)
  const place = `${deps.ingestion.location} ${drop.location} ${feed.name}`
  if ((reported.get(place) ?? 0) === ignored) return
  reported.set(place, ignored)
  deps.log({ event: 'files_ignored', table: feed.name, files: ignored })
}

/**
 * Makes a local copy of a dropped file and unpacks it. Returns undefined if the file is gone or was
 * replaced since it was listed.
 */
async function fetchDropped(
  drop: Drop,
  dropped: DroppedFile,
  rawPath: string,
): Promise<OfferedFile | undefined> {
  if (!(await drop.fetch(dropped, rawPath))) return undefined
  const { size } = await stat(rawPath)
  const rows = await unpackRows(dropped.name, rawPath)
  return { ...dropped, sizeBytes: size, rawPath, rows, given: valuesOfFolders(dropped.name) }
}

/** The file that holds the rows, unpacked; undefined if the file cannot be read. */
async function unpackRows(name: string, rawPath: string): Promise<OfferedFile['rows']> {
  const format = formatOf(name)
  if (format !== undefined && !/\.gz$/i.test(name)) return { path: rawPath, format }
  const path = `${rawPath}.plain`
  try {
    if (!isArchive(name)) await gunzipFile(rawPath, path)
    const found = isArchive(name) ? formatOf(await unzipFile(rawPath, path)) : format
    return found && { path, format: found }
  } catch (error) {
    await rm(path, { force: true })
    if (error instanceof ContractError) return undefined
    throw error
  }
}
