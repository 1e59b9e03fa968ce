import { readFileSync } from 'node:fs'
import { codeOf, ConfigError, ContractError } from '../errors.ts'
import { type Client, onlyRow } from '../io/postgres.ts'
import { asciiLiteral, textArray } from '../io/session.ts'
import { SQL_STATE } from '../io/sql-states.ts'
import { identifier, identifiers } from '../io/sql.ts'
import { type Fact, revisionsName, sumsName, sumsView } from '../project/model.ts'
import { readColumnNames } from './columns.ts'
import { checkExact, readTypes } from './exact-sums.ts'
import { hasUniqueIndex } from './make-history.ts'
import { beforeName, createRevisions, fillRevisions } from './revisions.ts'
import {
  explainSums,
  fillSums,
  invalidSums,
  loadedSums,
  sumsFunction,
  type SumsTable,
  sumsTablesOf,
} from './sums.ts'
import { createSumsFunction, createSumsView, viewComment } from './sums-view.ts'
import { RESTORE } from './warehouse.ts'

const NAME_TAKEN = readFileSync(new URL('./name-taken.sql', import.meta.url), 'utf8')

/**
 * Creates or updates the sums of a fact: a table for each grain, filled from the current rows; its
 * revisions; the view of the sums and the single rows; and the function that shows the same as of a
 * moment. If anything is missing or the declaration has changed, makes all of them again. Drops them
 * if the fact declares no sums any more. May be repeated. Call it in a transaction, after `makeHistory`.
 *
 * Throws `ConfigError` (`SUMS_INVALID`) if Postgres cannot make the sums, and `ContractError`
 * (`WAREHOUSE_CHANGED`) if the fact has lost a column that they need.
 *
 * `isReplaced` says that another generation is about to replace all rows. Sums that cannot be made
 * of the old rows, for example by a column that these lack, then stay empty until the next call.
 */
export async function makeSums(
  client: Client,
  fact: Fact,
  { isReplaced = false }: { isReplaced?: boolean } = {},
): Promise<void> {
  const found = await client.query<{ served: boolean }>(`select ${areSumsServed([fact])} as served`)
  if (onlyRow(found).served) return
  const made = await findMade(client, fact)
  const declared = new Set(made.filter(({ isDeclared }) => isDeclared).map(({ name }) => name))
  const names = made.map(({ name }) => name)
  await checkNamesFree(client, fact, names)
  await dropSums(client, fact, names)
  const { sums } = fact
  if (sums === undefined) return
  try {
    for (const table of sumsTablesOf(fact)) {
      await makeTable(client, fact, table).catch((error: unknown) => {
        throw explainMaking(fact, { error, wasMade: declared.has(table.name) })
      })
    }
    await createRevisions(client, fact, revisionsComment(fact))
    await fillRevisions(client, fact)
    const types = await readTypes(client, fact)
    const shown = { fact, sums, types, columns: await readColumnNames(client, fact) }
    await checkExact(client, shown)
    await fillOrWait(client, fact, isReplaced)
    await client.query(createSumsView(shown))
    await client.query(createSumsFunction(shown))
  } catch (error) {
    throw explainMaking(fact, { error, wasMade: declared.size > 0 })
  }
}

/**
 * Throws `ConfigError` (`SUMS_INVALID`) if something else has the name that the view or a table of the
 * sums needs. `made` names the tables that were made for the sums before.
 */
async function checkNamesFree(client: Client, fact: Fact, made: readonly string[]): Promise<void> {
  const { rows } = await client.query<{ name: string; rename: string }>(NAME_TAKEN, [
    loadedSums(fact).filter((name) => !made.includes(name)),
    fact.sums === undefined && made.length === 0 ? '' : sumsView(fact),
  ])
  const [taken] = rows
  if (taken === undefined) return
  throw invalidSums(fact, `${taken.name} is the name of something else`, { hint: taken.rename })
}

/**
 * Explains an error from making sums. If the same sums were made before, a column that does not exist
 * is one that the fact has lost. Otherwise the declaration is wrong.
 */
function explainMaking(
  fact: Fact,
  { error, wasMade }: { error: unknown; wasMade: boolean },
): unknown {
  const isLost = wasMade && codeOf(error) === SQL_STATE.undefinedColumn
  return isLost ? lostColumn(fact, error) : explainSums(fact, error)
}

/** The error for a column that the fact had when the same sums were made before. */
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
 * SQL condition that the sums of facts exist as these declare them now, with their keys, and no
 * others. Relations are recognized by their comments.
 */
export function areSumsServed(facts: readonly Fact[]): string {
  const tables = facts.flatMap((fact) => sumsTablesOf(fact).map((table) => ({ fact, ...table })))
  const shown = facts.filter(({ sums }) => sums !== undefined)
  const relations = [
    ...tables.map(({ fact, name, by, select }) => ({
      name,
      comment: commentOf(fact, select),
      key: JSON.stringify(by),
    })),
    ...shown.map((fact) => ({
      name: revisionsName(fact),
      comment: revisionsComment(fact),
      key: JSON.stringify([fact.recordId]),
    })),
    ...shown.map((fact) => ({ name: sumsView(fact), comment: viewComment(fact), key: '' })),
  ]
  const made = [...tables.map(({ name }) => name), ...shown.map(revisionsName)]
  return `not exists (
      select 1
      from unnest(
          ${textArray(relations.map(({ name }) => identifier(name)))},
          ${textArray(relations.map(({ comment }) => comment))},
          ${textArray(relations.map(({ key }) => key))}
      ) as s (name, comment, key)
      where
          obj_description(to_regclass(s.name), 'pg_class') is distinct from s.comment
          or (s.key <> '' and not ${hasUniqueIndex(
            'to_regclass(s.name)',
            'array(select jsonb_array_elements_text(s.key::jsonb))',
          )})
      union all
      select 1 from unnest(${textArray(shown.map(sumsFunction))}) as f (signature)
      where to_regprocedure(f.signature) is null
      union all
      select 1
      from unnest(
          ${textArray(shown.map(({ table }) => identifier(table)))},
          ${textArray(shown.map((fact) => identifier(revisionsName(fact))))},
          ${textArray(shown.map(({ key }) => JSON.stringify(key)))}
      ) as r (fact, revisions, key)
      cross join lateral (
          select a.attname
          from pg_attribute as a
          where a.attrelid = to_regclass(r.fact) and a.attnum > 0 and not a.attisdropped
      ) as a
      cross join lateral (
          values (a.attname), (case when not r.key::jsonb ? a.attname::text
              then ${asciiLiteral(beforeName(''))} || a.attname end)
      ) as needed (name)
      where needed.name is not null and not exists (
          select 1
          from pg_attribute as h
          where h.attrelid = to_regclass(r.revisions)
              and h.attname = needed.name::name
              and not h.attisdropped
      )
      union all
      select 1 from pg_class as c
      where ${areMadeFor(facts)} and c.relname <> all (${textArray(made)}))`
}

