import { rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type Deps, isPastDeadline } from '../deps.ts'
import { ContractError, TidemarkError } from '../errors.ts'
import { inMemory } from '../memory.ts'
import type { Feed } from '../project/source-contract.ts'
import type { Drop, DroppedFile } from '../source/drop.ts'
import { addressWithoutQuery } from '../source/http.ts'
import { gunzipFile, unzipFile } from '../source/unpack.ts'
import { askServer } from './ask-server.ts'
import { formatOf, isArchive, isTaken, valuesOfFolders } from './file/format.ts'
import type { OfferedFile } from './take-file.ts'

export interface FeedFailure {
  readonly feed: string
  readonly error: TidemarkError
}

/** The limits of one batch; what is left comes with the next. */
const MAX_FILES = 100
const MAX_BYTES = 2 * 1024 ** 3

/** Name → version of every file taken. */
export type Versions = ReadonlyMap<string, string>

/** The files of a feed that were not taken yet. */
export interface Offer {
  readonly feed: Feed
  readonly files: readonly OfferedFile[]
  /** Files and folders in the drop that hold no data of the feed. */
  readonly ignored: number
  /** There is more to take, for the next batch. */
  readonly isCutShort: boolean
  /** What could not be asked or read. */
  readonly failures: readonly FeedFailure[]
}

export interface OfferOptions {
  readonly feed: Feed
  /** Where local copies go. */
  readonly folder: string
  readonly known: Versions
  /** ISO 8601 UTC. */
  readonly collectedAt: string
}

/**
 * What a feed offers that was not taken yet: answers first, then files by name. A server or a drop
 * that cannot be reached is logged and listed, and the rest is offered all the same.
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

/** The dropped files that were not taken yet, until the batch is full. Counts into `found`. */
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
    // Unpacked, a gzip file may take a thousand times its size here.
    if (file.rows !== undefined && file.rows.path !== file.rawPath) {
      sizeBytes += (await stat(file.rows.path)).size
    }
  }
  reportIgnored(deps, { drop, feed, ignored: found.ignored })
}

/** The number of ignored files last logged, by lake, drop and feed. */
const reportedIn = inMemory(() => new Map<string, number>())

/** Logs how many files were ignored, when the number changes and not with every run. */
function reportIgnored(
  deps: Deps,
  { drop, feed, ignored }: { drop: Drop; feed: Feed; ignored: number },
): void {
  const reported = reportedIn(deps.memory)
  const place = `${deps.ingestion.location} ${drop.location} ${feed.name}`
  if ((reported.get(place) ?? 0) === ignored) return
  reported.set(place, ignored)
  deps.log({ event: 'files_ignored', table: feed.name, files: ignored })
}

/** A local copy of a dropped file, unpacked; undefined if it is gone or was replaced meanwhile. */
async function fetchDropped(
  drop: Drop,
  dropped: DroppedFile,
  rawPath: string,
): Promise<OfferedFile | undefined> {
  if (!(await drop.fetch(dropped, rawPath))) return undefined
  const { size } = await stat(rawPath)
  const rows = await unpack(dropped.name, rawPath)
  return { ...dropped, sizeBytes: size, rawPath, rows, given: valuesOfFolders(dropped.name) }
}

/** The rows in a file, unpacked; undefined if they cannot be read. */
async function unpack(name: string, rawPath: string): Promise<OfferedFile['rows']> {
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
