import { readFileSync } from 'node:fs'
import { ConfigError } from '../errors.ts'
import { type Client, onlyRow } from '../io/postgres.ts'
import { asciiLiteral, textArray } from '../io/session.ts'
import { identifier, identifiers } from '../io/sql.ts'
import {
  asOfBatchFunction,
  asOfFunction,
  currentTable,
  historyView,
} from '../project/fact-names.ts'
import { type Fact, type Model, sumsView } from '../project/model.ts'
import type { Project } from '../project/project.ts'
import { hasUniqueIndex, indexNamesOf } from './make-history.ts'
import { areSumsServed } from './make-sums.ts'
import { loadedSums, loadedTables, sumsFunction } from './sums.ts'
import { selectUnfilled } from './unfilled-columns.ts'
import type { Warehouse, WarehouseClient } from './warehouse.ts'

const LIST = readFileSync(new URL('./list-relations.sql', import.meta.url), 'utf8')

/** The platform's own tables and views. They stay when the content is replaced. */
export const OWN = [
  'tidemark_ledger',
  'tidemark_confirmation',
  'tidemark_sums',
  'tidemark_migration',
  'tidemark_relation',
  'tidemark_table',
  'tidemark_status',
  'tidemark_batches',
]

/** Those of them that readers may see. */
const SHOWN = ['tidemark_status', 'tidemark_batches', 'tidemark_table']

/**
 * Records which relations make up the warehouse: the platform's, those of the star schema, and the
 * views that the domain's migrations made from them. Other tables in a shared schema are left out,
 * and views that somebody made from sums, or in a project without migrations. May be repeated.
 */
export async function listRelations(
  { client, warehouse: { schema } }: WarehouseClient,
  { models, warehouse: own }: Pick<Project, 'models' | 'warehouse'>,
): Promise<void> {
  const facts = models.filter((model) => model.kind === 'fact')
  const relations = [
    ...models.flatMap(loadedTables),
    ...facts.map(historyView),
    ...facts.flatMap((fact) => (fact.sums === undefined ? [] : [sumsView(fact)])),
    ...OWN,
  ]
  const sums = facts.flatMap((fact) => [...loadedSums(fact), sumsView(fact)])
  await client.query(LIST, [schema, relations, sums, own !== undefined])
}

/** The recorded relations that are missing, in order; none before there is a list. */
export async function findMissing(client: Client): Promise<string[]> {
  const found = await client.query<{ there: boolean }>(
    `select to_regclass('tidemark_relation') is not null as there`,
  )
  if (!onlyRow(found).there) return []
  const { rows } = await client.query<{ name: string }>(
    `select name from tidemark_relation
     where to_regclass(quote_ident(name)) is null
     order by name`,
  )
  return rows.map(({ name }) => name)
}

/**
 * Removes the relations that a migration has dropped from the list: those that are missing now but
 * were not missing `before`.
 */
export async function forgetDropped(client: Client, before: readonly string[]): Promise<void> {
  const dropped = (await findMissing(client)).filter((name) => !before.includes(name))
  if (dropped.length === 0) return
  await client.query('delete from tidemark_relation where name = any($1::text[])', [dropped])
}

/** Throws `ConfigError` (`WAREHOUSE_INCOMPLETE`) if a recorded relation is missing. */
export async function checkRelations(client: Client): Promise<void> {
  const missing = await findMissing(client)
  if (missing.length === 0) return
  throw new ConfigError(`The warehouse has lost ${missing.join(', ')}`, {
    code: 'WAREHOUSE_INCOMPLETE',
    hint: 'restore them from a backup, or load into an empty TIDEMARK_WAREHOUSE_SCHEMA; nothing was changed',
  })
}

/**
 * SQL condition that everything the warehouse offers exists: each recorded relation; the columns,
 * key and indexes of each current table; the functions; the sums as declared; the reader role's
 * rights; and that a load can fill every column that must have a value. A project may ask for more
 * without a migration, and somebody may have created or dropped something.
 */
