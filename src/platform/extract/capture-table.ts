import type { Deps } from '../deps.ts'
import { ContractError } from '../errors.ts'
import { identifier, identifiers } from '../io/sql.ts'
import { checkNotTaken } from '../lake/batch-log.ts'
import type { PendingBatch } from '../lake/batch.ts'
import { incomingRelation, prepareChanges, prepareFile } from '../lake/change-file.ts'
import { extendState, prepareState } from '../lake/checkpoint.ts'
import type { FileRef, TableEntry } from '../lake/commit-record.ts'
import {
  addDeletes,
  checkKeys,
  compareKeys,
  compareRows,
  type Comparison,
} from '../lake/compare.ts'
import { convertRows } from '../lake/convert.ts'
import { readParquet } from '../lake/parquet.ts'
import { logRefused } from '../lake/quarantine/quarantine.ts'
import {
  dropGone,
  keyColumns,
  prepareRefusal,
  type Refusal,
  type Withheld,
  withhold,
} from '../lake/quarantine/withheld.ts'
import { collectRows, type ReadRows } from '../lake/read-rows.ts'
import { lakeTable } from '../lake/schema.ts'
import { type LakeTable, openState } from '../lake/table-state.ts'
import { openFiles } from '../lake/zone.ts'
import type { SourceTable } from '../project/source-contract.ts'
import { copyKeys, copyRecent, copyWhole, type TableCount } from '../source/copy.ts'
import type { SourceSnapshot } from '../source/snapshot.ts'
import type { TableShape } from '../source/tables.ts'

/** One table of the batch being prepared. */
export interface TableRead {
  readonly snapshot: SourceSnapshot
  readonly batch: PendingBatch
  readonly shape: TableShape
  readonly contract: SourceTable['columns']
  readonly previous: TableEntry
  readonly confirmDeletes: ReadonlySet<string>
}

/** A table never captured before: every row is an insert, and the change files are the base. */
export async function captureFirst(
  deps: Deps,
  read: Omit<TableRead, 'previous'>,
): Promise<TableEntry> {
  const { snapshot, batch, shape } = read
  const table = lakeTable({ ...shape, table: shape.name }, read.contract)
  const files: FileRef[] = []
  const refused: string[] = []
  let [seen, rows] = [0, 0]
  for await (const copied of copyWhole(snapshot, shape, {
    folder: batch.db.scratchDir,
    connections: deps.limits.connections,
  })) {
    const converted = await convertRows(batch, table, { copied, firstOrdinal: seen + 1 })
    const { path } = converted
    if (converted.rows > 0) {
      await checkNotTaken(batch.zone, batch.number)
      const index = files.length
      files.push(await prepareFile(batch, table, { path, rows: converted.rows, index }))
    }
    if (converted.refused !== undefined) refused.push(converted.refused.path)
    seen += copied.rows
    rows += converted.rows
    deps.log({ event: 'rows_read', batch: batch.number, table: shape.name, rows: seen })
  }
  checkShare(deps, table, { changed: seen, refused: seen - rows })
  if (!shape.keyIsUnique && rows > 0) {
    await checkKeys(batch.db, table, readParquet(await openFiles(batch.zone, files)))
  }
  const incoming = incomingRelation(table, [])
  const withheld = await withhold(batch, table, { open: [], refused, incoming })
  const refusal = await refuse(deps, batch, { table, open: [], refused, withheld })
  return {
    counts: {
      read: seen,
      accepted: rows,
      unchanged: 0,
      quarantined: seen - rows,
      inserted: rows,
      updated: 0,
      deleted: 0,
    },
    changes: files,
    quarantine: refusal.quarantine,
    open: refusal.open,
    state: extendState([], files),
    rows,
    fingerprint: shape.fingerprint,
    ...(seen > rows ? { withheld: seen - rows } : {}),
    ...(shape.hasXmin ? {} : { unversioned: true }),
  }
}

/**
 * The rows at or after the horizon, compared with what was captured; then the count proof: every
 * live key has been captured or lies in quarantine, so if the source holds as many rows, nothing
 * was deleted. If not, the keys are compared both ways. A key that is new and yet older than the
 * horizon (an attached partition) makes the whole table be compared.
 */
