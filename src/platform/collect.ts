import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { captureFeed, type OfferedFile, readTakenVersions } from './capture-feed.ts'
import { checkProject } from './check-project.ts'
import { checkEnds, checkWarehouse, readHeads } from './continuity.ts'
import { checkInterrupted, type Deps, ingestionZone, isPastDeadline } from './deps.ts'
import { openDuckDb } from './duckdb.ts'
import { ConflictError, ContractError, TidemarkError } from './errors.ts'
import { commitBatch } from './lake/batch-log.ts'
import type { PendingBatch } from './lake/capture.ts'
import { type CommitRecord, standStill } from './lake/commit-record.ts'
import { formatOf, isArchive, isTaken, valuesOfFolders } from './lake/feed-file.ts'
import { type AnswerFormat, type Feed, filesOf } from './project.ts'
import type { FeedServer } from './feed-sources.ts'
import type { Drop, DroppedFile } from './source/drop.ts'
import { ask, checkAnswer, type HttpAnswer, placeOf } from './source/http.ts'
import { gunzipFile, unzipFile } from './source/unpack.ts'

export interface CollectOptions {
  /** A batch known to exist in the ingestion zone: saves the search for the last one. */
  readonly lastKnown?: number
}

export interface CollectOutcome {
  /** The newest batch, committed by this call or before; `undefined` in an empty lake. */
  readonly record: CommitRecord | undefined
  readonly committed: boolean
  /** Files and answers this call took. */
  readonly files: number
  /** Lines this call put into quarantine. */
  readonly quarantined: number
  /** Files and folders in the drop that hold no data of a feed, as far as this call looked. */
  readonly ignored: number
  /** There is more to take, for the next call. */
  readonly isCutShort: boolean
  /** What could not be asked or read; the rest was collected all the same. */
  readonly failures: readonly FeedFailure[]
}

export interface FeedFailure {
  readonly feed: string
  readonly error: TidemarkError
}

/** A batch takes no more than this; what is left comes with the next. */
const MAX_FILES = 100
const MAX_BYTES = 2 * 1024 ** 3

/**
 * Takes what was dropped, and what servers answer, into the ingestion zone as a batch of its own.
 * Each file is taken once by its name and content. The database's tables stand still in it, and so
 * does its snapshot; until there is one, feeds wait. A server that is away stops nothing. Writes
 * nothing when there is nothing new (I9). May be repeated and run twice at once, beside `extract`
 * too: whoever loses the race for a batch number looks again. An answer that could not be committed
 * is kept for the next call of this process.
 */
export async function collect(deps: Deps, options: CollectOptions = {}): Promise<CollectOutcome> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await collectOnce(deps, options)
    } catch (error) {
      if (!(error instanceof ConflictError) || attempt === 5) throw error
      deps.log({ event: 'collect_again', attempt, code: error.code })
    }
  }
}

