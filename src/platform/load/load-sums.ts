import type { Client } from '../io/postgres.ts'
import { identifier, identifiers } from '../io/sql.ts'
import type { CommitRecord } from '../lake/commit-record.ts'
import { currentTable, isPresent } from '../project/fact-names.ts'
import type { Fact } from '../project/model.ts'
import type { Project } from '../project/project.ts'
import type { Loaded } from '../warehouse/ledger.ts'
import { explainSums, fillSums, sqlOf, type SumsTable, sumsTablesOf } from '../warehouse/sums.ts'

/**
 * Updates a fact's sums for the versions that are about to replace its current rows: takes away the
 * current rows with the same keys, and adds the new versions that are not deletions. `newest` is a
 * relation with one version for each changed key. One statement updates all grains. A sum over no
 * rows is deleted.
 *
 * Call it once, in the load's transaction and before the current rows change. Throws `ConfigError`
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
  const updates = tables.map(updateOf)
  const statement = `
    with entry as materialized (
        select ${entry(false)}
        from ${identifier(currentTable(fact))}
        where (${key}) in (select ${key} from ${newest} as f)
        union all
        select ${entry(true)} from ${newest} as f where ${isPresent(fact, 'record_operation')}
    ),
    ${updates.map((sql, index) => `updated_${index} as (${sql})`).join(', ')}
    select;
    ${tables.map(({ name }) => `delete from ${identifier(name)} where row_count = 0`).join(';')}`
  await run(client, fact, statement)
}

/** Computes a fact's sums from its current rows, whatever they were. Throws like `updateSums`. */
export async function computeSums(client: Client, fact: Fact): Promise<void> {
  if (fact.sums !== undefined) await run(client, fact, fillSums(fact))
}

/** Computes the sums of all facts. Throws like `updateSums`. */
export async function computeAllSums(client: Client, { models }: Project): Promise<void> {
  for (const model of models) {
    if (model.kind === 'fact') await computeSums(client, model)
  }
}

/**
 * Whether the sums stand at the newest batch in the ledger: both name the same record. They do not
 * if somebody has put back one and not the other (I14).
 */
export async function standAt(client: Client, loaded: Loaded | undefined): Promise<boolean> {
  const { rows } = await client.query<{ loaded_from: string | null }>(
    'select loaded_from from tidemark_sums',
  )
  const [stand] = rows
  return stand === undefined || loaded === undefined
    ? stand === undefined && loaded === undefined
    : (stand.loaded_from ?? undefined) === loaded.loadedFrom
}

/** Notes that the sums stand at the batch of a processed record. */
export async function setStand(client: Client, { checksum }: CommitRecord): Promise<void> {
  await client.query(
    `insert into tidemark_sums (loaded_from) values ($1)
     on conflict (is_only_row) do update set loaded_from = excluded.loaded_from`,
    [checksum],
  )
}

async function run(client: Client, fact: Fact, statement: string): Promise<void> {
  await client.query(statement).catch((error: unknown) => {
    throw explainSums(fact, error)
  })
}

/** The upsert of one table of sums from `entry`. It leaves out sums that stay the same. */
function updateOf({ name, by, added }: SumsTable): string {
  const changes = added.map((column) => {
    const sum = (filter: string) =>
      column === 'row_count'
        ? `count(*) filter (where ${filter})`
        : `coalesce(sum(${identifier(column)}) filter (where ${filter}), 0)`
    return `${sum('"is new"')} - ${sum('not "is new"')}`
  })
  const set = added.map(identifier).map((column) => `${column} = s.${column} + excluded.${column}`)
  return `
    insert into ${identifier(name)} as s (${identifiers([...by, ...added])})
    select ${identifiers(by)}, ${changes.join(', ')}
    from entry
    group by ${identifiers(by)}
    having (${changes.join(', ')}) <> (${changes.map(() => '0').join(', ')})
    on conflict (${identifiers(by)}) do update set ${set.join(', ')}`
}
