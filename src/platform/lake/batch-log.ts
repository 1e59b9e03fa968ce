import { randomUUID } from 'node:crypto'
import { ConflictError, ContractError } from '../errors.ts'
import { boundedMap, inMemory } from '../io/memory.ts'
import { type BatchContent, type CommitRecord, damaged } from './commit-record.ts'
import { hasChecksum, parseRecord, writeRecord } from './commit-text.ts'
import { completeRecord, type StoredRecord } from './standing.ts'
import type { ObjectStore } from './store/object-store.ts'
import { commitKey, type Zone } from './zone.ts'

/**
 * The commit record of a batch; `undefined` if the batch does not exist. Throws `ContractError` if
 * the record is damaged, or if a record that it refers to is missing or from another lake.
 */
export async function readCommit(zone: Zone, batch: number): Promise<CommitRecord | undefined> {
  const stored = await readStored(zone, batch)
  return stored && (await complete(zone, stored))
}

/**
 * Like `readCommit`, for a batch that must exist. Throws `ContractError` (`LAKE_OBJECT_MISSING`) if
 * its record is missing.
 */
export async function readExistingCommit(zone: Zone, batch: number): Promise<CommitRecord> {
  return await complete(zone, await readExistingStored(zone, batch))
}

/**
 * The newest batch's commit record; `undefined` in an empty zone. Batch numbers have no gaps, so it
 * takes O(log n) requests and no listing. The search begins at `hint` (a batch known to exist, or
 * 0), or at the newest batch that this process has seen.
 */
export async function readLastCommit(zone: Zone, hint = 0): Promise<CommitRecord | undefined> {
  const memory = logMemory(zone)
  const seen = memory.newest?.batch ?? 0
  const begin = Math.max(hint, seen)
  const [last] = await Promise.all([
    findLast(zone, begin),
    // The search itself reads the record that it begins at.
    seen > 0 && seen < begin ? readStored(zone, seen) : undefined,
  ])
  if (memory.newest === undefined) memory.referred.clear()
  memory.newest = last
  return last && (await complete(zone, last))
}

/** Distances at which to look for the end of a log, all in one round trip: 1, 2, 4 … 4,096. */
const LEAPS = Array.from({ length: 13 }, (_, index) => 2 ** index)

/** How many records between two known ones are read in one round trip. */
const PROBES = 15

/**
 * Looks at the record after the hint first, because mostly there is none, and a request costs
 * money. From there it reads in parallel: any log of up to 8,000 batches takes three more round
 * trips, and not the thirty that one request after the other would take.
 */
async function findLast(zone: Zone, hint: number): Promise<StoredRecord | undefined> {
  const known = hint > 0 ? [hint, hint + 1] : []
  let last = lastInRow(await Promise.all(known.map((batch) => readStored(zone, batch))))
  if (hint > 0 && last?.batch === hint) return last
  let low = last?.batch ?? 0
  let high = 0
  while (high === 0) {
    const batches = LEAPS.map((leap) => low + leap)
    const found = await Promise.all(batches.map((batch) => readStored(zone, batch)))
    last = lastInRow(found) ?? last
    low = last?.batch ?? 0
    high = batches[found.indexOf(undefined)] ?? 0
  }
  while (high - low > 1) {
    const batches = divide(low, high)
    const found = await Promise.all(batches.map((batch) => readStored(zone, batch)))
    last = lastInRow(found) ?? last
    low = last?.batch ?? 0
    high = batches[found.indexOf(undefined)] ?? high
  }
  return last
}

/** Up to `PROBES` whole numbers between two others, evenly spread. */
function divide(low: number, high: number): number[] {
  const count = Math.min(PROBES, high - low - 1)
  const step = (high - low) / (count + 1)
  return Array.from({ length: count }, (_, index) => low + Math.round((index + 1) * step))
}

/** The last record before the first that is missing. */
function lastInRow(found: readonly (StoredRecord | undefined)[]): StoredRecord | undefined {
  const end = found.indexOf(undefined)
  return found[(end < 0 ? found.length : end) - 1]
}

/**
 * Throws `ContractError` (`LAKE_GAP`) if the record after `last` is missing but a later record
 * exists. A new record under its number would contradict the later ones. Throws `ConflictError` if
 * another run has just committed that record. Throws `ContractError` (`LAKE_MIXED`) if `last` does
 * not continue the record before it.
 *
 * Call this before anything is written for a batch (I14).
 */
