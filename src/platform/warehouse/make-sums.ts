import { codeOf, ConfigError, ContractError } from '../errors.ts'
import { type Client, onlyRow } from '../io/postgres.ts'
import { asciiLiteral } from '../io/session.ts'
import { SQL_STATE } from '../io/sql-states.ts'
import { identifier, identifiers } from '../io/sql.ts'
import { type Fact, ROW_GRAIN, type Sums, sumsName } from '../project/model.ts'
import { haveSameKey } from './same-key.ts'
import {
  explainSums,
  fillSums,
  invalidSums,
  sqlOf,
  sumsColumnsOf,
  sumsFunction,
  type SumsTable,
  sumsTablesOf,
  sumsView,
} from './sums.ts'
import { RESTORE } from './warehouse.ts'

/**
 * Creates or updates the sums of a fact: a table for each grain, filled from the current rows, the
 * view over them and the single rows, and the function that shows them as of a moment. If anything
 * is missing or declared otherwise now, all are made again. May be repeated. Throws `ConfigError`
 * (`SUMS_INVALID`) if Postgres cannot make them, and
 * `ContractError` (`WAREHOUSE_CHANGED`) if the fact has lost a column of theirs. Call it in a transaction,
 * after `makeHistory`.
 *
 * `isReplaced` says that another generation is about to replace all rows. Sums that cannot be made
 * of the old rows, for example by a column that these lack, then stay empty until the next call.
 */
export async function makeSums(
  client: Client,
  fact: Fact,
  { isReplaced = false }: { isReplaced?: boolean } = {},
): Promise<void> {
  const found = await client.query<{ served: boolean }>(`select ${areSumsServed(fact)} as served`)
  if (onlyRow(found).served) return
  const wasMade = await dropSums(client, fact).catch((error: unknown) => {
    throw explainInUse(fact, error)
  })
  const { sums } = fact
  if (sums === undefined) return
  try {
    for (const table of sumsTablesOf(fact)) await makeTable(client, fact, table)
    const types = await readTypes(client, fact)
    checkTypes(fact, sums, types)
    await checkImmutable(client, fact, sums)
    await requireFinite(client, fact, types)
    await fillOrWait(client, fact, isReplaced)
    await client.query(viewOf(fact, sums, types))
    await client.query(functionOf(fact, sums, types))
  } catch (error) {
    const code = codeOf(error)
    if (wasMade && code === SQL_STATE.undefinedColumn) throw lost(fact, error)
    throw explainSums(fact, error)
  }
}

/** The error to throw if sums that must be made again cannot be dropped. */
function explainInUse({ table }: Fact, error: unknown): unknown {
  if (codeOf(error) !== SQL_STATE.dependentObjectsStillExist) return error
  const { detail = '' } = error as { detail?: string }
  return new ConfigError(
    `The sums of ${table} must be made again, but something else is made from them: ${detail}`,
    {
      code: 'SUMS_IN_USE',
      hint: 'nothing was changed; drop what is made from them, run, and make it again',
      cause: error,
    },
  )
}

/** The error for a column that was there when the sums were made. */
function lost({ table }: Fact, cause: unknown): ContractError {
  const { message } = cause as Error
  const column = /"([^"]+)"/.exec(message)?.[1]
  const what = column === undefined ? `a column: ${message}` : `its column ${column}`
  return new ContractError(`The warehouse table ${table} has lost ${what}`, {
    code: 'WAREHOUSE_CHANGED',
    hint: RESTORE,
    cause,
  })
}

/** SQL condition that the sums of a fact exist as it declares them now, and no others. */
export function areSumsServed(fact: Fact): string {
  const view = sumsView(fact)
  const made = sumsTablesOf(fact).map(
    ({ name, select }) =>
      `obj_description(to_regclass(${asciiLiteral(identifier(name))}), 'pg_class') = ${asciiLiteral(commentOf(fact, select))}`,
  )
  const others = `not exists (
      select 1 from pg_class as c where ${isMadeFor(fact)}
      and c.relname <> all (array[${sumsTablesOf(fact)
        .map(({ name }) => asciiLiteral(name))
        .join(', ')}]::text[]))`
  const shown =
    fact.sums === undefined
      ? []
      : [
          `obj_description(to_regclass(${asciiLiteral(identifier(view))}), 'pg_class') = ${asciiLiteral(viewComment(fact))}`,
          `to_regprocedure(${asciiLiteral(sumsFunction(fact))}) is not null`,
        ]
  return `(${[...made, others, ...shown].map((sql) => `coalesce(${sql}, false)`).join(' and ')})`
}

