import { readFileSync } from 'node:fs'
import { codeOf, ContractError } from '../errors.ts'
import { onlyRow } from '../io/postgres.ts'
import { identifier, identifiers, qualified } from '../io/sql.ts'
import { SQL_STATE } from '../io/sql-states.ts'
import { type Model, revisionsName, soughtTable } from '../project/model.ts'
import type { Project } from '../project/project.ts'
import { presentModels } from './derive-tables.ts'
import { sumsTablesOf } from './sums.ts'
import { applyMigrations, checkVersion, isWhole } from './migrate.ts'
import { inTransaction, prepareLock, type WarehouseClient } from './warehouse.ts'

const FACTS = readFileSync(new URL('./server-facts.sql', import.meta.url), 'utf8')

const REHEARSE_LEDGER = readFileSync(new URL('./rehearse-ledger.sql', import.meta.url), 'utf8')

/**
 * Rehearses a run's work in the warehouse and rolls all of it back. It creates the schema and the
 * lock if they are missing, applies new migrations, takes the lock, and runs every kind of write on
 * every table, the ledger and the confirmation without touching a row, in the same kind of
 * transaction as a load. Throws what a run would throw. `RUN_LOCKED` is not a problem of the
 * warehouse: another run is at work.
 */
export async function rehearse(
  warehouse: WarehouseClient,
  project: Project,
  { waitMs }: { waitMs: number },
): Promise<void> {
  const { client } = warehouse
  const end = new Error('rolled back')
  try {
    await inTransaction(warehouse, async () => {
      await checkVersion(client)
      await prepareLock(warehouse, waitMs)
      if (!(await isWhole(warehouse, project))) await applyMigrations(warehouse, project)
      for (const model of await presentModels(client, project)) {
        await writeNothing(warehouse, model)
      }
      await client.query(REHEARSE_LEDGER)
      throw end
    })
  } catch (error) {
    if (error !== end) throw error
  }
}

/**
 * Runs every kind of statement that a load runs on a model's tables, each without touching a row.
 * Throws `ContractError` (`WAREHOUSE_CHANGED`) if a table has lost the key by which a load finds
 * its rows.
 */
async function writeNothing(
  { client, warehouse: { schema } }: WarehouseClient,
  model: Model,
): Promise<void> {
  const isFact = model.kind === 'fact'
  const sums = isFact ? sumsTablesOf(model).map(({ name, by }) => ({ name, key: by })) : []
  if (isFact && model.sums !== undefined) {
    sums.push({ name: revisionsName(model), key: [model.recordId] })
  }
  const own = isFact ? [model.table, soughtTable(model)] : [model.table]
  const tables = [...own.map((name) => ({ name, key: model.key })), ...sums]
  for (const { name, key } of tables) {
    const table = identifier(name)
    const column = identifier(key[0] ?? '')
    const isUpserted = !isFact || name !== model.table
    const conflict = isUpserted ? `on conflict (${identifiers(key)}) do nothing` : ''
    try {
      await client.query(`
        insert into ${table} select * from ${table} where false ${conflict};
        update ${table} set ${column} = ${column} where false;
        delete from ${table} where false`)
    } catch (cause) {
      if (codeOf(cause) !== SQL_STATE.invalidColumnReference) throw cause
      throw new ContractError(`The warehouse table ${name} has lost its key`, {
        code: 'WAREHOUSE_CHANGED',
        hint: `alter table ${qualified(schema, name)} add primary key (${identifiers(key)});`,
        cause,
      })
    }
  }
}

/** Properties of the warehouse's server and database that decide whether they are suitable. */
export interface WarehouseFacts {
  readonly version: string
  readonly encoding: string
  readonly user: string
  readonly database: string
  readonly isStandby: boolean
  /** How long a session of this user may be idle between transactions; 0 means no limit. */
  readonly idleLimitMs: number
}

/** Reads the properties of the server and the database of a connection. Read-only. */
export async function readFacts({ client }: WarehouseClient): Promise<WarehouseFacts> {
  return onlyRow(await client.query<WarehouseFacts>(FACTS))
}
