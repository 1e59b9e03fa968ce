import { asciiLiteral } from '../io/session.ts'
import { identifier, identifiers } from '../io/sql.ts'
import { asOfFunction, currentTable, isPresent } from '../project/fact-names.ts'
import {
  type Fact,
  revisionsName,
  ROW_GRAIN,
  type Sums,
  sumsColumnsOf,
  sumsView,
} from '../project/model.ts'
import { isAnythingKnown } from './past.ts'
import { beforeName, columnsBefore } from './revisions.ts'
import { sqlOf, type SumsTable, sumsTablesOf } from './sums.ts'

/** A fact whose sums are shown, and the types of its columns and of its sums by name. */
export interface ShownSums {
  readonly fact: Fact
  /** The fact's columns, in order. */
  readonly columns: readonly string[]
  readonly sums: Sums
  readonly types: ReadonlyMap<string, string>
}

/**
 * The comment of the view, by which it is recognized. It changes with everything that the view and
 * the function show and that the tables' own comments do not say.
 */
export function viewComment(fact: Fact): string {
  const columns = [...sumsColumnsOf(fact), ...Object.entries(fact.sums?.columns ?? {}).flat()]
  return `Current rows of ${fact.table}, single (grain ${ROW_GRAIN}) and summed: ${columns.join(', ')}`
}

/**
 * SQL that creates the view of a fact's single rows and all its sums. In each arm `grain` is a
 * constant, so for a select of one grain the planner leaves out the other arms.
 */
export function createSumsView(shown: ShownSums): string {
  const { fact } = shown
  const view = identifier(sumsView(fact))
  const arms = sumsTablesOf(fact).map(
    (table) => `
    select ${listSums(shown, table)} from ${identifier(table.name)}`,
  )
  return `
    create view ${view} as
    select ${listRows(shown)} from ${identifier(currentTable(fact))}
    union all ${arms.join(' union all ')};
    comment on view ${view} is ${asciiLiteral(viewComment(fact))}`
}

/** SQL that creates the function of a fact's single rows and all its sums as of a moment. */
export function createSumsFunction(shown: ShownSums): string {
  const { fact } = shown
  const arms = sumsTablesOf(fact).map(
    (table) => `
      select ${listSums(shown, table)}
      from (${selectSumsThen(shown, table)}) as summed`,
  )
  return `
    create function ${identifier(`${fact.table}_sums_as_of`)} (moment timestamptz)
    returns setof ${identifier(sumsView(fact))}
    language sql stable parallel safe
    begin atomic
      select ${listRows(shown)}
      from ${identifier(asOfFunction(fact))}($1)
      union all ${arms.join(' union all ')};
    end`
}

/**
 * Select of one grain's sums as of the moment `$1`: the sums of now, minus the versions captured
 * later, plus the version before each of them. If a key has several later versions, the versions in
 * between cancel out.
 */
function selectSumsThen(
  { fact, columns, sums, types }: ShownSums,
  { name, by, added }: SumsTable,
): string {
  const entry = (sign: '' | '-') =>
    [
      ...by.map((column) => as(column, `(${sqlOf(sums, column)})::${types.get(column)}`)),
      ...added.map((column) =>
        column === 'row_count'
          ? as(column, `${sign}1::bigint`)
          : as(column, `${sign}coalesce(${sums.columns[column]}, 0)::${types.get(column)}`),
      ),
    ].join(', ')
  const summed = added.map((column) => as(column, `sum(${identifier(column)})`)).join(', ')
  return `
          select ${identifiers(by)}, ${summed}
          from (
              select ${identifiers([...by, ...added])} from ${identifier(name)}
              where ${isAnythingKnown(fact)}
              union all
              select ${entry('-')} from ${identifier(fact.table)}
              where ${isAnythingKnown(fact)}
                  and recorded_at > $1
                  and ${isPresent(fact, 'record_operation')}
              union all
              select ${entry('')}
              from (
                  select ${listBefore(fact, columns)} from ${identifier(revisionsName(fact))}
                  where ${isAnythingKnown(fact)}
                      and recorded_at > $1
                      and ${isPresent(fact, identifier(beforeName('record_operation')))}
              ) as before
          ) as entry
          group by ${identifiers(by)}
          having sum(row_count) > 0`
}

/** The version before a revision, with the names of the fact's columns. */
function listBefore(fact: Fact, columns: readonly string[]): string {
  return [
    identifiers(fact.key),
    ...columnsBefore(fact, columns).map((name) => as(name, identifier(beforeName(name)))),
  ].join(', ')
}

/** The columns of the view for single rows: everything is computed from the row. */
function listRows({ fact, sums, types }: ShownSums): string {
  const typed = (name: string, sql: string) => as(name, `(${sql})::${types.get(name) ?? 'text'}`)
  return [
    grainIs(ROW_GRAIN),
    ...sumsColumnsOf(fact).map((name) => typed(name, sqlOf(sums, name))),
    as('row_count', '1::bigint'),
    ...Object.entries(sums.columns).map(([name, sql]) => typed(name, sql)),
  ].join(', ')
}

/** The columns of the view for one grain's sums. The columns of other grains are null. */
function listSums({ fact, types }: ShownSums, { grain, by, added }: SumsTable): string {
  const typed = (name: string, sql: string) => as(name, `(${sql})::${types.get(name) ?? 'text'}`)
  return [
    grainIs(grain),
    ...sumsColumnsOf(fact).map((name) =>
      typed(name, by.includes(name) ? identifier(name) : 'null'),
    ),
    ...added.map((name) =>
      name === 'row_count' ? as(name, 'row_count::bigint') : typed(name, identifier(name)),
    ),
  ].join(', ')
}

function grainIs(grain: string): string {
  return `'${grain}'::text as grain`
}

function as(name: string, sql: string): string {
  return `${sql} as ${identifier(name)}`
}
