import { ContractError } from '../errors.ts'
import type { DuckDb } from '../io/duckdb.ts'
import { identifier, identifiers } from '../io/sql.ts'
import { isDistinct } from './lake-type.ts'
import type { LakeTable } from './table-state.ts'

/** What a comparison found, in rows, and those that differ. */
export interface Comparison {
  readonly read: number
  readonly inserted: number
  readonly updated: number
  /** The rows that are new or differ, with `_operation`; the caller disposes of them. */
  readonly changes: Relation
}

/**
 * Compares incoming rows with the table as it stood, by key, and makes the temporary table
 * `changes` of those that are new (`insert`) or differ in any column (`update`). What was seen
 * already drops out here, however it came to be read again.
 */
export async function compareRows(
  db: DuckDb,
  table: LakeTable,
  { incoming, state, changes }: { incoming: string; state: string; changes: string },
): Promise<Comparison> {
  const columns = identifiers(table.columns.map((column) => column.name))
  const first = identifier(table.key[0] ?? '')
  const on = table.key.map((name) => `i.${identifier(name)} = s.${identifier(name)}`).join(' and ')
  const differs = table.columns
    .filter((column) => !table.key.includes(column.name))
    .map((column) => isDistinct(column, 'i', 's'))
    .join(' or ')
  await db.run(`
    create or replace temp table ${identifier(changes)} as
    select ${columns
      .split(', ')
      .map((name) => `i.${name}`)
      .join(', ')},
        case when s.${first} is null then 'insert' else 'update' end as _operation
    from ${incoming} i left join ${identifier(state)} s on ${on}
    where s.${first} is null or ${differs === '' ? 'false' : differs}`)
  const [found] = await db.rows<{ read: bigint; inserted: bigint; updated: bigint }>(`
    select
        (select count(*) from ${incoming}) as read,
        count(*) filter (where _operation = 'insert') as inserted,
        count(*) filter (where _operation = 'update') as updated
    from ${identifier(changes)}`)
  const [read, inserted, updated] = [found?.read, found?.inserted, found?.updated].map(Number)
  if (read === undefined || inserted === undefined || updated === undefined) {
    throw new TypeError('a count returned no row')
  }
  return { read, inserted, updated, unchanged: read - inserted - updated }
}

/**
 * Compares the keys the source holds with those of the state. `gone` are held by the state only,
 * `unknown` by the source only and not among the changes.
 */
export async function compareKeys(
  db: DuckDb,
  table: LakeTable,
  { keys, state, changes }: { keys: string; state: string; changes: string },
): Promise<{ gone: number; unknown: number }> {
  const using = `using (${identifiers(table.key)})`
  const [found] = await db.rows<{ gone: bigint; unknown: bigint }>(`
    select
        (select count(*) from ${identifier(state)} anti join ${keys} ${using}) as gone,
        (
            select count(*) from ${keys}
            anti join ${identifier(state)} ${using}
            anti join ${identifier(changes)} ${using}
        ) as unknown`)
  return { gone: Number(found?.gone), unknown: Number(found?.unknown) }
}

/** Adds a `delete` with the last known values for every key of the state that `keys` lacks. */
export async function addDeletes(
  db: DuckDb,
  table: LakeTable,
  { keys, state, changes }: { keys: string; state: string; changes: string },
): Promise<void> {
  await db.run(`
    insert into ${identifier(changes)}
    select ${identifiers(table.columns.map((column) => column.name))}, 'delete'
    from ${identifier(state)}
    anti join ${keys} using (${identifiers(table.key)})`)
}

/** Throws `ContractError` when a relation holds a key twice or not at all: it could not be compared. */
export async function checkKeys(db: DuckDb, table: LakeTable, relation: string): Promise<void> {
  const missing = table.key.map((name) => `${identifier(name)} is null`).join(' or ')
  const [found] = await db.rows<{ nulls: bigint; twice: bigint }>(`
    select
        (select count(*) from ${relation} where ${missing}) as nulls,
        (
            select count(*) from (
                select 1 from ${relation} group by ${identifiers(table.key)} having count(*) > 1
            )
        ) as twice`)
  if (found !== undefined && found.nulls === 0n && found.twice === 0n) return
  throw new ContractError(
    `Table ${table.name}: the key (${table.key.join(', ')}) is not unique: ` +
      `${found?.twice} keys occur twice, ${found?.nulls} rows have none`,
    {
      code: 'KEY_NOT_UNIQUE',
      hint: 'declare a key that is unique and not null, or fix the source',
    },
  )
}
