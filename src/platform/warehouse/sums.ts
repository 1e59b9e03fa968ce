import { codeOf, ConfigError } from '../errors.ts'
import { SQL_STATE } from '../io/sql-states.ts'
import { identifier, identifiers } from '../io/sql.ts'
import { currentTable } from '../project/fact-names.ts'
import { type Fact, type Model, revisionsName, type Sums, sumsName } from '../project/model.ts'

/** A table that holds the sums of a fact's current rows by one grain. */
export interface SumsTable {
  readonly grain: string
  readonly name: string
  /** The columns by which it sums; its primary key. */
  readonly by: readonly string[]
  /** Its other columns: `row_count`, and the sums that the fact declares. */
  readonly added: readonly string[]
  /** The select that fills it from the current rows, with the columns of `by` and then `added`. */
  readonly select: string
}

/** The tables of a fact's sums; none if it declares no sums. */
export function sumsTablesOf(fact: Fact): SumsTable[] {
  const { table, sums } = fact
  if (sums === undefined) return []
  const added = ['row_count', ...Object.keys(sums.columns)]
  return Object.entries(sums.grains).map(([grain, by]) => ({
    grain,
    name: sumsName(table, grain),
    by,
    added,
    select: selectSums(sums, by, identifier(currentTable({ table }))),
  }))
}

/** The quoted signature of the function that shows a fact's sums as of a moment. */
export function sumsFunction({ table }: Fact): string {
  return `${identifier(`${table}_sums_as_of`)}(timestamptz)`
}

/** SQL of a column by which rows are summed: its name, or its expression if it is derived. */
export function sqlOf({ derived = {} }: Sums, column: string): string {
  return Object.hasOwn(derived, column) ? (derived[column] ?? '') : identifier(column)
}

/** The select of the sums of a relation's rows by these columns, with the number of rows. */
function selectSums(sums: Sums, by: readonly string[], from: string): string {
  const columns = by.map((name) => `${sqlOf(sums, name)} as ${identifier(name)}`)
  const added = Object.entries(sums.columns).map(
    ([name, sql]) => `coalesce(sum(${sql}), 0) as ${identifier(name)}`,
  )
  const selected = [...columns, 'count(*) as row_count', ...added].join(', ')
  return `select ${selected} from ${from} group by ${by.map((_, index) => index + 1).join(', ')}`
}

/** Statements that compute a fact's sums from its current rows, whatever the tables hold. */
export function fillSums(fact: Fact): string {
  return sumsTablesOf(fact)
    .map(({ name, by, added, select }) => {
      const table = identifier(name)
      return `delete from ${table}; insert into ${table} (${identifiers([...by, ...added])}) ${select}`
    })
    .join(';\n')
}

/**
 * The tables that a load of a model fills: its own, and of a fact the current rows, the sums and the
 * revisions.
 */
export function loadedTables(model: Model): string[] {
  if (model.kind !== 'fact') return [model.table]
  return [model.table, currentTable(model), ...loadedSums(model)]
}

/** The tables of a fact's sums, and the table of its revisions, which sums as of a moment need. */
export function loadedSums(fact: Fact): string[] {
  if (fact.sums === undefined) return []
  return [...sumsTablesOf(fact).map(({ name }) => name), revisionsName(fact)]
}

/** The error for sums that Postgres cannot make, or cannot keep, as the project declares them. */
export function invalidSums(
  { table }: Fact,
  why: string,
  {
    cause,
    hint = `correct sums of ${table} in the project`,
  }: { cause?: unknown; hint?: string } = {},
): ConfigError {
  return new ConfigError(`The sums of ${table} cannot be kept: ${why}`, {
    code: 'SUMS_INVALID',
    hint: `nothing was changed; ${hint}`,
    cause,
  })
}

/**
 * Explains an error from a statement that computes a fact's sums. Returns `ConfigError`
 * (`SUMS_INVALID`) if an expression of theirs is wrong, fails for a row, or is null where a grain
 * needs a value. Returns any other error unchanged. An error about a row gives no message of
 * Postgres, which may quote the row's values.
 */
export function explainSums(fact: Fact, error: unknown): unknown {
  const code = codeOf(error)
  const { message, column } = error as { message: string; column?: string }
  if (code === SQL_STATE.notNullViolation) {
    return invalidSums(fact, `${column ?? 'a column of a grain'} is null for a row`)
  }
  if (code === SQL_STATE.checkViolation) return invalidSums(fact, 'a sum is not a finite number')
  if (code.startsWith('22')) return invalidSums(fact, `an expression fails for a row [${code}]`)
  return isWrongSql(code) ? invalidSums(fact, message, { cause: error }) : error
}

/** Whether Postgres does not take an expression as it is written. A missing right is another fault. */
function isWrongSql(code: string): boolean {
  if (code === SQL_STATE.insufficientPrivilege) return false
  return code.startsWith('42') || code === SQL_STATE.featureNotSupported
}
