import type { Model } from '../project.ts'
import { duckLiteral, identifier } from '../sql.ts'

/** What makes a row unfit for the warehouse, with the reason code that goes to quarantine. */
export interface Rule {
  readonly column: string
  /** `not_null`, `not_a_day`, or the name of one of the model's checks. */
  readonly reason: string
  /** SQL condition of a row that breaks it; never null. */
  readonly broken: string
}

/** Reasons that are the platform's own; no check may be called so. */
export const OWN_REASONS: readonly string[] = ['not_null', 'not_a_day', 'cast', 'table_held']

/**
 * The rules of a model's rows: a value in its key and in every column that may not be null, a
 * finite one in every column of `days`, then the model's own checks. A model parses with `try_…`,
 * so what cannot be parsed arrives as a missing value.
 */
export function rulesOf(
  model: Model,
  { columns, days = [] }: { columns: readonly string[]; days?: readonly string[] },
): Rule[] {
  const required = columns.filter((name) => model.key.includes(name) || !isNullable(model, name))
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
    ...(model.checks ?? []).map(({ name, column, holds }): Rule => {
      return { column, reason: name, broken: `not coalesce((${holds}\n), true)` }
    }),
  ]
}

export function isNullable(model: Model, column: string): boolean {
  return model.nullable?.includes(column) ?? false
}

/** SQL condition of a row that breaks any of the rules. */
export function brokenBy(rules: readonly Rule[]): string {
  return `(${rules.map((rule) => rule.broken).join(' or ')})`
}

/** SQL of `_reason` and `_column`: the first rule that a row breaks, or that its table is held. */
export function faultOf(rules: readonly Rule[]): string {
  const pick = (value: (rule: Rule) => string) =>
    `case ${rules.map((rule) => `when ${rule.broken} then ${duckLiteral(value(rule))}`).join(' ')}`
  return `${pick((rule) => rule.reason)} else 'table_held' end as _reason,
    ${pick((rule) => rule.column)} end as _column`
}
