import { checkInterrupted, type Deps } from '../deps.ts'
import { ContractError } from '../errors.ts'
import type { Relation } from '../io/duckdb.ts'
import { identifiers } from '../io/sql.ts'
import { checkNotTaken } from '../lake/batch-log.ts'
import type { PendingBatch } from '../lake/batch.ts'
import { incomingRelation, prepareFile } from '../lake/change-file.ts'
import { extendState } from '../lake/checkpoint.ts'
import type { FileRef, IngestionEntry } from '../lake/commit-record.ts'
import {
  addDeletes,
  checkKeys,
  compareKeys,
  compareRows,
  type Comparison,
} from '../lake/compare.ts'
import { convertRows } from '../lake/convert.ts'
import { readParquet } from '../lake/parquet.ts'
import { areTooMany } from '../lake/quarantine/limits.ts'
import { logRefused } from '../lake/quarantine/quarantine.ts'
import {
  countMissing,
  dropGone,
  prepareRefusal,
  type QuarantinedKeys,
  readQuarantinedKeys,
  type Refusal,
} from '../lake/quarantine/quarantined-keys.ts'
import { collectRows, type ReadRows } from '../lake/read-rows.ts'
import { lakeTable } from '../lake/schema.ts'
import { prepareTable } from '../lake/table-changes.ts'
import { countRows } from '../lake/table-entry.ts'
import { keyColumns, type LakeTable, openState } from '../lake/table-state.ts'
import { openFiles } from '../lake/zone.ts'
import type { SourceTable } from '../project/source-contract.ts'
import type { TableCount } from '../source/copy.ts'
import type { SourceSnapshot } from '../source/source-snapshot.ts'
import type { TableShape } from '../source/table-shape.ts'
import { type HeldType, inHeldTypes, readHeldTypes } from './held-types.ts'

/** A table that is read into the batch being prepared. */
export interface TableRead {
  readonly snapshot: SourceSnapshot
  readonly batch: PendingBatch
  readonly shape: TableShape
  readonly contract: SourceTable['columns']
  readonly previous: IngestionEntry
  readonly confirmDeletes: ReadonlySet<string>
}

/**
 * Captures a table for the first time. Every row is an insert, and the change files are the base.
 * Throws `ContractError` if too many rows are refused or if a key occurs twice.
 */
export async function captureFirst(
  deps: Deps,
  read: Omit<TableRead, 'previous'>,
): Promise<IngestionEntry> {
  const { snapshot, batch, shape } = read
  const table = lakeTable({ ...shape, table: shape.name }, read.contract)
  await using uploads = createUploads(batch, table)
  const refused: string[] = []
  let [seen, rows] = [0, 0]
  for await (const copied of snapshot.copyWhole(shape, copyOptions(deps, batch))) {
    checkInterrupted(deps)
    const converted = await convertRows(batch, table, { copied, firstOrdinal: seen + 1 })
    if (converted.rows > 0) await uploads.add(converted)
    if (converted.refused !== undefined) refused.push(converted.refused.path)
    seen += copied.rows
    rows += converted.rows
    deps.log({ event: 'rows_read', batch: batch.number, table: shape.name, rows: seen })
  }
  const files = await uploads.end()
  checkFew(deps, table, { rows: seen, refused: seen - rows })
  if (!shape.keyIsUnique && rows > 0) {
    await checkKeys(batch.db, table, readParquet(await openFiles(batch.zone, files)))
  }
  const incoming = incomingRelation(table, [])
  await using quarantined = await readQuarantinedKeys(batch, table, { open: [], refused, incoming })
  const refusal = await quarantineRows(deps, batch, { table, open: [], refused, quarantined })
  return {
    counts: countRows({ read: seen, inserted: rows, quarantined: seen - rows }),
    changes: files,
    quarantine: refusal.quarantine,
    open: refusal.open,
    state: extendState([], files),
    rows,
    fingerprint: shape.fingerprint,
    withheld: seen > rows ? seen - rows : undefined,
    unversioned: shape.hasXmin ? undefined : true,
  }
}