export async function checkEnd(zone: Zone, last: CommitRecord | undefined): Promise<void> {
  const next = (last?.batch ?? 0) + 1
  const [, ...beyond] = await Promise.all([
    last && checkLink(zone, last),
    ...LEAPS.map(async (distance) => await hasCommit(zone, next + distance)),
  ])
  const index = beyond.indexOf(true)
  if (index === -1) return
  await checkNotTaken(zone, next)
  const later = next + (LEAPS[index] ?? 0)
  throw new ContractError(
    `The commit record ${zone.prefix}${commitKey(next)} is missing from ${zone.store.location}, ` +
      `but the record of batch ${later} exists`,
    { code: 'LAKE_GAP', hint: 'restore the object from a backup of the zone; nothing was written' },
  )
}

/** Throws `ContractError` (`LAKE_MIXED`) unless a record continues the one before it (I14). */
async function checkLink(zone: Zone, record: CommitRecord): Promise<void> {
  const { previous, previousChecksum } = record
  if (previousChecksum === undefined) return
  const body = await zone.store.get(zone.prefix + commitKey(previous))
  if (body !== undefined && hasChecksum(body, previousChecksum)) return
  // A damaged record explains the mismatch better.
  checkFollows(zone, await readExistingStored(zone, previous), record)
}

/**
 * Throws `ContractError` (`LAKE_MIXED`) unless `record` names the checksum of `before`, the record
 * before it (I14). A record of format 1 names no checksum and passes.
 */
export function checkFollows(
  zone: Zone,
  before: Pick<CommitRecord, 'checksum'>,
  record: CommitRecord,
): void {
  if (record.previousChecksum === undefined || record.previousChecksum === before.checksum) return
  throw mixed(
    `Batch ${record.batch} in ${describeZone(zone)} does not continue batch ${record.previous} there: ` +
      'the checksums do not match',
  )
}

function mixed(message: string): ContractError {
  return new ContractError(message, {
    code: 'LAKE_MIXED',
    hint: 'restore the zone from a backup; nothing was written',
  })
}

/** A zone's name in messages: its store and, if any, its prefix. */
export function describeZone({ store, prefix }: Zone): string {
  return prefix === '' ? store.location : `${store.location}/${prefix.replace(/\/$/, '')}`
}

/**
 * Makes the batch after `previous` exist. This is the one irreversible step. Every file that the
 * batch names must be uploaded before. `madeFrom` is the ingestion record from which a processed
 * batch was made. The first record of a lake creates the lake's identity. Throws `ConflictError`
 * (`BATCH_TAKEN`) if another run has already committed this batch number.
 */
export async function commitBatch(
  zone: Zone,
  content: BatchContent,
  { previous, madeFrom }: { previous: CommitRecord | undefined; madeFrom?: CommitRecord },
): Promise<CommitRecord> {
  const lake = madeFrom === undefined ? (previous?.lake ?? randomUUID()) : madeFrom.lake
  const place = { lake, previous, madeFrom: madeFrom?.checksum }
  const { record, body } = writeRecord(content, place)
  const outcome = await zone.store.putIfAbsent(zone.prefix + commitKey(record.batch), body)
  if (outcome === 'exists') throw batchTaken(record.batch)
  logMemory(zone).newest = record
  return record
}

/**
 * Throws `ConflictError` (`BATCH_TAKEN`) if another run has committed this batch number. Files that
 * were uploaded for it stay orphans. If the other run commits after this check, `commitBatch`
 * throws.
 */
export async function checkNotTaken(zone: Zone, batch: number): Promise<void> {
  const key = commitKey(batch)
  const underWay = looks.get(zone) ?? new Map<string, Promise<boolean>>()
  looks.set(zone, underWay)
  const look = underWay.get(key) ?? hasCommit(zone, batch)
  underWay.set(key, look)
  try {
    if (await look) throw batchTaken(batch)
  } finally {
    underWay.delete(key)
  }
}

/** Looks for a commit record that have not ended. Tables that are ready together share one. */
const looks = new WeakMap<Zone, Map<string, Promise<boolean>>>()

function batchTaken(batch: number): ConflictError {
  return new ConflictError(`Another run committed batch ${batch} first`, {
    code: 'BATCH_TAKEN',
    hint: 'nothing is lost; run again: the changes are in that batch or come in the next one',
  })
}

