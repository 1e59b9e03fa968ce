import { type Deps, processedZone } from '../deps.ts'
import type { DuckDb } from '../io/duckdb.ts'
import { type Client, onlyRow } from '../io/postgres.ts'
import { identifier, identifiers } from '../io/sql.ts'
import type { CommitRecord } from '../lake/commit-record.ts'
import type { Column } from '../lake/lake-type.ts'
import {
  addDifferences,
  type Difference,
  findDifferences,
  NO_DIFFERENCE,
  withoutExtra,
} from '../lake/difference.ts'
import { readFileColumns, readVersions } from '../lake/published-rows.ts'
import { type LakeTable, openState } from '../lake/table-state.ts'
import { currentTable, historyColumns } from '../project/fact-names.ts'
import { generationOf } from '../project/generation.ts'
import type { Fact, Model } from '../project/model.ts'
import {
  type Checksum,
  type ChecksumRow,
  duckSum,
  hashedAs,
  isSameChecksum,
  parseChecksum,
  postgresChecksum,
  readChecksum,
  rowHash,
  ZERO_CHECKSUM,
} from './verify-checksum.ts'
import { askInTurn, beginAsking, copyRows, type SharedWarehouse } from './shared-warehouse.ts'
import { readColumnNames } from '../warehouse/columns.ts'
import type { LogCheck } from './verify-log.ts'
import {
  addVersions,
  chunkFiles,
  openNewest,
  type SummedVersions,
  sumVersions,
  valuesOf,
} from './version-checksums.ts'

/** The places that a comparison of history reads. */
export interface HistoryCheck {
  readonly db: DuckDb
  readonly warehouse: SharedWarehouse
  /** The newest processed record. */
  readonly record: CommitRecord
  /** The files of each star table by batch, from `verifyLog`. */
  readonly files: LogCheck['files']
  /** Number of batches whose versions are compared at a time. */
  readonly batchesAtOnce: number
}

/** The result of comparing a star table in the warehouse with the processed zone. */
export interface ComparedHistory {
  /** Rows in the processed zone: every version of a fact, every row of a dimension. */
  readonly rows: number
  readonly difference: Difference
  readonly by: 'checksum' | 'rows'
  /**
   * The rows that questions find now; missing if checksums do not prove which rows these are. For a
   * fact, the newest versions in the processed zone, which then equal the warehouse's newest
   * versions and its current table. For a dimension, all rows.
   */
  readonly current?: CurrentRows | undefined
}

/** The number and the hash of some rows, to compare them with other rows inside DuckDB. */
export interface CurrentRows {
  readonly rows: number
  /** The sum of `rowHash`. */
  readonly sum: bigint
  readonly hashedAs: string
}

/** A comparison that has sent its statements to the warehouse. Call it once, for the result. */
export type BegunComparison = () => Promise<ComparedHistory>

/**
 * Begins to compare every version of a fact in the warehouse with the processed zone (I7), and the
 * current table with the newest of these versions. Compares checksums, some batches at a time, and
 * rows only if the checksums differ. Read-only.
 *
 * Does not join the current table with the history: the join took the server two thirds as long as
 * the history's checksum, and temporary files. The checksum of the newest versions in the processed
 * zone adds a tenth to the checksum of all versions.
 */
export async function beginVersions(
  deps: Deps,
  { db, warehouse, record, files, batchesAtOnce }: HistoryCheck,
  model: Fact,
): Promise<BegunComparison> {
  const zone = processedZone(deps, generationOf(deps.project))
  const chunks = chunkFiles(files.get(model.table) ?? new Map(), batchesAtOnce)
  const { columns, select } = await readVersions(db, zone, {
    model,
    isMirror: deps.project.mirror !== undefined,
    entry: record.tables[model.table],
    files: [...chunks.values()].at(-1) ?? [],
  })
  const table: LakeTable = { name: model.table, key: [model.recordId], columns }
  if (chunks.size === 0) {
    return async () => {
      return { rows: 0, difference: await countExtra(warehouse, table), by: 'checksum' }
    }
  }
  const asked = beginAsking(warehouse, (client) =>
    readChunks(client, model, { columns, batchesAtOnce }),
  )
  const current = beginAsking(warehouse, (client) => readCurrent(client, model, columns))
  const open = (chunk: number) => select(chunks.get(chunk) ?? [])
  return async () => {
    await using newest = await openNewest(db, model, { chunks: [...chunks.keys()], open })
    const sum = async (chunk: number) =>
      await sumVersions(db, await open(chunk), { model, columns, newest: newest.name })
    const expected = new Map<number, SummedVersions>()
    for (const chunk of chunks.keys()) expected.set(chunk, await sum(chunk))
    const { all, latest } = addVersions([...expected.values()])
    const compared = { rows: Number(all.rows), difference: NO_DIFFERENCE }
    const found = await asked
    const unequal = [...new Set([...expected.keys(), ...found.keys()])]
      .filter((chunk) => !isSameChecksum(expected.get(chunk) ?? ZERO_CHECKSUM, found.get(chunk)))
      .toSorted((a, b) => a - b)
    if (unequal.length > 0) {
      const differences: Difference[] = []
      for (const chunk of unequal) {
        const range = { from: chunk * batchesAtOnce + 1, to: (chunk + 1) * batchesAtOnce }
        const where = `where ${identifier(historyColumns(model).batch)} between ${range.from} and ${range.to}`
        const rows = { table, expected: await open(chunk), where }
        differences.push(await compareOneByOne(db, warehouse, rows))
      }
      return { ...compared, difference: differences.reduce(addDifferences), by: 'rows' }
    }
    if (!isSameChecksum(latest, await current)) return { ...compared, by: 'checksum' }
    const { hash } = latest
    const hashed = hashedAs(valuesOf(model, columns))
    const rows = { rows: Number(latest.rows), sum: hash, hashedAs: hashed }
    return { ...compared, by: 'checksum', current: rows }
  }
}

