import { ContractError } from '../errors.ts'
import type { DuckDb, Relation } from '../io/duckdb.ts'
import { identifier, identifiers } from '../io/sql.ts'
import { readParquet } from '../lake/parquet.ts'
import type { Fact, Reference } from '../project/model.ts'
import type { DimensionChanges } from './dimension.ts'
import type { FactVersions } from './fact.ts'

/**
 * Opens the days that facts name as `named_date`, which a calendar's model reads. Dispose of the
 * relation after use.
 */
export async function openNamedDates(
  db: DuckDb,
  references: readonly NamedDimension[],
): Promise<Relation> {
  const arms = references.map(({ reference, relation }) => {
    const column = identifier(reference.columns[0] ?? '')
    return `select ${column} as date_id from ${relation} where ${column} is not null`
  })
  const none = 'select null::date as date_id where false'
  return await db.table(
    `select distinct date_id::date as date_id from (${[none, ...arms].join(' union all ')})`,
    'named_date',
  )
}

/** A reference from this batch's versions of a fact to a dimension. */
export interface NamedDimension {
  readonly fact: Fact
  readonly reference: Reference
  /** Relation of the versions. */
  readonly relation: string
}

/** Every reference from this batch's facts to a dimension. */
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

/**
 * Throws `ContractError` (`TEST_FAILED`) unless every version of this batch joins the row of the
 * dimension that it names (I11).
 */
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
    anti join ${published} ${using}
    anti join ${changes} ${using}
    group by reference order by reference limit 1`)
  const named = lost && references[lost.reference]
  if (named === undefined) return
  const { fact, reference } = named
  throw new ContractError(
    `Fact ${fact.table} names ${lost?.rows} rows by ${reference.columns.join(', ')} that ${table.name} does not have`,
    { code: 'TEST_FAILED', hint: `correct ${table.name}.sql; nothing was published` },
  )
}