export async function captureSince(
  deps: Deps,
  read: TableRead & { readonly age: number; readonly count: TableCount },
): Promise<TableEntry> {
  const { snapshot, batch, shape, previous, age, count } = read
  const { db } = batch
  const table = lakeTable({ ...shape, table: shape.name }, read.contract)
  const names = namesFor(table)
  const rows = collectRows(table)
  if (count.recent > 0) {
    const copied = await copyRecent(snapshot, shape, { age, folder: db.scratchDir })
    rows.add(await convertRows(batch, table, { copied, firstOrdinal: 1 }))
  }
  const { found, withheld } = await compare(deps, read, { table, rows })
  const missing = (await withheld?.countMissing(names)) ?? 0

  if (count.rows === previous.rows + found.inserted + missing) {
    return finish(deps, read, { table, rows, found, withheld, keys: undefined, gone: 0 })
  }
  const keyTable: LakeTable = { ...table, columns: keyColumns(table) }
  const copied = await copyKeys(
    snapshot,
    { ...shape, key: keyTable.columns.map(({ name }) => name) },
    { folder: db.scratchDir },
  )
  const { path: keyPath } = await convertRows(batch, keyTable, { copied, firstOrdinal: 1 })
  const keys = readParquet([keyPath])
  if (withheld !== undefined) await dropGone(db, table, { withheld, keys })
  const { gone, unknown } = await compareKeys(db, table, { keys, ...names })
  const stillMissing = (await withheld?.countMissing(names)) ?? 0
  rows.paths.push(keyPath)
  if (unknown > stillMissing) {
    await rows.remove()
    deps.log({
      event: 'table_compared_whole',
      level: 'warn',
      table: shape.name,
      why: 'rows older than the horizon appeared',
    })
    return captureWhole(deps, { ...read, force: false })
  }
  // The proof again, now that the deletions are known: only a key that occurs twice can break it.
  if (count.rows !== previous.rows + found.inserted - gone + stillMissing) {
    await checkKeys(db, table, keys)
  }
  return finish(deps, read, { table, rows, found, withheld, keys, gone })
}

/**
 * Every row, compared with what was captured. After `alter table` that is read in the columns of
 * today: a new column that holds values is a version of every row that has one, a new type that
 * holds the same values is none, and a column dropped is none.
 */
export async function captureWhole(
  deps: Deps,
  read: TableRead & { readonly force: boolean },
): Promise<TableEntry> {
  const { snapshot, batch, shape } = read
  const { db } = batch
  const table = lakeTable({ ...shape, table: shape.name }, read.contract)
  const names = namesFor(table)
  const rows = collectRows(table)
  const options = { folder: db.scratchDir, connections: deps.limits.connections }
  for await (const copied of copyWhole(snapshot, shape, options)) {
    rows.add(await convertRows(batch, table, { copied, firstOrdinal: rows.read() + 1 }))
    deps.log({ event: 'rows_read', batch: batch.number, table: shape.name, rows: rows.read() })
  }
  const { found, withheld } = await compare(deps, read, { table, rows })
  // A row that was refused is there all the same.
  const keys = `(select ${identifiers(table.key)} from ${rows.accepted()}${
    withheld === undefined
      ? ''
      : ` union all select ${identifiers(table.key)} from ${identifier(withheld.keys)}`
  })`
  if (withheld !== undefined) {
    // What was neither accepted nor refused by a read of everything is gone.
    const seen = `(select ${identifiers(table.key)} from ${rows.refusedRows()})`
    await dropGone(db, table, { withheld, keys: seen })
  }
  const { gone } = await compareKeys(db, table, { keys, ...names })
  return finish(deps, read, { table, rows, found, withheld, keys, gone, force: read.force })
}

function namesFor(table: LakeTable): { state: string; changes: string } {
  return { state: `state of ${table.name}`, changes: `changes of ${table.name}` }
}

