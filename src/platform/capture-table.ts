import { rm } from 'node:fs/promises'
import type { Deps } from './deps.ts'
import {
  addDeletes,
  checkKeys,
  compareKeys,
  compareRows,
  type Comparison,
  convertRows,
  incomingRelation,
  type PendingBatch,
  prepareChanges,
  prepareFile,
} from './lake/capture.ts'
import { prepareState } from './lake/checkpoint.ts'
import type { FileRef, TableEntry } from './lake/commit-record.ts'
import { lakeTable } from './lake/schema.ts'
import { type LakeTable, openState, readParquet } from './lake/table-state.ts'
import { openFiles } from './lake/zone.ts'
import { copyKeys, copyRecent, copyWhole, type TableCount } from './source/copy.ts'
import type { SourceSnapshot } from './source/snapshot.ts'
import type { TableShape } from './source/tables.ts'
import { identifier } from './sql.ts'

/** One table of the batch being prepared. */
export interface TableRead {
  readonly snapshot: SourceSnapshot
  readonly batch: PendingBatch
  readonly shape: TableShape
  readonly previous: TableEntry
  readonly confirmDeletes: ReadonlySet<string>
}

/** A table never captured before: every row is an insert, and the change files are the base. */
export async function captureFirst(
  deps: Deps,
  { snapshot, batch, shape }: Omit<TableRead, 'previous'>,
): Promise<TableEntry> {
  const table = lakeTable({ ...shape, table: shape.name })
  const files: FileRef[] = []
  let rows = 0
  const folder = batch.db.scratchDir
  for await (const copied of copyWhole(snapshot, shape, {
    folder,
    connections: deps.limits.connections,
  })) {
    const path = await convertRows(batch, table, { copied, firstOrdinal: rows + 1 })
    if (copied.rows > 0) {
      files.push(await prepareFile(batch, table, { path, rows: copied.rows, index: files.length }))
    }
    rows += copied.rows
    deps.log({ event: 'rows_read', batch: batch.number, table: shape.name, rows })
  }
  if (!shape.keyIsUnique && rows > 0) {
    await checkKeys(batch.db, table, readParquet(await openFiles(batch.zone, files)))
  }
  return {
    counts: {
      read: rows,
      accepted: rows,
      unchanged: 0,
      quarantined: 0,
      inserted: rows,
      updated: 0,
      deleted: 0,
    },
    changes: files,
    quarantine: [],
    state: files.map((file) => ({ ...file, role: 'base' })),
    rows,
    fingerprint: shape.fingerprint,
    ...(shape.hasXmin ? {} : { unversioned: true }),
  }
}

/**
 * The rows at or after the horizon, compared with what was captured; then the count proof: every
 * live key has been captured, so if the source holds as many rows as the lake, nothing was deleted.
 * If not, the keys are compared both ways. A key that is new and yet older than the horizon (an
 * attached partition) makes the whole table be compared.
 */
