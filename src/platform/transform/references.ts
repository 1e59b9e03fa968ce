import { ContractError } from '../errors.ts'
import type { DuckDb } from '../io/duckdb.ts'
import { identifier, identifiers } from '../io/sql.ts'
import { readParquet } from '../lake/parquet.ts'
import type { Fact, Reference } from '../project/model.ts'
import type { DimensionChanges } from './dimension.ts'
import type { FactVersions } from './fact.ts'

/** Makes the table `named_date` of the days that facts name. */
export async function nameDates(db: DuckDb, references: readonly NamedDimension[]): Promise<void> {
  await db.run('create or replace temp table named_date (date_id date)')
  if (references.length === 0) return
  const arms = references.map(({ reference, relation }) => {
    const column = identifier(reference.columns[0] ?? '')
    return `select ${column} as date_id from ${relation} where ${column} is not null`
  })
  await db.run(`insert into named_date select distinct date_id from (${arms.join(' union all ')})`)
}

/** A way in which this batch's versions of a fact name a dimension. */
export interface NamedDimension {
  readonly fact: Fact
  readonly reference: Reference
  /** The versions. */
  readonly relation: string
}

/** Every way this batch's facts name a dimension. */
export function referencesTo(dimension: string, facts: Map<Fact, FactVersions>): NamedDimension[] {
  return [...facts].flatMap(([fact, { paths }]) =>
    fact.references
      .filter((reference) => reference.dimension === dimension && paths.length > 0)
      .map((reference) => ({
        fact,
        reference,
        relation: readParquet(paths.map(({ path }) => path)),
      })),
  )
}

/** Throws `ContractError` unless every version of this batch joins the row it names (I11). */
export async function checkJoined(
  db: DuckDb,
  { table, changes, published }: DimensionChanges,
  references: readonly NamedDimension[],
): Promise<void> {
  if (references.length === 0) return
  const arms = references.map(({ reference: { columns }, relation }, index) => {
    const named = table.key.map((key, place) => {
      return `${identifier(columns[place] ?? '')} as ${identifier(key)}`
    })
    const present = columns.map((column) => `${identifier(column)} is not null`).join(' and ')
    return `select distinct ${index} as reference, ${named.join(', ')} from ${relation} where ${present}`
  })
  const using = `using (${identifiers(table.key)})`
  const [lost] = await db.rows<{ reference: number; rows: bigint }>(`
    select reference, count(*) as rows
    from (${arms.join(' union all ')})
    anti join ${identifier(published)} ${using}
    anti join ${identifier(changes)} ${using}
    group by reference order by reference limit 1`)
  const named = lost && references[lost.reference]
  if (named === undefined) return
  const { fact, reference } = named
  throw new ContractError(
    `Fact ${fact.table} names ${lost?.rows} rows of ${table.name} by ${reference.columns.join(', ')} that are not there`,
    { code: 'TEST_FAILED', hint: `correct ${table.name}.sql; nothing was published` },
  )
}