/** The comment of a table of sums is its definition, by which it is recognized. */
function commentOf(fact: Fact, select: string): string {
  return `${commentPrefix(fact)}${select}`
}

function commentPrefix({ table }: Fact): string {
  return `Sums over the current rows of ${table}: `
}

function viewComment(fact: Fact): string {
  const columns = [...sumsColumnsOf(fact), ...Object.entries(fact.sums?.columns ?? {}).flat()]
  return `Current rows of ${fact.table}, single (grain ${ROW_GRAIN}) and summed: ${columns.join(', ')}`
}

/** SQL condition that a relation `c` of `pg_class` is a table of sums that was made for a fact. */
function isMadeFor(fact: Fact): string {
  return `c.relkind = 'r' and starts_with(c.relname::text, ${asciiLiteral(sumsName(fact.table, ''))}) and c.relnamespace = to_regnamespace(quote_ident(current_schema()))
      and starts_with(obj_description(c.oid, 'pg_class'), ${asciiLiteral(commentPrefix(fact))})`
}

/**
 * Drops everything that was made for a fact's sums, also by an earlier declaration. Returns whether
 * there was anything.
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

/**
 * The types of a fact's own columns, and of those that its sums add. A sum may have the name of a
 * column that it adds up; then the type is that of the sum. A domain may refuse the null that grains
 * without the column show, so its own type stands for it.
 */
async function readTypes(client: Client, fact: Fact): Promise<ReadonlyMap<string, string>> {
  const tables = [fact.table, ...sumsTablesOf(fact).map(({ name }) => name)]
  const { rows } = await client.query<{ name: string; type: string }>(
    `with recursive column_type as (
         select attrelid, attname::text as name, atttypid as type, atttypmod as modifier
         from pg_attribute
         where attrelid = any($1::text[]::regclass[]) and attnum > 0 and not attisdropped
         union all
         select c.attrelid, c.name, t.typbasetype, t.typtypmod
         from column_type as c inner join pg_type as t on t.oid = c.type and t.typtype = 'd'
     )
     select name, format_type(c.type, c.modifier) as type
     from column_type as c inner join pg_type as t on t.oid = c.type and t.typtype <> 'd'
     order by c.attrelid <> $2::text::regclass`,
    [tables.map(identifier), identifier(fact.table)],
  )
  return new Map(rows.map(({ name, type }) => [name, type]))
}

/** Throws unless every sum is exact, whatever is added and taken away. */
function checkTypes(fact: Fact, { columns }: Sums, types: ReadonlyMap<string, string>): void {
  for (const name of Object.keys(columns)) {
    const type = types.get(name) ?? ''
    if (type === 'bigint' || type === 'numeric') continue
    throw invalidSums(
      fact,
      `${name} would be ${type}, but only sums of integers and numerics are exact`,
    )
  }
}

/**
 * Throws `ConfigError` unless each expression always has the same value for the same row. If
 * it depended on the day or on the time zone, a load would take away what it never added.
 */
async function checkImmutable(
  client: Client,
  fact: Fact,
  { columns, derived = {} }: Sums,
): Promise<void> {
  const checked = identifier(`checked ${fact.table}`)
  await client.query(`create table ${checked} (like ${identifier(`${fact.table}_current`)})`)
  for (const sql of [...Object.values(columns), ...Object.values(derived)]) {
    await client.query(`create index on ${checked} ((${sql}))`).catch((error: unknown) => {
      if (codeOf(error) !== SQL_STATE.invalidObjectDefinition) throw error
      throw invalidSums(fact, `${sql} may have another value tomorrow or elsewhere`, error)
    })
  }
  await client.query(`drop table ${checked}`)
}

/** Makes the tables refuse NaN and infinity. What is added to them cannot be taken away again. */
async function requireFinite(
  client: Client,
  fact: Fact,
  types: ReadonlyMap<string, string>,
): Promise<void> {
  const numerics = Object.keys(fact.sums?.columns ?? {})
    .filter((name) => types.get(name) === 'numeric')
    .map(identifier)
  const checks = numerics.map(
    (name) => `add check (${name} > '-Infinity' and ${name} < 'Infinity')`,
  )
  if (checks.length === 0) return
  for (const { name } of sumsTablesOf(fact)) {
    await client.query(`alter table ${identifier(name)} ${checks.join(', ')}`)
  }
}

