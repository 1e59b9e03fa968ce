import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { type Deps, processedZone } from '../deps.ts'
import type { DuckDb } from '../io/duckdb.ts'
import { copyToFile } from '../io/postgres-copy.ts'
import { withPostgresErrors } from '../io/postgres-errors.ts'
import { onlyRow } from '../io/postgres.ts'
import { duckLiteral, identifier, identifiers } from '../io/sql.ts'
import { incomingRelation } from '../lake/change-file.ts'
import type { CommitRecord, FileRef } from '../lake/commit-record.ts'
import { convertRows } from '../lake/convert.ts'
import { type Difference, findDifferences } from '../lake/difference.ts'
import { type LakeTable, openState } from '../lake/table-state.ts'
import { openFiles, type Zone } from '../lake/zone.ts'
import { generationOf } from '../project/generation.ts'
import type { Fact, Model } from '../project/model.ts'
import { CHANGE_COLUMNS } from '../project/source-contract.ts'
import { describeFiles } from '../lake/describe-select.ts'
import type { WarehouseClient } from '../warehouse/warehouse.ts'
import {
  type Checksum,
  checksumOf,
  type ChecksumRow,
  isSameChecksum,
  parseChecksum,
  postgresChecksum,
} from './verify-checksum.ts'
import type { LogCheck } from './verify-log.ts'

/** The places that a comparison of history reads. */
export interface HistoryCheck {
  readonly db: DuckDb
  readonly warehouse: WarehouseClient
  /** The newest processed record. */
  readonly record: CommitRecord
  /** The files of each star table by batch, from `verifyLog`. */
  readonly files: LogCheck['files']
}

/** The result of comparing a star table in the warehouse with the processed zone. */
export interface ComparedHistory {
  /** Rows in the processed zone: every version of a fact, every row of a dimension. */
  readonly rows: number
  readonly difference: Difference
  readonly by: 'checksum' | 'rows'
}

/** Number of batches that are compared at a time. */
const CHUNK = 500

/**
 * Compares every version of a fact in the warehouse with the processed zone (I7). It compares
 * checksums of `CHUNK` batches at a time, and rows only if those differ. Read-only.
 */
export async function compareVersions(
  deps: Deps,
  { db, warehouse, files }: HistoryCheck,
  model: Fact,
): Promise<ComparedHistory> {
  const zone = processedZone(deps, generationOf(deps.project))
  const batches = files.get(model.table) ?? new Map<number, readonly FileRef[]>()
  const chunks = new Map<number, FileRef[]>()
  for (const [batch, own] of batches) {
    const chunk = Math.floor((batch - 1) / CHUNK)
    chunks.set(chunk, [...(chunks.get(chunk) ?? []), ...own])
  }
  const columns = await readFileColumns(db, zone, [...chunks.values()].at(-1) ?? [])
  const table: LakeTable = { name: model.table, key: [model.recordId], columns }
  if (columns.length === 0) {
    return { rows: 0, difference: await countExtra(warehouse, table), by: 'checksum' }
  }
  const found = await checksumChunks(warehouse, model, columns)
  let rows = 0
  let difference = NO_DIFFERENCE
  let by: ComparedHistory['by'] = 'checksum'
  for (const chunk of new Set([...chunks.keys(), ...found.keys()].toSorted((a, b) => a - b))) {
    const paths = await openFiles(zone, chunks.get(chunk) ?? [])
    const incoming = incomingRelation(table, paths)
    const expected = await checksumOf(db, columns, incoming)
    rows += Number(expected.rows)
    if (isSameChecksum(expected, found.get(chunk))) continue
    by = 'rows'
    const range = { from: chunk * CHUNK + 1, to: (chunk + 1) * CHUNK }
    const where = `where batch_id between ${range.from} and ${range.to}`
    const own = await compareOneByOne(db, warehouse, {
      table,
      expected: incoming,
      where,
    })
    difference = addDifferences(difference, own)
  }
  return { rows, difference, by }
}

/**
 * Compares every row of a dimension in the warehouse with the processed zone, by checksum and then
 * by rows. A calendar may hold more days than the facts name. Read-only.
 */
