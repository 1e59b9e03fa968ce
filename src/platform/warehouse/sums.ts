import { codeOf, ConfigError } from '../errors.ts'
import { SQL_STATE } from '../io/sql-states.ts'
import { identifier, identifiers } from '../io/sql.ts'
import { type Fact, type Model, type Sums, sumsName } from '../project/model.ts'

/** A table that holds the sums of a fact's current rows by one grain. */
export interface SumsTable {
  readonly grain: string
  readonly name: string
  /** The columns by which it sums; its primary key. */
  readonly by: readonly string[]
  /** The select that fills it from the current rows, and so its definition. */
  readonly select: string
}

/** The tables of a fact's sums; none if it declares no sums. */
export function sumsTablesOf(fact: Fact): SumsTable[] {
  const { table, sums } = fact
  if (sums === undefined) return []
  return Object.entries(sums.grains).map(([grain, by]) => ({
    grain,
    name: sumsName(table, grain),
    by,
    select: selectSums(sums, by, identifier(`${table}_current`)),
  }))
}

/** The name of the view that shows all sums of a fact and its single rows. */
export function sumsView({ table }: Fact): string {
  return `${table}_sums_current`
}

/** The columns by which a fact's sums can be asked for: those of its grains, and those sought. */
export function sumsColumnsOf({ sums, sought = [] }: Fact): string[] {
  return [...new Set([...Object.values(sums?.grains ?? {}).flat(), ...sought])]
}

/** The quoted signature of the function that shows a fact's sums as of a moment. */
export function sumsFunction({ table }: Fact): string {
  return `${identifier(`${table}_sums_as_of`)}(timestamptz)`
}

/** SQL of a column by which a fact's rows are summed. */
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

/** Statements that empty the tables of a fact's sums if the fact has no current rows. */
export function emptySums(fact: Fact): string {
  const current = identifier(`${fact.table}_current`)
  return sumsTablesOf(fact)
    .map(
      ({ name }) => `delete from ${identifier(name)} where not exists (select 1 from ${current})`,
    )
    .join(';\n')
}

/** Statements that fill the empty tables of a fact's sums from its current rows. */
export function fillSums(fact: Fact): string {
  return sumsTablesOf(fact)
    .map(({ name, by, select }) => {
      const columns = identifiers([...by, 'row_count', ...Object.keys(fact.sums?.columns ?? {})])
      return `insert into ${identifier(name)} (${columns}) ${select}`
    })
    .join(';\n')
}

/** The tables that a load of a model fills. */
export function loadedTables(model: Model): string[] {
  if (model.kind !== 'fact') return [model.table]
  const sums = sumsTablesOf(model).map(({ name }) => name)
  return [model.table, `${model.table}_current`, ...sums]
}

/** The error for sums that Postgres cannot make or keep as the project declares them. */
export function invalidSums({ table }: Fact, why: string, cause?: unknown): ConfigError {
  return new ConfigError(`The sums of ${table} cannot be kept: ${why}`, {
    code: 'SUMS_INVALID',
    hint: `nothing was changed; correct sums of ${table} in the project`,
    cause,
  })
}

/**
 * The error to throw for what a statement over a fact's sums threw: `SUMS_INVALID` if one of their
 * expressions is wrong, fails for a row or gives no value; else the error itself, also if the tables
 * have lost their key (`tidemark doctor` names it).
 */
export function explainSums(fact: Fact, error: unknown): unknown {
  const code = codeOf(error)
  const isOfWarehouse =
    code === SQL_STATE.insufficientPrivilege || code === SQL_STATE.invalidColumnReference
  if (!/^(22|23|42)/.test(code) || isOfWarehouse) return error
  return invalidSums(fact, (error as Error).message, error)
}
