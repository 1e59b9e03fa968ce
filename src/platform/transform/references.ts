import { ContractError } from '../errors.ts'
import type { DuckDb, Relation } from '../io/duckdb.ts'
import { duckLiteral, identifier, identifiers } from '../io/sql.ts'
import type { PendingBatch } from '../lake/batch.ts'
import type { ProcessedEntry } from '../lake/commit-record.ts'
import { readParquet } from '../lake/parquet.ts'
import { openFiles } from '../lake/zone.ts'
import type { Calendar, Dimension, Fact } from '../project/model.ts'
import type { DimensionChanges } from './dimension.ts'
import type { FactVersions } from './fact.ts'
import { type NamedDimension, selectNamed } from './named-dimension.ts'

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

/** A dimension that the batch itself cannot change, and the references of its facts to it. */
interface Referenced {
  readonly model: Dimension | Calendar
  readonly references: readonly NamedDimension[]
  /** Its entry in the batch before. */
  readonly before: ProcessedEntry | undefined
  /** Whether its model reads a source table. */
  readonly readsTables: boolean
}

/**
 * The dimensions that lack a row which this batch's facts name, found by one statement for all of
 * them. A dimension's rows are never removed, so a key in any of its files is published. A calendar
 * that is held, has rows in quarantine or reads a source table counts as lacking, because its days
 * are made again with every reference.
 */
export async function findLacking(
  { db, zone }: PendingBatch,
  dimensions: readonly Referenced[],
): Promise<ReadonlySet<string>> {
  const lacking = new Set<string>()
  const arms: string[] = []
  const versions = new Map<string, string>()
  /** Versions that several references share are read once. */
  const readOnce = (each: NamedDimension): NamedDimension => {
    const relation = versions.get(each.relation) ?? `versions_${versions.size}`
    versions.set(each.relation, relation)
    return { ...each, relation }
  }
  for (const { model, references, before, readsTables } of dimensions) {
    if (references.length === 0) continue
    const files = await openFiles(zone, before?.state ?? [])
    const isUnsettled = before?.held !== undefined || (before?.open.length ?? 0) > 0
    if (files.length === 0 || (model.kind === 'calendar' && (isUnsettled || readsTables))) {
      lacking.add(model.table)
      continue
    }
    const keys = identifiers(model.key)
    const named = references.map((each) => selectNamed(readOnce(each), model.key))
    arms.push(`
      select ${duckLiteral(model.table)} as dimension from (${named.join(' union all ')})
      anti join (select ${keys} from ${readParquet(files)}) using (${keys})`)
  }
  if (arms.length === 0) return lacking
  const once = [...versions].map(([from, name]) => `${name} as materialized (from ${from})`)
  const found = await db.rows<{ dimension: string }>(
    `with ${once.join(', ')} select distinct dimension from (${arms.join(' union all ')})`,
  )
  for (const { dimension } of found) lacking.add(dimension)
  return lacking
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
  const arms = references.map(
    (each, index) =>
      `select distinct ${index} as reference, * from (${selectNamed(each, table.key)})`,
  )
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
