import { ContractError } from '../errors.ts'
import { type DuckDb, keepIf, together } from '../io/duckdb.ts'
import { identifier, identifiers } from '../io/sql.ts'
import { isDistinct } from './lake-type.ts'
import type { LakeTable } from './table-state.ts'

/** What a comparison found, in rows. Its `changes` are dropped when it is disposed of. */
export interface Comparison extends AsyncDisposable {
  readonly read: number
  readonly inserted: number
  readonly updated: number
  /** Relation of the rows that are new or differ, with `_operation`. */
  readonly changes: string
}

/**
 * Compares incoming rows with the table as it stood, by key. Its changes are the rows that are new
 * (`insert`) or differ in any column (`update`). What was seen already drops out here, however it
 * came to be read again.
 */
export async function compareRows(
  db: DuckDb,
  table: LakeTable,
  { incoming, state }: { incoming: string; state: string },
): Promise<Comparison> {
  return await keepIf(
    await db.table(selectChanged(table, { incoming, state })),
    async (changes) => {
      const found = await db.row<Record<'read' | 'inserted' | 'updated', bigint>>(`
      select
          (select count(*) from ${incoming}) as read,
          count(*) filter (where _operation = 'insert') as inserted,
          count(*) filter (where _operation = 'update') as updated
      from ${changes.name}`)
      return {
        read: Number(found.read),
        inserted: Number(found.inserted),
        updated: Number(found.updated),
        changes: changes.name,
        ...together([changes]),
      }
    },
  )
}

/** A select of the rows of `incoming` that `state` lacks or has with other values. */
function selectChanged(
  table: LakeTable,
  { incoming, state }: { incoming: string; state: string },
): string {
  const columns = table.columns.map(({ name }) => `i.${identifier(name)}`)
  const first = identifier(table.key[0] ?? '')
  const on = table.key.map((name) => `i.${identifier(name)} = s.${identifier(name)}`).join(' and ')
  const differs = table.columns
    .filter(({ name }) => !table.key.includes(name))
    .map((column) => isDistinct(column, 'i', 's'))
  return `
    select ${columns.join(', ')},
        case when s.${first} is null then 'insert' else 'update' end as _operation
    from ${incoming} i left join ${state} s on ${on}
    where s.${first} is null or ${differs.length === 0 ? 'false' : differs.join(' or ')}`
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
  const found = await db.row<{ gone: bigint; unknown: bigint }>(`
    select
        (select count(*) from ${state} anti join ${keys} ${using}) as gone,
        (
            select count(*) from ${keys}
            anti join ${state} ${using}
            anti join ${changes} ${using}
        ) as unknown`)
  return { gone: Number(found.gone), unknown: Number(found.unknown) }
}

/** Adds a `delete` with the last known values for every key of the state that `keys` lacks. */
export async function addDeletes(
  db: DuckDb,
  table: LakeTable,
  { keys, state, changes }: { keys: string; state: string; changes: string },
): Promise<void> {
  await db.run(`
    insert into ${changes}
    select ${identifiers(table.columns.map((column) => column.name))}, 'delete'
    from ${state}
    anti join ${keys} using (${identifiers(table.key)})`)
}

/** Throws `ContractError` if a relation holds a key twice or not at all: it could not be compared. */
export async function checkKeys(db: DuckDb, table: LakeTable, relation: string): Promise<void> {
  const missing = table.key.map((name) => `${identifier(name)} is null`).join(' or ')
  const { nulls, twice } = await db.row<{ nulls: bigint; twice: bigint }>(`
    select
        (select count(*) from ${relation} where ${missing}) as nulls,
        (
            select count(*) from (
                select 1 from ${relation} group by ${identifiers(table.key)} having count(*) > 1
            )
        ) as twice`)
  if (nulls === 0n && twice === 0n) return
  throw new ContractError(
    `Table ${table.name}: the key (${table.key.join(', ')}) is not unique: ` +
      `${twice} keys occur twice, ${nulls} rows have none`,
    {
      code: 'KEY_NOT_UNIQUE',
      hint: 'declare a key that is unique and not null, or fix the source',
    },
  )
}