async function collectOnce(deps: Deps, { lastKnown = 0 }: CollectOptions): Promise<CollectOutcome> {
  checkProject(deps.project)
  const heads = await readHeads(deps, { lastKnown, isCapturing: true })
  const last = heads.captured
  const failures: FeedFailure[] = []
  const quiet = {
    record: last,
    committed: false,
    files: 0,
    quarantined: 0,
    ignored: 0,
    isCutShort: false,
    failures,
  }
  const feeds = deps.project.source.feeds ?? []
  if (last === undefined || deps.feeds === undefined || feeds.length === 0) return quiet

  const collectedAt = (deps.now?.() ?? new Date()).toISOString()
  await mkdir(deps.scratchDir, { recursive: true })
  const folder = await mkdtemp(join(deps.scratchDir, 'offered-'))
  try {
    const offers: Offer[] = []
    for (const feed of feeds) {
      const known = await readKnown(deps, feed, last)
      offers.push(await findOffered(deps, { feed, folder, known, collectedAt, failures }))
    }
    const taken = offers.filter(({ files }) => files.length > 0)
    const isCutShort = offers.some((offer) => offer.isCutShort)
    const ignored = offers.reduce((sum, offer) => sum + offer.ignored, 0)
    if (taken.length === 0) return { ...quiet, ignored, isCutShort }
    await checkEnds(deps, heads)
    await checkWarehouse(deps, last)
    const { record, quarantined } = await commitOffers(deps, taken, { last, collectedAt })
    const files = taken.reduce((sum, offer) => sum + offer.files.length, 0)
    return { record, committed: true, files, quarantined, ignored, isCutShort, failures }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Makes a batch of what was offered: of everything, or of nothing. */
async function commitOffers(
  deps: Deps,
  offers: readonly Offer[],
  { last, collectedAt }: { last: CommitRecord; collectedAt: string },
): Promise<{ record: CommitRecord; quarantined: number }> {
  await using db = await openDuckDb({ scratchDir: deps.scratchDir, ...deps.limits })
  const batch: PendingBatch = {
    zone: ingestionZone(deps),
    db,
    number: last.batch + 1,
    attempt: randomBytes(4).toString('hex'),
    takenAt: collectedAt,
  }
  const tables = Object.fromEntries(
    Object.entries(last.tables).map(([name, entry]) => [name, standStill(entry)]),
  )
  let quarantined = 0
  for (const { feed, files } of offers) {
    checkInterrupted(deps)
    const { rows, files: register } = await captureFeed(deps, batch, {
      feed,
      files,
      previous: last.tables[feed.name],
      previousFiles: last.tables[filesOf(feed.name)],
    })
    tables[feed.name] = rows
    tables[filesOf(feed.name)] = register
    quarantined += rows.counts.quarantined
    deps.log({
      event: 'feed_captured',
      batch: batch.number,
      table: feed.name,
      files: files.length,
      ...rows.counts,
    })
  }
  const content = {
    snapshot: last.snapshot,
    collectedAt,
    tables,
    ...(last.ignored === undefined ? {} : { ignored: last.ignored }),
    ...(last.contract === undefined ? {} : { contract: last.contract }),
    writer: { version: deps.version, runId: deps.runId },
  }
  checkInterrupted(deps)
  const record = await commitBatch(batch.zone, content, { previous: last })
  return { record, quarantined }
}

/** Name → version of every file taken, by feed: kept as long as nothing new was taken. */
const kept = new Map<string, { readonly mark: string; readonly versions: Versions }>()
type Versions = ReadonlyMap<string, string>

async function readKnown(deps: Deps, feed: Feed, last: CommitRecord): Promise<Versions> {
  const entry = last.tables[filesOf(feed.name)]
  if (entry === undefined) return new Map()
  const zone = ingestionZone(deps)
  const place = `${zone.store.location} ${feed.name}`
  const mark = entry.state.map(({ key }) => key).join(' ')
  const known = kept.get(place)
  if (known?.mark === mark) return known.versions
  await using db = await openDuckDb({ scratchDir: deps.scratchDir, ...deps.limits })
  const versions = await readTakenVersions({ db, zone }, feed, entry)
  kept.set(place, { mark, versions })
  return versions
}

interface Offer {
  readonly feed: Feed
  readonly files: readonly OfferedFile[]
  readonly ignored: number
  readonly isCutShort: boolean
}

/** What there is of a feed that was not taken yet: answers first, then files by name. */
async function findOffered(
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

/** A server that did not answer is asked again after this time, or sooner where it is asked more often. */
const AGAIN_MS = 60_000

/** What this process knows of the servers it asks, by lake and address. */
const asked = new Map<string, Asked>()

interface Asked {
  /** It is not asked again before. */
  readonly nextAt: number
  /** What it answered, until that is in the lake. */
  readonly pending?: Pending
}

interface Pending {
  readonly answer: HttpAnswer
  readonly fetchedAt: string
}

async function askServer(
  deps: Deps,
  {
    server: { url, format, everyMs },
    rawPath,
    collectedAt,
    known,
  }: { server: FeedServer; rawPath: string; collectedAt: string; known: string | undefined },
): Promise<OfferedFile | undefined> {
  const now = Date.parse(collectedAt)
  const place = `${deps.ingestion.location} ${url.href}`
  const { nextAt = -Infinity, pending: left } = asked.get(place) ?? {}
  let pending = left?.answer.version === known ? undefined : left
  if (now >= nextAt) {
    asked.set(place, { nextAt: now + Math.min(everyMs, AGAIN_MS), ...(pending && { pending }) })
    const answer = await ask(url, { known, signal: deps.signal })
    pending = answer === undefined ? undefined : { answer, fetchedAt: collectedAt }
    if (pending !== undefined) {
      checkAnswer(pending.answer.body, { rows: parseAnswer(pending, format), url })
    }
    asked.set(place, { nextAt: now + everyMs, ...(pending && { pending }) })
  }
  if (pending === undefined) return undefined
  const { answer, fetchedAt } = pending
  await writeFile(rawPath, answer.body)
  return {
    name: placeOf(url),
    version: answer.version,
    modifiedAt: fetchedAt,
    sizeBytes: answer.body.length,
    rawPath,
    given: {},
    rows: await writeAnswer(parseAnswer(pending, format), `${rawPath}.jsonl`),
  }
}

type Rows = readonly Readonly<Record<string, string>>[]

/** An answer's rows; undefined if it is not in its format. */
function parseAnswer({ answer, fetchedAt }: Pending, format: AnswerFormat): Rows | undefined {
  const text = answer.body.toString('utf8')
  const parsed = format.parse.safeParse({ text, fetchedAt })
  return parsed.success ? parsed.data : undefined
}

async function writeAnswer(rows: Rows | undefined, path: string): Promise<OfferedFile['rows']> {
  if (rows === undefined) return undefined
  await writeFile(path, rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
  return { path, format: 'jsonl' }
}
