import { readFileSync } from 'node:fs'
import { ConfigError } from '../errors.ts'
import { type Client, onlyRow } from '../io/postgres.ts'
import { identifier, identifiers } from '../io/sql.ts'
import {
  asOfBatchFunction,
  asOfFunction,
  changesIndex,
  currentTable,
  historyColumns,
  historyView,
  isPresent,
  keyIndex,
  momentIndex,
  operationsOf,
  viewedHistory,
} from '../project/fact-names.ts'
import { type Fact, indexName, type Model, soughtTable } from '../project/model.ts'
import { readColumns, type WarehouseColumn } from './columns.ts'
import { changedLater, isAnythingKnown, newestThen } from './past.ts'
import { haveSameKey } from './same-key.ts'

const HISTORY = readFileSync(new URL('./history.sql', import.meta.url), 'utf8')
const OPERATION_CHECKS = readFileSync(new URL('./operation-checks.sql', import.meta.url), 'utf8')
const PAST = readFileSync(new URL('./past.sql', import.meta.url), 'utf8')

/** SQL clauses that add the columns that every fact has for its history. */
function addHistoryColumns(fact: Fact): string {
  const { operation, recordedAt, batch } = historyColumns(fact)
  return `
    add column if not exists ${identifier(operation)} text not null
        check (${identifier(operation)} in (${listOperations(fact)})),
    add column if not exists ${identifier(recordedAt)} timestamptz not null,
    add column if not exists ${identifier(batch)} bigint not null`
}

/**
 * Creates or updates everything that keeps a fact's history: the columns, the current table, the
 * view, the functions and the indexes. May be repeated. A current table that was dropped or has
 * lost a column is filled from the versions. Returns whether the current table existed and was
 * incomplete. Throws `ConfigError`, before it creates anything, if the fact holds rows that
 * Tidemark did not load (`WAREHOUSE_NOT_EMPTY`); and if one of its columns has a name that the
 * history needs (`WAREHOUSE_COLUMN_NAME`). Call it in a transaction.
 */
export async function makeHistory(client: Client, fact: Fact): Promise<boolean> {
  const table = identifier(fact.table)
  const found = await client.query<{ foreign: boolean; schema: string }>(`
    select
        exists (select 1 from ${table}) and not exists (select 1 from tidemark_ledger) as foreign,
        quote_ident(current_schema()) as schema`)
  const { foreign, schema } = onlyRow(found)
  if (foreign) {
    throw new ConfigError(
      `The warehouse table ${fact.table} holds rows that Tidemark did not load`,
      {
        code: 'WAREHOUSE_NOT_EMPTY',
        hint: 'empty it, or set TIDEMARK_WAREHOUSE_SCHEMA to another schema',
      },
    )
  }
  const told = historyColumns(fact)
  await client.query(`alter table ${table} ${addHistoryColumns(fact)}`)
  await allowOperations(client, fact)
  const columns = await readColumns(client, table)
  const added = viewedHistory(fact)
  const taken = columns.find(({ name }) => added.includes(name))
  if (taken !== undefined) {
    throw new ConfigError(
      `${fact.table} has a column ${taken.name}, but its history needs this name`,
      {
        code: 'WAREHOUSE_COLUMN_NAME',
        hint: 'give the column another name in the migration and in the model',
      },
    )
  }
  const current = identifier(currentTable(fact))
  const history = identifier(historyView(fact))
  const names: Record<string, string> = {
    fact: table,
    // Without its schema, a name such as `date` or `line` is a type of Postgres.
    row_type: `${schema}.${table}`,
    columns: identifiers(columns.map(({ name }) => name)),
    versions: columns.map(({ name }) => `f.${identifier(name)}`).join(', '),
    current_rows: columns.map(({ name }) => `c.${identifier(name)}`).join(', '),
    key: identifiers(fact.key),
    same_key: haveSameKey(fact, 'n', 'f'),
    anything_known: isAnythingKnown(fact),
    current_changed_later: changedLater(fact, 'c'),
    newest_then: newestThen(fact, 'f'),
    record_id: identifier(fact.recordId),
    operation: identifier(told.operation),
    present: isPresent(fact, identifier(told.operation)),
    version_present: isPresent(fact, `f.${identifier(told.operation)}`),
    recorded_at: identifier(told.recordedAt),
    batch: identifier(told.batch),
    key_index: identifier(keyIndex(fact)),
    changes_index: identifier(changesIndex(fact)),
    moment_index: identifier(momentIndex(fact)),
    current,
    history,
    as_of: identifier(asOfFunction(fact)),
    as_of_batch: identifier(asOfBatchFunction(fact)),
  }
  names['viewed'] = await listViewed(client, { fact, history, columns })
  const isNew = (await readColumns(client, current)).length === 0
  await client.query(render(HISTORY, names))
  // Adds columns that a later migration gave the fact or that somebody dropped, which also drops
  // the key.
  const present = new Set((await readColumns(client, current)).map(({ name }) => name))
  const missing = columns.filter(({ name }) => !present.has(name))
  for (const { name, type } of missing) {
    await client.query(`alter table ${current} add column ${identifier(name)} ${type}`)
  }
  const isIncomplete = missing.length > 0 || !(await isKeyed(client, fact))
  if (isIncomplete) await client.query(`delete from ${current}`)
  if (isNew || isIncomplete) await fillCurrent(client, fact, names)
  if (!(await isKeyed(client, fact))) {
    await client.query(`alter table ${current} add primary key (${identifiers(fact.key)})`)
  }
  await client.query(render(PAST, names))
  await makeIndexes(client, fact)
  return isIncomplete
}

