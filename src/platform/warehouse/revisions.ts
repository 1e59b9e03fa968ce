import type { Client } from '../io/postgres.ts'
import { asciiLiteral } from '../io/session.ts'
import { identifier, identifiers } from '../io/sql.ts'
import { type Fact, revisionsName } from '../project/model.ts'
import { readColumnNames } from './columns.ts'
import { haveSameKey } from './same-key.ts'

/** The column of a revision that holds a column of the version before it. */
export function beforeName(column: string): string {
  return `before_${column}`
}

/** The columns of a fact whose earlier value a revision keeps too: all but the key. */
export function columnsBefore({ key }: Fact, columns: readonly string[]): string[] {
  return columns.filter((name) => !key.includes(name))
}

/** Versions of a fact: all of them, or those with a record id above `after` and at most `upTo`. */
export type VersionRange = 'all' | { readonly after: number; readonly upTo: number }

/**
 * Select of a fact's revisions: each version that follows another version of its key, beside that
 * version. `columns` are the fact's. For a few versions, the index on the key finds the version before.
 */
export function selectRevisions(
  fact: Fact,
  columns: readonly string[],
  versions: VersionRange = 'all',
): string {
  const table = identifier(fact.table)
  const id = identifier(fact.recordId)
  const pairs =
    versions === 'all'
      ? `select ${id} as id, lag(${id}) over (partition by ${identifiers(fact.key)} order by ${id}) as before_id
         from ${table}`
      : `select n.${id} as id, (
             select max(e.${id}) from ${table} as e
             where ${haveSameKey(fact, 'e', 'n')} and e.${id} < n.${id}
         ) as before_id
         from ${table} as n where n.${id} > ${versions.after} and n.${id} <= ${versions.upTo}`
  const selected = [
    ...columns.map((name) => `f.${identifier(name)}`),
    ...columnsBefore(fact, columns).map(
      (name) => `b.${identifier(name)} as ${identifier(beforeName(name))}`,
    ),
  ].join(', ')
  return `
    select ${selected}
    from (${pairs}) as p
    inner join ${table} as f on f.${id} = p.id
    inner join ${table} as b on b.${id} = p.before_id`
}

/** Creates the empty table of a fact's revisions, with a comment. The name must be free. */
export async function createRevisions(client: Client, fact: Fact, comment: string): Promise<void> {
  const columns = await readColumnNames(client, fact)
  const table = identifier(revisionsName(fact))
  await client.query(`
    create table ${table} as ${selectRevisions(fact, columns)} with no data;
    alter table ${table} add primary key (${identifier(fact.recordId)});
    create index on ${table} using brin (recorded_at);
    comment on table ${table} is ${asciiLiteral(comment)}`)
}

/**
 * Adds the revisions among the newest versions of a fact. Call it once for these versions, when the
 * fact has its index on the key.
 */
export async function addRevisions(
  client: Client,
  fact: Fact,
  versions: VersionRange = 'all',
): Promise<void> {
  const columns = await readColumnNames(client, fact)
  // In order, so that the index on `recorded_at` stays small and exact.
  await client.query(`
    insert into ${identifier(revisionsName(fact))}
    ${selectRevisions(fact, columns, versions)} order by p.id`)
}

/** Makes a fact's revisions from all its versions, whatever the table holds. */
export async function fillRevisions(client: Client, fact: Fact): Promise<void> {
  await client.query(`delete from ${identifier(revisionsName(fact))}`)
  await addRevisions(client, fact)
}