/** The files of a table, of which one is uploaded while the next is being made. */
interface Uploads extends AsyncDisposable {
  /** Begins to upload a file, as soon as the one before is there. */
  add(file: { path: string; rows: number }): Promise<void>
  /** Waits for the last file. Returns how the commit record names them, in order. */
  end(): Promise<FileRef[]>
}

/** Disposing waits for the upload that is under way, so that nothing is written after an error. */
function createUploads(batch: PendingBatch, table: LakeTable): Uploads {
  const files: FileRef[] = []
  let underWay: Promise<FileRef> | undefined
  const settle = async (): Promise<void> => {
    if (underWay !== undefined) files.push(await underWay)
    underWay = undefined
  }
  return {
    async add({ path, rows }) {
      await settle()
      await checkNotTaken(batch.zone, batch.number)
      underWay = prepareFile(batch, table, { path, rows, index: files.length })
      underWay.catch(() => {}) // thrown when it is awaited
    },
    async end() {
      await settle()
      return files
    },
    async [Symbol.asyncDispose]() {
      await underWay?.catch(() => {})
    },
  }
}

/**
 * Captures the rows at or after the horizon by comparing them with the captured rows. The count
 * proof follows: every live key is captured or in quarantine, so if the source holds as many rows,
 * nothing was deleted. Otherwise the keys are compared in both directions. A key that is new and
 * yet older than the horizon (an attached partition) causes the whole table to be compared.
 */
export async function captureSince(
  deps: Deps,
  read: TableRead & { readonly age: number; readonly count: TableCount },
): Promise<IngestionEntry> {
  const entry = await captureRecent(deps, read)
  if (entry !== undefined) return entry
  deps.log({
    event: 'table_compared_whole',
    level: 'warn',
    table: read.shape.name,
    why: 'rows older than the horizon appeared',
  })
  return await captureWhole(deps, { ...read, force: false })
}

/** Like `captureSince`. Returns undefined if a key is new and yet older than the horizon. */
async function captureRecent(
  deps: Deps,
  read: TableRead & { readonly age: number; readonly count: TableCount },
): Promise<IngestionEntry | undefined> {
  const { snapshot, batch, shape, previous, age, count } = read
  const { db, zone } = batch
  const table = lakeTable({ ...shape, table: shape.name }, read.contract)
  const rows = collectRows(table)
  if (count.recent > 0) {
    const { recentIn } = count
    const copied = await snapshot.copyRecent(shape, { age, recentIn, folder: db.scratchDir })
    rows.add(await convertRows(batch, table, { copied, firstOrdinal: 1 }))
  }
  await using state = await openState(db, zone, { table, state: previous.state })
  await using found = await compare(read, { table, rows, state })
  await using quarantined = await compareRefused(read, { table, rows })
  checkFew(deps, table, shareOf(found, quarantined))
  const held = { quarantined, state: state.name, changes: found.changes }
  const missing = await countMissing(db, table, held)
  const compared = { table, rows, state, found, quarantined }

  if (count.rows === previous.rows + found.inserted + missing) {
    return await finishCapture(deps, read, { ...compared, missing, keys: undefined, gone: 0 })
  }
  const keys = await readKeys(read, { table, rows })
  await dropGone(db, table, { quarantined, keys })
  const { gone, unknown } = await compareKeys(db, table, { keys, ...held })
  const stillMissing = await countMissing(db, table, held)
  if (unknown > stillMissing) {
    await rows.remove()
    return undefined
  }
  // The count proof again, now with the deletions. Only a key that occurs twice can break it.
  if (count.rows !== previous.rows + found.inserted - gone + stillMissing) {
    await checkKeys(db, table, keys)
  }
  return await finishCapture(deps, read, { ...compared, missing: stillMissing, keys, gone })
}

