import { duckLiteral, identifier } from '../io/sql.ts'
import type { Column } from '../lake/lake-type.ts'
import type { Model, Severity } from '../project/model.ts'

/** A rule for a model's rows, with its name in quarantine and in counts. */
export interface Rule {
  readonly column: string
  /** One of `OWN_REASONS`, or the name of one of the model's checks. */
  readonly reason: string
  /** SQL condition of a row that breaks the rule; never null. */
  readonly broken: string
}

/**
 * Maximum number of bytes of text in an index entry. Postgres allows 2,704 with the entry's header
 * (`BTMaxItemSize`, src/include/access/nbtree.h).
 */
const MAX_INDEXED_BYTES = 2600

/**
 * The rules that a row must keep to be published: a value in the key and in every column that must
 * not be null; a finite value in every column of `days`; keys, references and sought columns that
 * are small enough for an index; and the model's checks with the severity `refuse`. A model parses
 * with `try_…`, so text that does not parse arrives as a missing value.
 */
export function rulesOf(
  model: Model,
  { columns, days = [] }: { columns: readonly Column[]; days?: readonly string[] },
): Rule[] {
  const names = columns.map(({ name }) => name)
  const required = names.filter((name) => model.key.includes(name) || !isNullable(model, name))
  return [
    ...required.map((column): Rule => {
      return { column, reason: 'not_null', broken: `${identifier(column)} is null` }
    }),
    ...days.map((column): Rule => {
      const day = identifier(column)
      return {
        column,
        reason: 'not_a_day',
        broken: `(${day} is not null and not isfinite(${day}))`,
      }
    }),
    ...indexedBy(model).flatMap((index) => sizeRule(index, columns)),
    ...checksOf(model, 'refuse'),
  ]
}

/** The columns of each index on the model's warehouse table. */
function indexedBy(model: Model): (readonly string[])[] {
  const sought = (model.sought ?? []).map((column) => [column])
  const references = model.kind === 'fact' ? model.references.map(({ columns }) => columns) : []
  return [model.key, ...references, ...sought]
}

/** The size rule of an index; none if all its columns are small. */
function sizeRule(index: readonly string[], columns: readonly Column[]): Rule[] {
  const large = columns.filter(({ name, type }) => index.includes(name) && !BOUNDED.test(type))
  const [first] = large
  if (first === undefined) return []
  const sizes = large.map(({ name }) => `coalesce(strlen(${identifier(name)}::varchar), 0)`)
  const broken = `(${sizes.join(' + ')} > ${MAX_INDEXED_BYTES})`
  return [{ column: first.name, reason: 'key_too_large', broken }]
}

/** Types whose values are all small. */
const BOUNDED =
  /^(BOOLEAN|U?[A-Z]*INT(EGER)?|DECIMAL\(.*\)|FLOAT|DOUBLE|DATE|TIME.*|UUID|INTERVAL)$/

/**
 * The model's checks with the severity `warn`. A row that breaks such a check is published and
 * counted.
 */
export function warningsOf(model: Model): Rule[] {
  return checksOf(model, 'warn')
}

function checksOf({ checks = [] }: Model, wanted: Severity): Rule[] {
  return checks
    .filter(({ severity = 'warn' }) => severity === wanted)
    .map(({ name, column, holds }) => {
      return { column, reason: name, broken: `not coalesce((${holds}\n), true)` }
    })
}

/** Whether a model's column may be null in a published row. */
export function isNullable(model: Model, column: string): boolean {
  return model.nullable?.includes(column) ?? false
}

/**
 * SQL condition of a row that breaks at least one of the rules. There must be at least one rule.
 */
export function brokenBy(rules: readonly Rule[]): string {
  return `(${rules.map((rule) => rule.broken).join(' or ')})`
}

/** SQL of a list: for each rule, the number of rows that meet `where` and break it. */
export function countBroken(rules: readonly Rule[], where = 'true'): string {
  const counts = rules.map(({ broken }) => `count(*) filter (where ${where} and ${broken})`)
  return `[${counts.join(', ')}]::bigint[]`
}

/**
 * Number of rows by the name of the rule that they break. A rule that no row breaks is left out.
 */
export type Broken = Readonly<Record<string, number>>

/** The counts from `countBroken`, by the rules' names. */
export function nameBroken(rules: readonly Rule[], counts: readonly bigint[]): Broken {
  const named = rules.map(({ reason }, index) => [reason, Number(counts[index])] as const)
  return Object.fromEntries(named.filter(([, rows]) => rows > 0))
}

/** The sums of counts, name by name. */
export function addBroken(all: readonly Broken[]): Broken {
  const sums = new Map<string, number>()
  for (const [name, rows] of all.flatMap((each) => Object.entries(each))) {
    sums.set(name, (sums.get(name) ?? 0) + rows)
  }
  return Object.fromEntries(sums)
}

/**
 * SQL of `_reason` and `_column`: the first rule that a row breaks; for a row that breaks none, the
 * reason `table_held`.
 */
export function reasonOf(rules: readonly Rule[]): string {
  const pick = (value: (rule: Rule) => string) =>
    `case ${rules.map((rule) => `when ${rule.broken} then ${duckLiteral(value(rule))}`).join(' ')}`
  return `${pick((rule) => rule.reason)} else 'table_held' end as _reason,
    ${pick((rule) => rule.column)} end as _column`
}