/** Compares what was read with the table as it stood, and with what is in quarantine. */
async function compare(
  deps: Deps,
  { batch, shape, previous }: TableRead,
  { table, rows }: { table: LakeTable; rows: ReadRows },
): Promise<{ found: Comparison; withheld: Withheld | undefined }> {
  const { db, zone } = batch
  const names = namesFor(table)
  const incoming = rows.accepted()
  if (!shape.keyIsUnique) await checkKeys(db, table, incoming)
  await openState(db, zone, { relation: names.state, table, state: previous.state })
  const found = await compareRows(db, table, { incoming, ...names })
  const { open } = previous
  const withheld = await withhold(batch, table, { open, refused: rows.refused, incoming })
  const refused = withheld?.fresh ?? 0
  checkShare(deps, table, { changed: found.inserted + found.updated + refused, refused })
  return { found, withheld }
}

/** Too many rows at fault are no matter of single rows: throws, and the table is held instead. */
function checkShare(
  { limits }: Deps,
  table: LakeTable,
  { changed, refused }: { changed: number; refused: number },
): void {
  if (changed <= limits.quarantineRows || refused <= changed * limits.quarantineShare) return
  throw new ContractError(
    `Table ${table.name}: ${refused} of ${changed} rows hold values that have no exact form`,
    { code: 'TOO_MANY_REJECTED', hint: 'correct the values in the source' },
  )
}

async function refuse(
  deps: Deps,
  batch: PendingBatch,
  {
    table,
    ...rows
  }: {
    table: LakeTable
    open: readonly FileRef[]
    refused: readonly string[]
    withheld: Withheld | undefined
  },
): Promise<Refusal> {
  const refusal = await prepareRefusal(batch, table, rows)
  logRefused(deps.log, { batch: batch.number, table: table.name, faults: refusal.faults })
  return refusal
}

interface Finding {
  readonly table: LakeTable
  readonly rows: ReadRows
  readonly found: Comparison
  readonly withheld: Withheld | undefined
  /** Relation of the source's keys, where they were read. */
  readonly keys: string | undefined
  readonly gone: number
  readonly force?: boolean
}

/** Adds the deletes unless the brake holds them, writes the change files and the state. */
async function finish(
  deps: Deps,
  { batch, shape, previous, confirmDeletes }: TableRead,
  { table, rows, found, withheld, keys, gone, force = false }: Finding,
): Promise<TableEntry> {
  const names = namesFor(table)
  const missing = (await withheld?.countMissing(names)) ?? 0
  const isHeld = isBraked(deps, { gone, previous }) && !confirmDeletes.has(table.name)
  const deleted = isHeld ? 0 : gone
  if (deleted > 0 && keys !== undefined) await addDeletes(batch.db, table, { keys, ...names })
  const changed = found.inserted + found.updated + deleted
  if (changed > 0 || force) await checkNotTaken(batch.zone, batch.number)
  const changes = await prepareChanges(batch, table, { changes: names.changes, rows: changed })
  const state = extendState(previous.state, changes)
  const next =
    changes.length > 0 || force ? await prepareState(batch, table, { state, force }) : state
  const { open } = previous
  const refusal = await refuse(deps, batch, { table, open, refused: rows.refused, withheld })
  await batch.db.run(`drop table ${identifier(names.changes)}`)
  await rows.remove()
  const { inserted, updated } = found
  const read = rows.read()
  const accepted = inserted + updated
  const quarantined = refusal.rows
  return {
    counts: {
      read,
      accepted,
      // A row that lies in quarantine as it is now is unchanged too.
      unchanged: read - accepted - quarantined,
      quarantined,
      inserted,
      updated,
      deleted,
    },
    changes,
    quarantine: refusal.quarantine,
    open: refusal.open,
    state: next,
    rows: previous.rows + inserted - deleted,
    fingerprint: shape.fingerprint,
    ...(missing > 0 ? { withheld: missing } : {}),
    ...(isHeld ? { heldDeletes: gone } : {}),
    ...(shape.hasXmin ? {} : { unversioned: true }),
  }
}

/**
 * A source emptied by mistake must not empty the warehouse: too many deletions at once wait, and
 * go on waiting however the table grows meanwhile, until they are confirmed or the rows are back.
 */
function isBraked(
  { limits }: Deps,
  { gone, previous: { rows, heldDeletes } }: { gone: number; previous: TableEntry },
): boolean {
  if (heldDeletes !== undefined) return gone > 0
  return rows > limits.brakeRows && gone > rows * limits.brakeShare
}