/** Copies every key of the source and returns a relation of them. */
async function readKeys(
  { snapshot, batch, shape }: TableRead,
  { table, rows }: { table: LakeTable; rows: ReadRows },
): Promise<string> {
  const keyTable: LakeTable = { ...table, columns: keyColumns(table) }
  const key = keyTable.columns.map(({ name }) => name)
  const copied = await snapshot.copyKeys({ ...shape, key }, { folder: batch.db.scratchDir })
  const { path } = await convertRows(batch, keyTable, { copied, firstOrdinal: 1 })
  rows.paths.push(path)
  return readParquet([path])
}

/**
 * Compares every row with the captured rows. After `alter table` the captured rows are read in
 * today's columns. A row gets a new version if a new column holds a value, or if the new type of a
 * column changed its value. It gets none if the value is the same in a type that holds both, or if a
 * column was dropped.
 */
export async function captureWhole(
  deps: Deps,
  read: TableRead & { readonly force: boolean },
): Promise<IngestionEntry> {
  const { snapshot, batch, shape, previous } = read
  const { db, zone } = batch
  const table = lakeTable({ ...shape, table: shape.name }, read.contract)
  const rows = collectRows(table)
  for await (const copied of snapshot.copyWhole(shape, copyOptions(deps, batch))) {
    checkInterrupted(deps)
    rows.add(await convertRows(batch, table, { copied, firstOrdinal: rows.read() + 1 }))
    deps.log({ event: 'rows_read', batch: batch.number, table: shape.name, rows: rows.read() })
  }
  await using state = await openState(db, zone, { table, state: previous.state })
  const held = await readHeldTypes(zone, { table, shape, previous })
  await using wide =
    held.size === 0
      ? undefined
      : await openState(db, zone, { table: inHeldTypes(table, held), state: previous.state })
  await using found = await compare(read, { table, rows, state: wide ?? state, held })
  await using quarantined = await compareRefused(read, { table, rows })
  checkFew(deps, table, shareOf(found, quarantined))
  const key = identifiers(table.key)
  // A refused row exists in the source too.
  const refused =
    quarantined === undefined ? '' : ` union all select ${key} from ${quarantined.keys}`
  const keys = `(select ${key} from ${rows.accepted()}${refused})`
  // This read saw every row, so a key that was neither accepted nor refused is gone.
  await dropGone(db, table, { quarantined, keys: `(select ${key} from ${rows.refusedRows()})` })
  const known = { quarantined, state: state.name, changes: found.changes }
  const { gone } = await compareKeys(db, table, { keys, ...known })
  const missing = await countMissing(db, table, known)
  const compared = { table, rows, state, found, quarantined }
  return await finishCapture(deps, read, { ...compared, missing, keys, gone, force: read.force })
}

function copyOptions(
  { limits }: Deps,
  { db }: PendingBatch,
): { folder: string; connections: number } {
  return { folder: db.scratchDir, connections: limits.connections }
}

/** Compares the accepted rows with the table as of the previous batch. */
async function compare(
  { batch: { db }, shape }: TableRead,
  {
    table,
    rows,
    state,
    held = new Map(),
  }: { table: LakeTable; rows: ReadRows; state: Relation; held?: ReadonlyMap<string, HeldType> },
): Promise<Comparison> {
  const incoming = rows.accepted()
  if (!shape.keyIsUnique) await checkKeys(db, table, incoming)
  return await compareRows(db, table, { incoming, state: state.name, held })
}

/** Compares the refused rows with the quarantine as of the previous batch. */
async function compareRefused(
  { batch, previous: { open } }: TableRead,
  { table, rows }: { table: LakeTable; rows: ReadRows },
): Promise<QuarantinedKeys | undefined> {
  const { refused } = rows
  return await readQuarantinedKeys(batch, table, { open, refused, incoming: rows.accepted() })
}