export async function compareDimension(
  deps: Deps,
  { db, warehouse, record }: HistoryCheck,
  model: Exclude<Model, Fact>,
): Promise<ComparedHistory> {
  const zone = processedZone(deps, generationOf(deps.project))
  const state = record.tables[model.table]?.state ?? []
  const columns = await readFileColumns(db, zone, state)
  const table: LakeTable = { name: model.table, key: model.key, columns }
  if (columns.length === 0) {
    return { rows: 0, difference: await countExtra(warehouse, table), by: 'checksum' }
  }
  await using published = await openState(db, zone, { table, state })
  const expected = await checksumOf(db, columns, published.name)
  const names = columns.map(({ name }) => name)
  const found = await withPostgresErrors(warehouse.warehouse, () =>
    warehouse.client.query<ChecksumRow>(
      `select ${postgresChecksum(names)} from ${identifier(model.table)}`,
    ),
  )
  const rows = Number(expected.rows)
  if (isSameChecksum(expected, parseChecksum(onlyRow(found)))) {
    return { rows, difference: NO_DIFFERENCE, by: 'checksum' }
  }
  const difference = await compareOneByOne(db, warehouse, {
    table,
    expected: published.name,
    where: '',
  })
  const counted = model.kind === 'calendar' ? withoutExtra(difference) : difference
  return { rows, difference: counted, by: 'rows' }
}

/** The difference between two equal tables. */
export const NO_DIFFERENCE: Difference = { missing: 0, extra: 0, different: 0, keys: [] }

/** A difference without its extra rows. */
export function withoutExtra(difference: Difference): Difference {
  const keys = difference.keys.filter(({ kind }) => kind !== 'extra')
  return { ...difference, extra: 0, keys }
}

/** Adds up two differences, with the first 20 keys. */
function addDifferences(one: Difference, other: Difference): Difference {
  return {
    missing: one.missing + other.missing,
    extra: one.extra + other.extra,
    different: one.different + other.different,
    keys: [...one.keys, ...other.keys].slice(0, 20),
  }
}

/** The columns of the newest file, without the change columns; none if there are no files. */
async function readFileColumns(
  db: DuckDb,
  zone: Zone,
  files: readonly FileRef[],
): Promise<LakeTable['columns']> {
  const paths = await openFiles(zone, files.slice(-1))
  if (paths.length === 0) return []
  const columns = await describeFiles(db, paths)
  return columns.filter(({ name }) => !CHANGE_COLUMNS.has(name))
}

/** The checksums of a fact's versions in the warehouse, by chunk of batches. */
async function checksumChunks(
  { client, warehouse }: WarehouseClient,
  model: Fact,
  columns: LakeTable['columns'],
): Promise<Map<number, Checksum>> {
  const names = columns.map(({ name }) => name)
  const { rows } = await withPostgresErrors(warehouse, () =>
    client.query<ChecksumRow & { chunk: string }>(
      `select ((batch_id - 1) / ${CHUNK})::text as chunk, ${postgresChecksum(names)}
       from ${identifier(model.table)} group by 1`,
    ),
  )
  return new Map(rows.map((row) => [Number(row.chunk), parseChecksum(row)]))
}

/** Copies rows from the warehouse and compares them one by one. */
async function compareOneByOne(
  db: DuckDb,
  warehouse: WarehouseClient,
  { table, expected, where }: { table: LakeTable; expected: string; where: string },
): Promise<Difference> {
  const names = identifiers(table.columns.map(({ name }) => name))
  const from = `${identifier(table.name)} ${where}`
  return await findDifferences(db, table, {
    expected: `(select ${names} from ${expected})`,
    found: await copyRows(db, warehouse, { table, from }),
  })
}

/**
 * Copies a table's columns from the warehouse into the scratch folder. `from` is the text of the
 * from clause. Returns SQL of the rows in DuckDB.
 */
export async function copyRows(
  db: DuckDb,
  { client, warehouse }: WarehouseClient,
  { table, from }: { table: LakeTable; from: string },
): Promise<string> {
  const names = identifiers(table.columns.map(({ name }) => name))
  const path = join(db.scratchDir, `${randomUUID()}.copied`)
  const sent = await withPostgresErrors(warehouse, () =>
    copyToFile(client, `select ${names} from ${from}`, path),
  )
  const stamp = { db, number: 1, takenAt: new Date(0).toISOString() }
  const copied = { ...sent, path }
  const { path: parquet } = await convertRows(stamp, table, { copied, firstOrdinal: 1 })
  return `(select ${names} from ${duckLiteral(parquet)})`
}

/**
 * The difference for a table without rows in the processed zone: all rows in the warehouse are
 * extra.
 */
async function countExtra(
  { client, warehouse }: WarehouseClient,
  { name }: LakeTable,
): Promise<Difference> {
  const found = await withPostgresErrors(warehouse, () =>
    client.query<{ rows: string }>(`select count(*)::text as rows from ${identifier(name)}`),
  )
  return { ...NO_DIFFERENCE, extra: Number(onlyRow(found).rows) }
}