/** The comment of a table of sums: the select that defines it. */
function commentOf(fact: Fact, select: string): string {
  return `${commentPrefix(fact)}${select}`
}

function commentPrefix({ table }: Fact): string {
  return `Sums over the current rows of ${table}: `
}

/** The comment of the table of a fact's revisions. */
function revisionsComment({ table }: Fact): string {
  return `Revisions of ${table}: each version that follows another, beside the version before it`
}

/**
 * SQL condition that a row `c` of `pg_class` is a table of sums or of revisions that was made for one
 * of these facts, by its declaration of now or an earlier one.
 */
function areMadeFor(facts: readonly Fact[]): string {
  return `c.relkind = 'r'
      and c.relnamespace = to_regnamespace(quote_ident(current_schema()))
      and exists (
          select 1 from unnest(
              ${textArray([...facts.map(({ table }) => sumsName(table, '')), ...facts.map(revisionsName)])},
              ${textArray([...facts.map(commentPrefix), ...facts.map(revisionsComment)])}
          ) as p (name, comment)
          where starts_with(c.relname::text, p.name)
              and starts_with(obj_description(c.oid, 'pg_class'), p.comment)
      )`
}

/** The tables that were made for a fact's sums, also by an earlier declaration. */
async function findMade(
  client: Client,
  fact: Fact,
): Promise<readonly { readonly name: string; readonly isDeclared: boolean }[]> {
  const { rows } = await client.query<{ name: string; comment: string }>(
    `select c.relname::text as name, obj_description(c.oid, 'pg_class') as comment
     from pg_class as c where ${areMadeFor([fact])}`,
  )
  const declared = new Set(sumsTablesOf(fact).map(({ select }) => commentOf(fact, select)))
  return rows.map(({ name, comment }) => ({ name, isDeclared: declared.has(comment) }))
}

/**
 * Drops the view and the function of a fact's sums and their tables, given by name, and removes them
 * from the list of relations. Throws `ConfigError` (`SUMS_IN_USE`) if something else depends on one
 * of them.
 */
async function dropSums(client: Client, fact: Fact, names: readonly string[]): Promise<void> {
  const tables = names.length === 0 ? '' : `drop table ${identifiers(names)};`
  const drop = `
    drop function if exists ${sumsFunction(fact)};
    drop view if exists ${identifier(sumsView(fact))};
    ${tables}`
  await client.query(drop).catch((error: unknown) => {
    if (codeOf(error) !== SQL_STATE.dependentObjectsStillExist) throw error
    throw usedSums(fact, error)
  })
  await client.query(`delete from tidemark_relation where name = any($1::text[])`, [
    [...names, sumsView(fact)],
  ])
}

/** Drops what was made for a fact's sums, by any declaration. May be repeated. Throws like `makeSums`. */
export async function removeSums(client: Client, fact: Fact): Promise<void> {
  const made = await findMade(client, fact)
  if (made.length === 0) return
  await dropSums(
    client,
    fact,
    made.map(({ name }) => name),
  )
}

/** The relations that were made for a fact's sums, by any declaration. */
export async function listSums(client: Client, fact: Fact): Promise<string[]> {
  const made = await findMade(client, fact)
  return made.length === 0 ? [] : [...made.map(({ name }) => name), sumsView(fact)]
}

/** The error for sums that must be made again while something of somebody else's depends on them. */
function usedSums({ table }: Fact, cause: unknown): ConfigError {
  const { message, detail = message } = cause as { message: string; detail?: string }
  return new ConfigError(`The sums of ${table} must be made again, but ${detail}`, {
    code: 'SUMS_IN_USE',
    hint: 'drop what depends on them, run, and create it again; nothing was changed',
    cause,
  })
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

/**
 * Fills the sums. If that fails for a row of a fact whose rows are about to be replaced, leaves the
 * sums empty, and not recognized as made (`areSumsServed`).
 */
async function fillOrWait(client: Client, fact: Fact, isReplaced: boolean): Promise<void> {
  await client.query('savepoint before_sums')
  try {
    await client.query(fillSums(fact))
    await client.query('release savepoint before_sums')
  } catch (error) {
    if (!isReplaced || !/^(22|23)/.test(codeOf(error))) throw error
    await client.query('rollback to savepoint before_sums; release savepoint before_sums')
    for (const { name } of sumsTablesOf(fact)) {
      const comment = asciiLiteral(`${commentPrefix(fact)}not filled yet`)
      await client.query(`comment on table ${identifier(name)} is ${comment}`)
    }
  }
}