/** The newly refused rows among the rows that are new or changed. */
function shareOf(
  { inserted, updated }: Comparison,
  quarantined: QuarantinedKeys | undefined,
): { rows: number; refused: number } {
  const refused = quarantined?.fresh ?? 0
  return { rows: inserted + updated + refused, refused }
}

/** Throws `ContractError` if too many rows are refused, so that the whole table is held instead. */
function checkFew(
  { limits }: Deps,
  table: LakeTable,
  share: { rows: number; refused: number },
): void {
  if (!areTooMany(share, limits)) return
  throw new ContractError(
    `Table ${table.name}: ${share.refused} of ${share.rows} rows hold values that have no exact form`,
    { code: 'TOO_MANY_REJECTED', hint: 'correct the values in the source' },
  )
}

/** Puts the refused rows into quarantine, and logs how many there are and why. */
async function quarantineRows(
  deps: Deps,
  batch: PendingBatch,
  {
    table,
    ...rows
  }: {
    table: LakeTable
    open: readonly FileRef[]
    refused: readonly string[]
    quarantined: QuarantinedKeys | undefined
  },
): Promise<Refusal> {
  const refusal = await prepareRefusal(batch, table, rows)
  logRefused(deps.log, { batch: batch.number, table: table.name, reasons: refusal.reasons })
  return refusal
}

/** A table compared with its source. */
interface Compared {
  readonly table: LakeTable
  readonly rows: ReadRows
  readonly state: Relation
  readonly found: Comparison
  readonly quarantined: QuarantinedKeys | undefined
  /** Keys in quarantine that the table does not hold in any version. */
  readonly missing: number
  /** Relation of the source's keys; undefined if they were not read. */
  readonly keys: string | undefined
  /** Keys that the table holds and the source does not. */
  readonly gone: number
  /** Whether to write the whole table again, in other columns. */
  readonly force?: boolean
}

/** Adds the deletes unless the brake holds them, then writes the change files and the state. */
async function finishCapture(
  deps: Deps,
  { batch, shape, previous, confirmDeletes }: TableRead,
  { table, rows, state, found, quarantined, missing, keys, gone, force = false }: Compared,
): Promise<IngestionEntry> {
  const isHeld = isBraked(deps, { gone, previous }) && !confirmDeletes.has(table.name)
  const deleted = isHeld ? 0 : gone
  const { changes, inserted, updated } = found
  if (deleted > 0 && keys !== undefined) {
    await addDeletes(batch.db, table, { keys, state: state.name, changes })
  }
  const changed = inserted + updated + deleted
  if (changed > 0 || force) await checkNotTaken(batch.zone, batch.number)
  const prepared = await prepareTable(batch, table, {
    changes,
    rows: changed,
    state: previous.state,
    isRewritten: force,
  })
  const { open } = previous
  const refusal = await quarantineRows(deps, batch, {
    table,
    open,
    refused: rows.refused,
    quarantined,
  })
  await rows.remove()
  return {
    ...prepared,
    // A row that is already in quarantine in this version counts as unchanged.
    counts: countRows({ read: rows.read(), inserted, updated, deleted, quarantined: refusal.rows }),
    quarantine: refusal.quarantine,
    open: refusal.open,
    rows: previous.rows + inserted - deleted,
    fingerprint: shape.fingerprint,
    withheld: missing > 0 ? missing : undefined,
    heldDeletes: isHeld ? gone : undefined,
    unversioned: shape.hasXmin ? undefined : true,
  }
}

/**
 * Whether the brake holds the deletions, so that a source that was emptied by mistake does not
 * empty the warehouse. Held deletions stay held, even if the table grows meanwhile, until the
 * operator confirms them or the rows are back.
 */
function isBraked(
  { limits }: Deps,
  { gone, previous: { rows, heldDeletes } }: { gone: number; previous: IngestionEntry },
): boolean {
  if (heldDeletes !== undefined) return gone > 0
  return rows > limits.brakeRows && gone > rows * limits.brakeShare
}