export async function captureSince(
  deps: Deps,
  read: TableRead & { readonly age: number; readonly count: TableCount },
): Promise<TableEntry> {
  const { snapshot, batch, shape, previous, age, count } = read
  const { db } = batch
  const table = lakeTable({ ...shape, table: shape.name })
  const names = namesFor(table)
  const paths: string[] = []
  if (count.recent > 0) {
    const copied = await copyRecent(snapshot, shape, { age, folder: db.scratchDir })
    paths.push(await convertRows(batch, table, { copied, firstOrdinal: 1 }))
  }
  const incoming = incomingRelation(table, paths)
  if (!shape.keyIsUnique) await checkKeys(db, table, incoming)
  await openState(db, batch.zone, { relation: names.state, table, state: previous.state })
  const found = await compareRows(db, table, { incoming, ...names })

  if (count.rows === previous.rows + found.inserted) {
    return finish(deps, read, { table, found, paths, keys: undefined, gone: 0 })
  }
  const keyTable: LakeTable = {
    ...table,
    columns: table.columns.filter((column) => table.key.includes(column.name)),
  }
  const copied = await copyKeys(
    snapshot,
    { ...shape, key: keyTable.columns.map(({ name }) => name) },
    {
      folder: db.scratchDir,
    },
  )
  const keyPath = await convertRows(batch, keyTable, { copied, firstOrdinal: 1 })
  const keys = readParquet([keyPath])
  const { gone, unknown } = await compareKeys(db, table, { keys, ...names })
  if (unknown > 0) {
    for (const path of [...paths, keyPath]) await rm(path)
    deps.log({
      event: 'table_compared_whole',
      level: 'warn',
      table: shape.name,
      why: 'rows older than the horizon appeared',
    })
    return captureWhole(deps, { ...read, force: false })
  }
  // The proof again, now that the deletions are known: only a key that occurs twice can break it.
  if (count.rows !== previous.rows + found.inserted - gone) await checkKeys(db, table, keys)
  return finish(deps, read, { table, found, paths: [...paths, keyPath], keys, gone })
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
  const { snapshot, batch, shape, previous } = read
  const { db } = batch
  const table = lakeTable({ ...shape, table: shape.name })
  const names = namesFor(table)
  const paths: string[] = []
  let rows = 0
  const options = { folder: db.scratchDir, connections: deps.limits.connections }
  for await (const copied of copyWhole(snapshot, shape, options)) {
    paths.push(await convertRows(batch, table, { copied, firstOrdinal: rows + 1 }))
    rows += copied.rows
    deps.log({ event: 'rows_read', batch: batch.number, table: shape.name, rows })
  }
  const incoming = incomingRelation(table, paths)
  if (!shape.keyIsUnique) await checkKeys(db, table, incoming)
  await openState(db, batch.zone, { relation: names.state, table, state: previous.state })
  const found = await compareRows(db, table, { incoming, ...names })
  const { gone } = await compareKeys(db, table, { keys: incoming, ...names })
  return finish(deps, read, { table, found, paths, keys: incoming, gone, force: read.force })
}

function namesFor(table: LakeTable): { state: string; changes: string } {
  return { state: `state of ${table.name}`, changes: `changes of ${table.name}` }
}

interface Finding {
  readonly table: LakeTable
  readonly found: Comparison
  /** Local files to remove. */
  readonly paths: readonly string[]
  /** Relation of the source's keys, where they were read. */
  readonly keys: string | undefined
  readonly gone: number
  readonly force?: boolean
}

/** Adds the deletes unless the brake holds them, writes the change files and the state. */
async function finish(
  deps: Deps,
  { batch, shape, previous, confirmDeletes }: TableRead,
  { table, found, paths, keys, gone, force = false }: Finding,
): Promise<TableEntry> {
  const names = namesFor(table)
  const isHeld = isBraked(deps, { gone, previous }) && !confirmDeletes.has(table.name)
  const deleted = isHeld ? 0 : gone
  if (deleted > 0 && keys !== undefined) await addDeletes(batch.db, table, { keys, ...names })
  const changed = found.inserted + found.updated + deleted
  const changes = await prepareChanges(batch, table, { changes: names.changes, rows: changed })
  // The first files of a table hold every row, and so are its base.
  const role = previous.state.length === 0 ? 'base' : 'change'
  const state = [...previous.state, ...changes.map((file) => ({ ...file, role }) as const)]
  const next =
    changes.length > 0 || force ? await prepareState(batch, table, { state, force }) : state
  await batch.db.run(`drop table ${identifier(names.changes)}`)
  for (const path of paths) await rm(path)
  return {
    counts: { ...found, accepted: found.inserted + found.updated, quarantined: 0, deleted },
    changes,
    quarantine: [],
    state: next,
    rows: previous.rows + found.inserted - deleted,
    fingerprint: shape.fingerprint,
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