function listOperations(fact: Fact): string {
  return operationsOf(fact)
    .map((operation) => `'${operation}'`)
    .join(', ')
}

/**
 * Lets a table that was made before its fact followed other tables hold rows that leave. Other
 * tables admit every operation of their fact already.
 */
async function allowOperations(client: Client, fact: Fact): Promise<void> {
  if (fact.follows === undefined) return
  const operation = identifier(historyColumns(fact).operation)
  const table = identifier(fact.table)
  const found = await client.query<{ name: string }>(OPERATION_CHECKS, [table])
  for (const { name } of found.rows) {
    await client.query(`
      alter table ${table} drop constraint ${identifier(name)},
      add constraint ${identifier(name)} check (${operation} in (${listOperations(fact)}))`)
  }
}

/** Creates the indexes by which people look up a model's rows. May be repeated. */
export async function makeIndexes(client: Client, model: Model): Promise<void> {
  const table = identifier(soughtTable(model))
  for (const column of model.sought ?? []) {
    const name = identifier(indexName(model, column))
    await client.query(`create index if not exists ${name} on ${table} (${identifier(column)})`)
  }
}

/** Puts names in the place of those in braces. */
function render(sql: string, names: Readonly<Record<string, string>>): string {
  return sql.replaceAll(/\{(\w+)\}/g, (_, name: string) => names[name] ?? '')
}

/** Names of the indexes of a model's tables, in addition to their keys. */
export function indexNamesOf(model: Model): string[] {
  const sought = (model.sought ?? []).map((column) => indexName(model, column))
  return model.kind === 'fact' ? [changesIndex(model), momentIndex(model), ...sought] : sought
}

/** Fills a current table with the latest version of each key, without deleted keys. */
async function fillCurrent(
  client: Client,
  { table }: Fact,
  { current, columns, key, record_id: recordId, present }: Record<string, string>,
): Promise<void> {
  await client.query(`
    insert into ${current} (${columns})
    select ${columns}
    from (
        select distinct on (${key}) * from ${identifier(table)} order by ${key}, ${recordId} desc
    ) as latest
    where ${present}`)
}

/** Whether the current table has the unique index by which a load finds its rows. */
async function isKeyed(client: Client, fact: Fact): Promise<boolean> {
  const found = await client.query<{ keyed: boolean }>(
    `select ${hasUniqueIndex('to_regclass(quote_ident($1))', '$2::text[]')} as keyed`,
    [currentTable(fact), fact.key],
  )
  return onlyRow(found).keyed
}

/**
 * SQL condition that a table, an `oid`, has a unique index on exactly these columns, a `text[]`, in
 * any order.
 */
export function hasUniqueIndex(table: string, columns: string): string {
  return `exists (
      select 1
      from pg_index as i
      where
          i.indrelid = ${table}
          and i.indisunique
          and i.indisvalid
          and i.indpred is null
          and array(
              select a.attname::text
              from pg_attribute as a
              where a.attrelid = i.indrelid and a.attnum = any(i.indkey[0:i.indnkeyatts - 1])
              order by 1
          ) = array(select k from unnest(${columns}) as k order by 1)
  )`
}

/**
 * The select list of a fact's history view. A view that exists keeps its columns, in their order,
 * and new ones follow, so that views that people made from it live on. If it has a column that is
 * gone, it is dropped: `create or replace` cannot replace it.
 */
async function listViewed(
  client: Client,
  { fact, history, columns }: { fact: Fact; history: string; columns: readonly WarehouseColumn[] },
): Promise<string> {
  const { operation, recordedAt, version, validFrom, validTo, isCurrent } = historyColumns(fact)
  const [moment, recordId] = [identifier(recordedAt), identifier(fact.recordId)]
  const items = new Map([
    ...columns.map(({ name }) => [name, identifier(name)] as const),
    [version, 'row_number() over newest_last'],
    [validFrom, moment],
    [validTo, `lead(${moment}) over newest_last`],
    [
      isCurrent,
      `lead(${recordId}) over newest_last is null and ${isPresent(fact, identifier(operation))}`,
    ],
  ])
  const present = (await readColumns(client, history)).map(({ name }) => name)
  const isOutdated = present.some((name) => !items.has(name))
  if (isOutdated) await client.query(`drop view ${history}`)
  const inOrder = new Set([...(isOutdated ? [] : present), ...items.keys()])
  return [...inOrder].map((name) => `${items.get(name)} as ${identifier(name)}`).join(',\n    ')
}