/**
 * Begins to compare every row of a dimension in the warehouse with the processed zone, by checksum
 * and then by rows. A calendar may hold more days than the facts name. Read-only.
 */
export async function beginDimension(
  deps: Deps,
  { db, warehouse, record }: HistoryCheck,
  model: Exclude<Model, Fact>,
): Promise<BegunComparison> {
  const zone = processedZone(deps, generationOf(deps.project))
  const state = record.tables[model.table]?.state ?? []
  const columns = await readFileColumns(db, zone, state)
  const table: LakeTable = { name: model.table, key: model.key, columns }
  if (columns.length === 0) {
    return async () => {
      return { rows: 0, difference: await countExtra(warehouse, table), by: 'checksum' }
    }
  }
  const asked = beginAsking(warehouse, (client) =>
    readChecksum(client, columns, identifier(model.table)),
  )
  return async () => {
    await using published = await openState(db, zone, { table, state })
    const { hash, ...row } = await db.row<ChecksumRow & { hash: string }>(`
      select
          count(*)::varchar as rows,
          coalesce(sum(${duckSum(columns)}), 0)::varchar as sum,
          coalesce(sum(${rowHash(columns)}), 0)::varchar as hash
      from ${published.name}`)
    const expected = parseChecksum(row)
    const rows = Number(expected.rows)
    if (isSameChecksum(expected, await asked)) {
      const current = { rows, sum: BigInt(hash), hashedAs: hashedAs(columns) }
      return { rows, difference: NO_DIFFERENCE, by: 'checksum', current }
    }
    const difference = await compareOneByOne(db, warehouse, {
      table,
      expected: published.name,
      where: '',
    })
    const counted = model.kind === 'calendar' ? withoutExtra(difference) : difference
    return { rows, difference: counted, by: 'rows' }
  }
}

/** The checksums of a fact's versions in the warehouse, by chunk of `batchesAtOnce` batches. */
async function readChunks(
  client: Client,
  model: Fact,
  { columns, batchesAtOnce }: { columns: readonly Column[]; batchesAtOnce: number },
): Promise<Map<number, Checksum>> {
  const list = postgresChecksum(columns.map(({ name }) => name))
  const { rows } = await client.query<ChecksumRow & { chunk: string }>(
    `select (${identifier(historyColumns(model).batch)} - 1) / ${batchesAtOnce} as chunk, ${list} from ${identifier(model.table)} group by 1`,
  )
  return new Map(rows.map((row) => [Number(row.chunk), parseChecksum(row)]))
}

/**
 * The checksum of a fact's current table; undefined if the fact has columns that the processed zone
 * does not have. `countStale` then compares them with the history.
 */
async function readCurrent(
  client: Client,
  model: Fact,
  columns: readonly Column[],
): Promise<Checksum | undefined> {
  const names = await readColumnNames(client, model)
  if (!names.every((name) => columns.some((column) => column.name === name))) return undefined
  return await readChecksum(client, columns, identifier(currentTable(model)))
}

/** Copies rows from the warehouse and compares them one by one. */
async function compareOneByOne(
  db: DuckDb,
  warehouse: SharedWarehouse,
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
 * The difference for a table without rows in the processed zone: all rows in the warehouse are
 * extra.
 */
async function countExtra(warehouse: SharedWarehouse, { name }: LakeTable): Promise<Difference> {
  const found = await askInTurn(warehouse, (client) =>
    client.query<{ rows: string }>(`select count(*)::text as rows from ${identifier(name)}`),
  )
  return { ...NO_DIFFERENCE, extra: Number(onlyRow(found).rows) }
}
