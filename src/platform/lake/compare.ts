import { ContractError } from '../errors.ts'
import type { DuckDb } from '../io/duckdb.ts'
import { openTogether } from '../io/open-together.ts'
import { identifier, identifiers } from '../io/sql.ts'
import { type Column, isDistinct, tryValueFrom } from './lake-type.ts'
import type { LakeTable } from './table-state.ts'

/** The result of a comparison, in rows. Disposing drops `changes`. */
export interface Comparison extends AsyncDisposable {
  readonly read: number
  readonly inserted: number
  readonly updated: number
  /** Relation of the new and the changed rows, with `_operation`. */
  readonly changes: string
}

/** Rows that are read and rows that were captured, as relations. */
export interface ComparedRows {
  readonly incoming: string
  readonly state: string
  /** The types in which the state holds columns, by name, where they differ from the table's. */
  readonly held?: ReadonlyMap<string, Pick<Column, 'type'>>
}

/**
 * Compares incoming rows by key with the last state of the table. Returns the rows that are new
 * (`insert`) or differ in any column (`update`). A row that equals the last state drops out here, so
 * reading a row twice does no harm.
 */
export async function compareRows(
  db: DuckDb,
  table: LakeTable,
  { incoming, state, held = new Map() }: ComparedRows,
): Promise<Comparison> {
  return await openTogether(async (keep) => {
    const changes = keep(await db.table(selectChanged(table, { incoming, state, held })))
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
    }
  })
}

/** A select of the rows of `incoming` that are missing from `state` or have other values there. */
function selectChanged(
  table: LakeTable,
  { incoming, state, held }: Required<ComparedRows>,
): string {
  const columns = table.columns.map(({ name }) => `i.${identifier(name)}`)
  const first = identifier(table.key[0] ?? '')
  const on = table.key.map((name) => `i.${identifier(name)} = s.${identifier(name)}`).join(' and ')
  const differs = table.columns
    .filter(({ name }) => !table.key.includes(name))
    .map(({ name, type }) => {
      const wider = held.get(name)?.type ?? type
      if (wider === type) return isDistinct({ name, type }, 'i', 's')
      const value = tryValueFrom(`i.${identifier(name)}`, { held: type, type: wider })
      return `${value} is distinct from s.${identifier(name)}`
    })
  return `
    select ${columns.join(', ')},
        case when s.${first} is null then 'insert' else 'update' end as _operation
    from ${incoming} i left join ${state} s on ${on}
    where s.${first} is null or ${differs.length === 0 ? 'false' : differs.join(' or ')}`
}

/**
 * Compares the keys in the source with the keys of the state, and counts both differences. `gone`:
 * keys that only the state has. `unknown`: keys that only the source has and that are not among the
 * changes.
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

/**
 * Adds a `delete` to `changes` for every key of the state that `keys` lacks. It carries the last
 * known values.
 */
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

/**
 * Throws `ContractError` (`KEY_NOT_UNIQUE`) if two rows of a relation have the same key, or a row
 * has none. Such rows cannot be compared by key.
 */
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
      `${twice} keys occur more than once, ${nulls} rows have no key`,
    {
      code: 'KEY_NOT_UNIQUE',
      hint: 'declare a key that is unique and not null, or fix the source',
    },
  )
}