async function complete(zone: Zone, stored: StoredRecord): Promise<CommitRecord> {
  return await completeRecord(stored, {
    key: zone.prefix + commitKey(stored.batch),
    read: (batch) => readReferred(zone, batch, stored),
  })
}

/** Keys of the files that a batch's own record names: every file that the batch wrote. */
export async function readNamedFiles(zone: Zone, batch: number): Promise<ReadonlySet<string>> {
  const { tables } = await readExistingStored(zone, batch)
  const files = Object.values(tables).flatMap(
    ({ changes, quarantine, open, archived = [], state }) => [
      ...changes,
      ...quarantine,
      ...open,
      ...archived,
      ...(Array.isArray(state) ? state : []),
    ],
  )
  return new Set(files.map(({ key }) => key))
}

async function hasCommit(zone: Zone, batch: number): Promise<boolean> {
  return (await zone.store.get(zone.prefix + commitKey(batch))) !== undefined
}

async function readStored(zone: Zone, batch: number): Promise<StoredRecord | undefined> {
  const key = zone.prefix + commitKey(batch)
  const body = await zone.store.get(key)
  const memory = logMemory(zone)
  const record = body && parseOnce(memory, { body, key, batch })
  const { newest } = memory
  if (newest?.batch === batch && newest.checksum !== record?.checksum) memory.newest = undefined
  return record
}

function parseOnce(
  { parsed }: LogMemory,
  { body, key, batch }: { body: Buffer; key: string; batch: number },
): StoredRecord {
  const known = parsed.get(batch)
  if (known?.body.equals(body) === true) return known.record
  const record = parseRecord(body, key)
  if (record.batch !== batch) throw damaged(key, `it holds the record of batch ${record.batch}`)
  parsed.set(batch, { body, record })
  return record
}

async function readExistingStored(zone: Zone, batch: number): Promise<StoredRecord> {
  const record = await readStored(zone, batch)
  if (record !== undefined) return record
  throw new ContractError(
    `The commit record ${zone.prefix}${commitKey(batch)} is missing from ${zone.store.location}`,
    {
      code: 'LAKE_OBJECT_MISSING',
      hint: 'restore the object from a backup of the zone; nothing was written',
    },
  )
}

/**
 * Like `readExistingStored`, for a record that `referrer` refers to. Records never change, so a
 * process reads each of them once. Throws `ContractError` (`LAKE_MIXED`) if the record is from
 * another lake.
 */
async function readReferred(
  zone: Zone,
  batch: number,
  referrer: StoredRecord,
): Promise<StoredRecord> {
  const { referred } = logMemory(zone)
  const isSameLake = ({ lake }: StoredRecord) => lake === undefined || lake === referrer.lake
  const known = await referred.get(batch)
  if (known !== undefined && isSameLake(known)) return known
  const reading = readExistingStored(zone, batch)
  referred.set(batch, reading)
  reading.catch(() => referred.delete(batch))
  const record = await reading
  if (isSameLake(record)) return record
  throw mixed(
    `Batches ${batch} and ${referrer.batch} in ${describeZone(zone)} are from different lakes`,
  )
}

/** What a process remembers about one log. */
interface LogMemory {
  /**
   * The newest record seen, which by its checksum vouches for all before it. Undefined if the log
   * has another record there now, or none: then the log was put back, and perhaps went on in another
   * way.
   */
  newest: Pick<StoredRecord, 'batch' | 'checksum'> | undefined
  /** Records that others refer to, as far as `newest` vouches for them. */
  readonly referred: Map<number, Promise<StoredRecord>>
  /** The last few records read, so that the same bytes are parsed and checked once. */
  readonly parsed: Map<number, { readonly body: Buffer; readonly record: StoredRecord }>
}

const logsIn = inMemory(() => new WeakMap<ObjectStore, Map<string, LogMemory>>())

function logMemory({ store, prefix, memory }: Zone): LogMemory {
  const stores = logsIn(memory)
  const logs = stores.get(store) ?? new Map<string, LogMemory>()
  stores.set(store, logs)
  const log = logs.get(prefix) ?? {
    newest: undefined,
    referred: boundedMap(2048),
    parsed: boundedMap(4),
  }
  logs.set(prefix, log)
  return log
}
