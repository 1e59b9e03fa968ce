import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { checkEnds, checkWarehouse, readHeads, retryConflicts } from '../continuity.ts'
import { checkInterrupted, type Deps, ingestionZone, openScratchDb } from '../deps.ts'
import { inMemory } from '../io/memory.ts'
import { commitBatch } from '../lake/batch-log.ts'
import { beginBatch } from '../lake/batch.ts'
import type { CommitRecord, IngestionEntry } from '../lake/commit-record.ts'
import { carryOver } from '../lake/table-entry.ts'
import { checkProject } from '../project/check-project.ts'
import { type Feed, filesOf } from '../project/source-contract.ts'
import { captureFeed } from './capture-feed.ts'
import { type FeedFailure, findOffered, type Offer, type Versions } from './offers.ts'
import { readTakenVersions } from './taken-files.ts'
import { namedRecord } from '../project/named-record.ts'

export interface CollectOptions {
  /**
   * A batch that the ingestion zone is known to hold. The search for the last batch starts there.
   */
  readonly lastKnown?: number
}

/** What one call of `collect` took and committed. */
export interface CollectOutcome {
  /** The newest batch, committed by this call or before; `undefined` in an empty lake. */
  readonly record: CommitRecord | undefined
  readonly committed: boolean
  /** Files and answers that this call took. */
  readonly files: number
  /** Lines that this call put into quarantine. */
  readonly quarantined: number
  /** Files and folders in the drop that hold no data for a feed, as far as this call looked. */
  readonly ignored: number
  /** Whether more is waiting for the next call. */
  readonly isCutShort: boolean
  /** Servers and drops that could not be read. Everything else was collected. */
  readonly failures: readonly FeedFailure[]
}

/**
 * Takes dropped files and servers' answers into the ingestion zone as a batch of its own. A file is
 * taken once for each name and content. The batch carries the database's tables and snapshot over
 * from the previous batch, so feeds wait until there is one. An unreachable server stops nothing.
 * Writes nothing if nothing is new (I9). May be repeated and run twice at once, also beside
 * `extract`: a run that loses the race for a batch number starts again. An answer that could not be
 * committed is kept for the next call in this process.
 */
export async function collect(deps: Deps, options: CollectOptions = {}): Promise<CollectOutcome> {
  return await retryConflicts(deps, 'collect_again', () => collectOnce(deps, options))
}

async function collectOnce(deps: Deps, { lastKnown = 0 }: CollectOptions): Promise<CollectOutcome> {
  checkProject(deps.project)
  const heads = await readHeads(deps, { lastKnown, isCapturing: true })
  const last = heads.captured
  const quiet = {
    record: last,
    committed: false,
    files: 0,
    quarantined: 0,
    ignored: 0,
    isCutShort: false,
    failures: [],
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
      offers.push(await findOffered(deps, { feed, folder, known, collectedAt }))
    }
    const offered = {
      ignored: offers.reduce((sum, { ignored }) => sum + ignored, 0),
      isCutShort: offers.some(({ isCutShort }) => isCutShort),
      failures: offers.flatMap(({ failures }) => failures),
    }
    const taken = offers.filter(({ files }) => files.length > 0)
    if (taken.length === 0) return { ...quiet, ...offered }
    await checkEnds(deps, heads)
    await checkWarehouse(deps, last)
    const { record, quarantined } = await commitOffers(deps, taken, { last, collectedAt })
    const files = taken.reduce((sum, offer) => sum + offer.files.length, 0)
    return { record, committed: true, files, quarantined, ...offered }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Commits everything that was offered as one batch, or nothing. */
async function commitOffers(
  deps: Deps,
  offers: readonly Offer[],
  { last, collectedAt }: { last: CommitRecord; collectedAt: string },
): Promise<{ record: CommitRecord; quarantined: number }> {
  await using db = await openScratchDb(deps)
  const place = { zone: ingestionZone(deps), number: last.batch + 1, takenAt: collectedAt }
  const batch = beginBatch(db, place)
  const tables = namedRecord(
    Object.entries(last.tables).map(([name, entry]): [string, IngestionEntry] => [
      name,
      carryOver(entry),
    ]),
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
    ignored: last.ignored,
    contract: last.contract,
    writer: { version: deps.version, runId: deps.runId },
  }
  checkInterrupted(deps)
  const record = await commitBatch(batch.zone, content, { previous: last })
  return { record, quarantined }
}

/** The versions of all files taken, by lake and feed, and the state that they were read from. */
const takenIn = inMemory(() => new Map<string, { readonly mark: string; versions: Versions }>())

/**
 * The versions of all files taken as of a record. Reads the lake only if files were taken since the
 * last call.
 */
async function readKnown(deps: Deps, feed: Feed, last: CommitRecord): Promise<Versions> {
  const entry = last.tables[filesOf(feed.name)]
  if (entry === undefined) return new Map()
  const taken = takenIn(deps.memory)
  const zone = ingestionZone(deps)
  const place = `${zone.store.location} ${feed.name}`
  const mark = entry.state.map(({ key }) => key).join(' ')
  const known = taken.get(place)
  if (known?.mark === mark) return known.versions
  await using db = await openScratchDb(deps)
  const versions = await readTakenVersions({ db, zone }, feed, entry)
  taken.set(place, { mark, versions })
  return versions
}
