import type { Client } from '../io/postgres.ts'
import { identifier, identifiers } from '../io/sql.ts'
import type { Fact, Sums } from '../project/model.ts'
import { explainSums, fillSums, sqlOf, sumsTablesOf } from '../warehouse/sums.ts'

/**
 * Updates a fact's sums for rows that are about to replace its current rows: the current rows with
 * the same keys are taken away, the new ones are added unless they are deletions. `newest` is a
 * relation with one version for each changed key. One statement for all grains; a sum of no rows
 * goes. Call it in the load's transaction, before the current rows change. Throws `ConfigError`
 * (`SUMS_INVALID`) if an expression fails for a row.
 */
export async function updateSums(client: Client, fact: Fact, newest: string): Promise<void> {
  const { sums } = fact
  if (sums === undefined) return
  const tables = sumsTablesOf(fact)
  const columns = [...new Set(tables.flatMap(({ by }) => by))]
  const entry = (isNew: boolean) =>
    [
      `${isNew} as "is new"`,
      ...columns.map((name) => `${sqlOf(sums, name)} as ${identifier(name)}`),
      ...Object.entries(sums.columns).map(([name, sql]) => `${sql} as ${identifier(name)}`),
    ].join(', ')
  const key = identifiers(fact.key)
  const updates = tables.map(({ name, by }) => updateOf(sums, name, by))
  const statement = `
    with entry as materialized (
        select ${entry(false)}
        from ${identifier(`${fact.table}_current`)}
        where (${key}) in (select ${key} from ${newest} as f)
        union all
        select ${entry(true)} from ${newest} as f where record_operation <> 'delete'
    ),
    ${updates.map((sql, index) => `updated_${index} as (${sql})`).join(', ')}
    select;
    ${tables.map(({ name }) => `delete from ${identifier(name)} where row_count = 0`).join(';')}`
  await client.query(statement).catch((error: unknown) => {
    throw explainSums(fact, error)
  })
}

/** Fills a fact's empty sums from its current rows. Throws like `updateSums`. */
export async function fillEmptySums(client: Client, fact: Fact): Promise<void> {
  if (fact.sums === undefined) return
  await client.query(fillSums(fact)).catch((error: unknown) => {
    throw explainSums(fact, error)
  })
}

/** The upsert of one table of sums from `entry`. It leaves out what changes no sum. */
function updateOf(sums: Sums, name: string, by: readonly string[]): string {
  const added = Object.keys(sums.columns)
  const change = (column: string) => {
    const sum = (filter: string) =>
      `coalesce(sum(${identifier(column)}) filter (where ${filter}), 0)`
    return `${sum('"is new"')} - ${sum('not "is new"')}`
  }
  const count = 'count(*) filter (where "is new") - count(*) filter (where not "is new")'
  const changes = [count, ...added.map(change)]
  const set = ['row_count', ...added]
    .map(identifier)
    .map((column) => `${column} = s.${column} + excluded.${column}`)
  return `
    insert into ${identifier(name)} as s (${identifiers([...by, 'row_count', ...added])})
    select ${identifiers(by)}, ${changes.join(', ')}
    from entry
    group by ${identifiers(by)}
    having (${changes.join(', ')}) <> (${changes.map(() => '0').join(', ')})
    on conflict (${identifiers(by)}) do update set ${set.join(', ')}`
}
