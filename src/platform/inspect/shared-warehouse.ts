import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import type { DuckDb } from '../io/duckdb.ts'
import type { InTurn } from '../io/in-turn.ts'
import { copyToFile } from '../io/postgres-copy.ts'
import { withPostgresErrors } from '../io/postgres-errors.ts'
import type { Client } from '../io/postgres.ts'
import { duckLiteral, identifiers } from '../io/sql.ts'
import { convertRows } from '../lake/convert.ts'
import type { LakeTable } from '../lake/table-state.ts'
import type { WarehouseClient } from '../warehouse/warehouse.ts'

/** A connection to the warehouse that several comparisons share and use one after the other. */
export interface SharedWarehouse extends WarehouseClient {
  readonly inTurn: InTurn
}

/** Like `askInTurn`, for an answer that is awaited later. An error waits until then. */
export function beginAsking<T>(
  warehouse: SharedWarehouse,
  work: (client: Client) => Promise<T>,
): Promise<T> {
  const asked = askInTurn(warehouse, work)
  asked.catch(() => {}) // reported when it is awaited
  return asked
}

/** Asks the warehouse when its connection is free. Throws what `withPostgresErrors` throws. */
export async function askInTurn<T>(
  { client, warehouse, inTurn }: SharedWarehouse,
  work: (client: Client) => Promise<T>,
): Promise<T> {
  return await inTurn(() => withPostgresErrors(warehouse, () => work(client)))
}

/**
 * Copies a table's columns from the warehouse into the scratch folder. `from` may follow `from` in
 * SQL. Returns SQL of the rows in DuckDB.
 */
export async function copyRows(
  db: DuckDb,
  warehouse: SharedWarehouse,
  { table, from }: { table: LakeTable; from: string },
): Promise<string> {
  const names = identifiers(table.columns.map(({ name }) => name))
  const path = join(db.scratchDir, `${randomUUID()}.copied`)
  const sent = await askInTurn(warehouse, (client) =>
    copyToFile(client, `select ${names} from ${from}`, path),
  )
  const stamp = { db, number: 1, takenAt: new Date(0).toISOString() }
  const copied = { ...sent, path }
  const { path: parquet } = await convertRows(stamp, table, { copied, firstOrdinal: 1 })
  return `(select ${names} from ${duckLiteral(parquet)})`
}
