import { rm, stat } from 'fs/promises'
import { join } from 'path/posix'
import { type Deps, isPastDeadline } from '../deps.ts'
import { ContractError, TidemarkError } from '../errors.ts'
import type { Feed } from '../project/source-contract.ts'
import type { Drop, DroppedFile } from '../source/drop.ts'
import { placeOf } from '../source/http.ts'
import { gunzipFile, unzipFile } from '../source/unpack.ts'
import { askServer } from './ask-server.ts'
import { formatOf, isArchive, isTaken, valuesOfFolders } from './file/format.ts'
import type { OfferedFile } from './take-file.ts'

export interface FeedFailure {
  readonly feed: string
  readonly error: TidemarkError
}

/** A batch takes no more than this; what is left comes with the next. */
const MAX_FILES = 100
const MAX_BYTES = 2 * 1024 ** 3
export type Versions = ReadonlyMap<string, string>

export interface Offer {
  readonly feed: Feed
  readonly files: readonly OfferedFile[]
  readonly ignored: number
  readonly isCutShort: boolean
}

/** What there is of a feed that was not taken yet: answers first, then files by name. */
export async function findOffered(
  deps: Deps,
  {
    feed,
    folder,
    known,
    collectedAt,
    failures,
  }: {
    feed: Feed
    folder: string
    known: Versions
    collectedAt: string
    failures: FeedFailure[]
  },
): Promise<Offer> {
  const files: OfferedFile[] = []
  const attempt = async (work: () => Promise<void>): Promise<void> => {
    try {
      await work()
    } catch (error) {
      if (!(error instanceof TidemarkError)) throw error
      failures.push({ feed: feed.name, error })
      const { code, message } = error
      deps.log({
        event: 'feed_unreachable',
        level: 'warn',
        table: feed.name,
        code,
        reason: message,
      })
    }
  }
  for (const server of deps.feeds?.servers ?? []) {
    if (server.format.feed !== feed.name) continue
    await attempt(async () => {
      const file = await askServer(deps, {
        server,
        rawPath: join(folder, `${feed.name}-answer-${files.length}`),
        collectedAt,
        known: known.get(placeOf(server.url)),
      })
      if (file !== undefined) files.push(file)
    })
  }
  let isCutShort = false
  let ignored = 0
  const ignore = (): void => void (ignored += 1)
  const { drop } = deps.feeds ?? {}
  if (drop !== undefined) {
    await attempt(async () => {
      let sizeBytes = 0
      for await (const dropped of drop.list(feed.name, ignore)) {
        if (!isTaken(dropped.name)) {
          ignore()
          continue
        }
        if (known.get(dropped.name) === dropped.version) continue
        sizeBytes += dropped.sizeBytes
        const isFull = files.length >= MAX_FILES || sizeBytes > MAX_BYTES || isPastDeadline(deps)
        if (files.length > 0 && isFull) {
          isCutShort = true
          return
        }
        const file = await fetchDropped(drop, dropped, join(folder, `${feed.name}-${files.length}`))
        if (file === undefined) continue
        files.push(file)
        // What it takes here, unpacked: a gzip file may hold a thousand times its size.
        if (file.rows !== undefined && file.rows.path !== file.rawPath) {
          sizeBytes += (await stat(file.rows.path)).size
        }
      }
      reportIgnored(deps, { drop, feed, ignored })
    })
  }
  return { feed, files, ignored, isCutShort }
}

/** The number of ignored files last logged, by lake, drop and feed. */
const said = new Map<string, number>()

/** Logs how many files were ignored, when the number changes and not with every run. */
function reportIgnored(
  deps: Deps,
  { drop, feed, ignored }: { drop: Drop; feed: Feed; ignored: number },
): void {
  const place = `${deps.ingestion.location} ${drop.location} ${feed.name}`
  if ((said.get(place) ?? 0) === ignored) return
  said.set(place, ignored)
  deps.log({ event: 'files_ignored', table: feed.name, files: ignored })
}

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
