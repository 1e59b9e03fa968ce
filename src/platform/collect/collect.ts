import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { checkEnds, checkWarehouse, readHeads, retryConflicts } from '../continuity.ts'
import { checkInterrupted, type Deps, ingestionZone, openScratchDb } from '../deps.ts'
import { commitBatch } from '../lake/batch-log.ts'
import { beginBatch } from '../lake/batch.ts'
import type { CommitRecord, IngestionEntry } from '../lake/commit-record.ts'
import { carryOver } from '../lake/table-entry.ts'
import { inMemory } from '../memory.ts'
import { checkProject } from '../project/check-project.ts'
import { type Feed, filesOf } from '../project/source-contract.ts'
import { captureFeed } from './capture-feed.ts'
import { type FeedFailure, findOffered, type Offer, type Versions } from './offers.ts'
import { readTakenVersions } from './taken-files.ts'

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

/**
 * Takes dropped files and servers' answers into the ingestion zone as a batch of its own. Each file
 * is taken once by its name and content. The batch carries the database's tables and snapshot over
 * from the batch before; until there is one, feeds wait. A server that cannot be reached stops
 * nothing. Writes nothing if there is nothing new (I9). May be repeated and run twice at once, beside
 * `extract` too: a run that loses the race for a batch number looks again. An answer that could not
 * be committed is kept for the next call of this process.
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
  const tables = Object.fromEntries(
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

/** The versions taken, by lake and feed, and the files of the table they were read from. */
const takenIn = inMemory(() => new Map<string, { readonly mark: string; versions: Versions }>())

/** The versions taken as of a record; read only if files were taken since the last call. */
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