export function isServed({ readerRole }: Warehouse, { models }: Project): string {
  const facts = models.filter((model) => model.kind === 'fact')
  // What is derived from a model exists only once a load has brought the model's schema.
  const indexes = pairs(models, (model) => indexNamesOf(model).map(identifier))
  const functions = pairs(facts, functionsOf)
  const tables = textArray(facts.map(({ table }) => identifier(table)))
  const currents = textArray(facts.map((fact) => identifier(currentTable(fact))))
  const keys = textArray(facts.map(({ key }) => JSON.stringify(key)))
  // Null, and so not false, if the role does not exist. A role that is created later lacks every
  // right.
  const isForbidden =
    readerRole === undefined
      ? 'false'
      : `has_table_privilege(to_regrole(${asciiLiteral(identifier(readerRole))}), r.oid, 'select') is false`
  return `not exists (
     with facts as materialized (
         select
             to_regclass(f.fact)::oid as fact,
             to_regclass(f.current)::oid as current,
             array(select jsonb_array_elements_text(f.key::jsonb)) as key
         from unnest(${tables}, ${currents}, ${keys}) as f (fact, current, key)
     )

     select 1
     from (
         select
             to_regclass(quote_ident(name))::oid as oid,
             name <> all (${textArray(OWN)}) or name = any (${textArray(SHOWN)}) as is_shown
         from tidemark_relation
     ) as r
     where r.oid is null or (r.is_shown and ${isForbidden})
     union all
     select 1 from unnest(${indexes}) as i (owner, name)
     where to_regclass(name) is null and to_regclass(owner) is not null
     union all
     select 1 from unnest(${functions}) as f (owner, name)
     where to_regprocedure(name) is null and to_regclass(owner) is not null
     union all
     select 1 from facts as f
     where f.fact is not null and (exists (
             select attname from pg_attribute
             where attrelid = f.fact and attnum > 0 and not attisdropped
             except
             select attname from pg_attribute
             where attrelid = f.current and attnum > 0 and not attisdropped
         )
         or not ${hasUniqueIndex('f.current', 'f.key')})
     union all
     select 1 from (${selectUnfilled(facts)}) as u)
     and ${areSumsServed(facts)}`
}

/** Two arrays for `unnest`: names, each beside the quoted table to which it belongs. */
function pairs<Each extends Model>(
  models: readonly Each[],
  namesOf: (model: Each) => string[],
): string {
  const found = models.flatMap((model) =>
    namesOf(model).map((name) => ({ owner: identifier(model.table), name })),
  )
  return `${textArray(found.map(({ owner }) => owner))}, ${textArray(found.map(({ name }) => name))}`
}

/**
 * Grants the reader role, if it exists, the right to read the star schema, its history and the
 * status, and nothing of the platform's own. May be repeated.
 */
export async function grantReading(
  { client, warehouse: { schema, readerRole } }: WarehouseClient,
  { models }: Pick<Project, 'models'>,
): Promise<void> {
  if (readerRole === undefined) return
  const { rowCount } = await client.query('select 1 from pg_roles where rolname = $1', [readerRole])
  if (rowCount === 0) return
  const role = identifier(readerRole)
  const { rows } = await client.query<{ relation: string }>(
    `select name as relation from tidemark_relation
     where name <> all ($1::text[]) or name = any ($2::text[])
     order by name`,
    [OWN, SHOWN],
  )
  const functions = models.flatMap((model) => {
    if (model.kind !== 'fact') return []
    return [...functionsOf(model), ...(model.sums === undefined ? [] : [sumsFunction(model)])]
  })
  await client.query(`
    grant usage on schema ${identifier(schema)} to ${role};
    grant select on ${identifiers(rows.map(({ relation }) => relation))} to ${role};
    ${functions.map((name) => `grant execute on function ${name} to ${role};`).join('')}`)
}

/** Quoted signatures of the functions that show a fact as of a moment and as of a batch. */
function functionsOf(fact: Fact): string[] {
  return [
    `${identifier(asOfFunction(fact))}(timestamptz)`,
    `${identifier(asOfBatchFunction(fact))}(bigint)`,
  ]
}
