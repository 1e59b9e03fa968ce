import type { DuckDb } from '../io/duckdb.ts'
import { duckLiteral, identifier, identifiers } from '../io/sql.ts'
import { isDistinct } from './lake-type.ts'
import type { LakeTable } from './table-state.ts'

/** How two states of a table differ: counts of rows, and the first keys as `column=value` text. */
export interface Difference {
  /** Rows that only `expected` holds. */
  readonly missing: number
  /** Rows that only `found` holds. */
  readonly extra: number
  /** Rows that both hold, with other values. */
  readonly different: number
  readonly keys: readonly DifferentKey[]
}

/** One key that differs. It names columns, never their values. */
export interface DifferentKey {
  readonly kind: 'missing' | 'extra' | 'different'
  readonly key: string
  /** Names of the columns whose values differ; empty for a missing or an extra row. */
  readonly columns: readonly string[]
}

/** At most so many keys are named; all are counted. */
export const MAX_KEYS = 20

/** The difference between two equal tables. */
export const NO_DIFFERENCE: Difference = { missing: 0, extra: 0, different: 0, keys: [] }

/** A difference without its extra rows. */
export function withoutExtra(difference: Difference): Difference {
  const keys = difference.keys.filter(({ kind }) => kind !== 'extra')
  return { ...difference, extra: 0, keys }
}

/** Adds up two differences. Keeps at most 20 keys, as `findDifferences` does. */
export function addDifferences(one: Difference, other: Difference): Difference {
  return {
    missing: one.missing + other.missing,
    extra: one.extra + other.extra,
    different: one.different + other.different,
    keys: [...one.keys, ...other.keys].slice(0, MAX_KEYS),
  }
}

/**
 * Compares two relations with the same columns, row by row and value by value. `keys` lists at most
 * 20 keys, the counts cover all. Read-only.
 */
export async function findDifferences(
  db: DuckDb,
  table: LakeTable,
  { expected, found }: { expected: string; found: string },
): Promise<Difference> {
  const using = identifiers(table.key)
  const values = table.columns.filter((column) => !table.key.includes(column.name))
  const differing = values.map(
    (column) => `case when ${isDistinct(column, 'e', 'f')} then ${duckLiteral(column.name)} end`,
  )
  const key = table.key.map((name) => `${duckLiteral(`${name}=`)} || ${identifier(name)}::varchar`)
  await using difference = await db.table(`
    select * from (
        select
            case when f._side is null then 'missing' when e._side is null then 'extra' else 'different' end as kind,
            ${key.join(` || ' ' || `)} as key,
            case
                when f._side is null or e._side is null then []
                else list_filter([${differing.join(', ')}]::varchar[], lambda name: name is not null)
            end as columns
        from (select *, 1 as _side from ${expected}) e
        full join (select *, 1 as _side from ${found}) f using (${using})
    )
    where kind <> 'different' or len(columns) > 0`)
  const counts = await db.rows<{ kind: DifferentKey['kind']; rows: bigint }>(
    `select kind, count(*) as rows from ${difference.name} group by kind`,
  )
  const rowsOf = (kind: DifferentKey['kind']) =>
    Number(counts.find((row) => row.kind === kind)?.rows ?? 0)
  const keys = await db.rows<{ kind: DifferentKey['kind']; key: string; columns: string }>(
    `select kind, key, array_to_string(columns, ',') as columns from ${difference.name} order by kind, key limit ${MAX_KEYS}`,
  )
  return {
    missing: rowsOf('missing'),
    extra: rowsOf('extra'),
    different: rowsOf('different'),
    keys: keys.map((row) => ({
      kind: row.kind,
      key: row.key,
      columns: row.columns === '' ? [] : row.columns.split(','),
    })),
  }
}
