import { codeOf, ContractError } from '../errors.ts'
import { type Client, onlyRow } from '../io/postgres.ts'
import { asciiLiteral, textArray } from '../io/session.ts'
import { SQL_STATE } from '../io/sql-states.ts'
import { identifier, identifiers } from '../io/sql.ts'
import { type Fact, sumsName, sumsView } from '../project/model.ts'
import { readColumns } from './columns.ts'
import {
  explainSums,
  fillSums,
  invalidSums,
  sumsFunction,
  type SumsTable,
  sumsTablesOf,
} from './sums.ts'
import { createSumsFunction, createSumsView, type ShownSums, viewComment } from './sums-view.ts'
import { RESTORE } from './warehouse.ts'

/**
 * Creates or updates the sums of a fact: a table for each grain, filled from the current rows; the
 * view of these tables and the single rows; and the function that shows the same as of a moment. If
 * anything is missing or the declaration has changed, makes all of them again. Drops them if the
 * fact declares no sums any more. May be repeated. Call it in a transaction, after `makeHistory`.
 *
 * Throws `ConfigError` (`SUMS_INVALID`) if Postgres cannot make the sums, and `ContractError`
 * (`WAREHOUSE_CHANGED`) if the fact has lost a column that they need.
 */
export async function makeSums(client: Client, fact: Fact): Promise<void> {
  const found = await client.query<{ served: boolean }>(`select ${areSumsServed(fact)} as served`)
  if (onlyRow(found).served) return
  const wasMade = await dropSums(client, fact)
  const { sums } = fact
  if (sums === undefined) return
  try {
    for (const table of sumsTablesOf(fact)) await makeTable(client, fact, table)
    const shown = { fact, sums, types: await readTypes(client, fact) }
    checkTypes(shown)
    await client.query(fillSums(fact))
    await client.query(createSumsView(shown))
    await client.query(createSumsFunction(shown))
  } catch (error) {
    if (wasMade && codeOf(error) === SQL_STATE.undefinedColumn) throw lostColumn(fact, error)
    throw explainSums(fact, error)
  }
}

/** The error for a column that the fact had when its sums were made before. */
function lostColumn({ table }: Fact, cause: unknown): ContractError {
  const { message } = cause as Error
  const column = /"([^"]+)"/.exec(message)?.[1]
  const what = column === undefined ? `a column: ${message}` : `its column ${column}`
  return new ContractError(`The warehouse table ${table} has lost ${what}`, {
    code: 'WAREHOUSE_CHANGED',
    hint: RESTORE,
    cause,
  })
}

/**
 * SQL condition that the sums of a fact exist as it declares them now, and no others. Relations are
 * recognized by their comments.
 */
export function areSumsServed(fact: Fact): string {
  const tables = sumsTablesOf(fact)
  const made = tables.map(({ name, select }) => hasComment(name, commentOf(fact, select)))
  const others = `not exists (
      select 1 from pg_class as c where ${isMadeFor(fact)}
      and c.relname <> all (${textArray(tables.map(({ name }) => name))}))`
  const shown =
    fact.sums === undefined
      ? []
      : [
          hasComment(sumsView(fact), viewComment(fact)),
          `to_regprocedure(${asciiLiteral(sumsFunction(fact))}) is not null`,
        ]
  return `(${[...made, others, ...shown].map((sql) => `coalesce(${sql}, false)`).join(' and ')})`
}

/** SQL condition that a relation has this comment. Null if the relation does not exist. */
function hasComment(relation: string, comment: string): string {
  return `obj_description(to_regclass(${asciiLiteral(identifier(relation))}), 'pg_class') = ${asciiLiteral(comment)}`
}

/** The comment of a table of sums: the select that defines it. */
function commentOf(fact: Fact, select: string): string {
  return `${commentPrefix(fact)}${select}`
}

function commentPrefix({ table }: Fact): string {
  return `Sums over the current rows of ${table}: `
}

/**
 * SQL condition that a row `c` of `pg_class` is a table of sums that was made for a fact, by this
 * declaration or an earlier one.
 */
function isMadeFor(fact: Fact): string {
  return `c.relkind = 'r'
      and starts_with(c.relname::text, ${asciiLiteral(sumsName(fact.table, ''))})
      and c.relnamespace = to_regnamespace(quote_ident(current_schema()))
      and starts_with(obj_description(c.oid, 'pg_class'), ${asciiLiteral(commentPrefix(fact))})`
}

/**
 * Drops everything that was made for a fact's sums, also by an earlier declaration, and removes it
 * from the list of relations. Returns whether there was a table.
 */
async function dropSums(client: Client, fact: Fact): Promise<boolean> {
  await client.query(`
    drop function if exists ${sumsFunction(fact)};
    drop view if exists ${identifier(sumsView(fact))}`)
  const { rows } = await client.query<{ name: string }>(
    `select c.relname::text as name from pg_class as c where ${isMadeFor(fact)}`,
  )
  const names = rows.map(({ name }) => name)
  if (names.length > 0) await client.query(`drop table ${identifiers(names)}`)
  await client.query(`delete from tidemark_relation where name = any($1::text[])`, [
    [...names, sumsView(fact)],
  ])
  return names.length > 0
}

async function makeTable(
  client: Client,
  fact: Fact,
  { name, by, select }: SumsTable,
): Promise<void> {
  const table = identifier(name)
  await client.query(`
    create table ${table} as ${select} with no data;
    alter table ${table} add primary key (${identifiers(by)}), alter row_count set not null;
    create index on ${table} (row_count) where row_count = 0;
    comment on table ${table} is ${asciiLiteral(commentOf(fact, select))}`)
}

/** The types of a fact's columns and of its sums. If both have a name, the sum's type counts. */
async function readTypes(client: Client, fact: Fact): Promise<ReadonlyMap<string, string>> {
  const types = new Map<string, string>()
  for (const relation of [fact.table, ...sumsTablesOf(fact).map(({ name }) => name)]) {
    for (const { name, type } of await readColumns(client, identifier(relation))) {
      types.set(name, type)
    }
  }
  return types
}

/** Throws unless every sum stays exact while rows are added and taken away. */
function checkTypes({ fact, sums, types }: ShownSums): void {
  for (const name of Object.keys(sums.columns)) {
    const type = types.get(name) ?? ''
    if (type === 'bigint' || type === 'numeric') continue
    throw invalidSums(
      fact,
      `${name} would be ${type}, but only sums of integers and numerics are exact`,
    )
  }
}