/**
 * Fills the sums. If that fails for the data of a fact whose rows are about to be replaced, leaves
 * the sums empty, and not recognized as made (`areSumsServed`).
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

/**
 * The view of single rows and of all sums. One select reads one grain: `grain` is a constant in each
 * arm, so the planner leaves out the other arms.
 */
function viewOf(fact: Fact, sums: Sums, types: ReadonlyMap<string, string>): string {
  const current = identifier(`${fact.table}_current`)
  const arms = sumsTablesOf(fact).map(
    ({ grain, name, by }) => `
    select ${listColumns({ fact, sums, types }, { grain, by })} from ${identifier(name)}`,
  )
  const view = identifier(sumsView(fact))
  return `
    create view ${view} as
    select ${listColumns({ fact, sums, types }, { grain: ROW_GRAIN })} from ${current}
    union all ${arms.join(' union all ')};
    comment on view ${view} is ${asciiLiteral(viewComment(fact))}`
}

/** What the columns of a view of sums are made from. */
interface SumsColumns {
  readonly fact: Fact
  readonly sums: Sums
  /** Types of columns by name. */
  readonly types: ReadonlyMap<string, string>
}

/** The columns of the view: for single rows computed, for sums read. */
function listColumns(
  { fact, sums, types }: SumsColumns,
  { grain, by }: { grain: string; by?: readonly string[] },
): string {
  const column = (name: string, sql: string) =>
    `(${sql})::${types.get(name) ?? 'text'} as ${identifier(name)}`
  const columns = sumsColumnsOf(fact).map((name) => {
    if (by === undefined) return column(name, sqlOf(sums, name))
    return by.includes(name) ? column(name, identifier(name)) : column(name, 'null')
  })
  const added = Object.entries(sums.columns).map(([name, sql]) =>
    column(name, by === undefined ? sql : identifier(name)),
  )
  const count = by === undefined ? '1' : 'row_count'
  return [`'${grain}'::text as grain`, ...columns, `${count}::bigint as row_count`, ...added].join(
    ', ',
  )
}

/**
 * The function of the sums as of a moment: the sums of now, without the current rows of which
 * something was captured later, and with their rows as of the moment.
 */
function functionOf(fact: Fact, sums: Sums, types: ReadonlyMap<string, string>): string {
  const table = identifier(fact.table)
  const recordId = identifier(fact.recordId)
  const isLater = (alias: string) =>
    `exists (select 1 from ${table} as n where ${haveSameKey(fact, 'n', alias)} and n.recorded_at > $1)`
  const added = Object.keys(sums.columns)
  const arms = sumsTablesOf(fact).map(({ grain, name, by }) => {
    const entry = (sign: string) =>
      [
        ...by.map(
          (column) => `(${sqlOf(sums, column)})::${types.get(column)} as ${identifier(column)}`,
        ),
        `${sign}1::bigint as row_count`,
        ...added.map(
          (column) =>
            `${sign}coalesce(${sums.columns[column]}, 0)::${types.get(column)} as ${identifier(column)}`,
        ),
      ].join(', ')
    const summed = ['row_count', ...added]
      .map((column) => `sum(${identifier(column)}) as ${identifier(column)}`)
      .join(', ')
    return `
      select ${listColumns({ fact, sums, types }, { grain, by })}
      from (
          select ${identifiers(by)}, ${summed}
          from (
              select ${identifiers([...by, 'row_count', ...added])} from ${identifier(name)}
              where $1 is not null
              union all
              select ${entry('-')} from ${identifier(`${fact.table}_current`)} as c where ${isLater('c')}
              union all
              select ${entry('')} from ${table} as f
              where f.recorded_at <= $1 and f.record_operation <> 'delete' and ${isLater('f')}
                  and not exists (
                      select 1 from ${table} as n
                      where ${haveSameKey(fact, 'n', 'f')} and n.${recordId} > f.${recordId}
                          and n.recorded_at <= $1
                  )
          ) as entry
          group by ${identifiers(by)}
          having sum(row_count) > 0
      ) as summed`
  })
  return `
    create function ${identifier(`${fact.table}_sums_as_of`)} (moment timestamptz)
    returns setof ${identifier(sumsView(fact))}
    language sql stable parallel safe
    begin atomic
      select ${listColumns({ fact, sums, types }, { grain: ROW_GRAIN })}
      from ${identifier(`${fact.table}_as_of`)}($1)
      union all ${arms.join(' union all ')};
    end`
}
