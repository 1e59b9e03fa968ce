import { join } from 'node:path'
import type { DuckDb } from '../duckdb.ts'
import { prepareFile, type PendingBatch, writeParquet } from '../lake/capture.ts'
import type { FileRef } from '../lake/commit-record.ts'
import type { Model } from '../project.ts'
import { duckLiteral, identifier } from '../sql.ts'

/** What makes a row unfit for the warehouse, with the reason code that goes to quarantine. */
export interface Rule {
  readonly column: string
  readonly reason: 'not_null' | 'not_a_day'
  /** SQL condition of a row that breaks it; never null. */
  readonly broken: string
}

/**
 * The rules of a model's rows: a value in its key and in every column that may not be null, a
 * finite one in every column of `days`. A model parses with `try_…`, so what cannot be parsed arrives as a missing value.
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
  ]
}

export function isNullable(model: Model, column: string): boolean {
  return model.nullable?.includes(column) ?? false
}

/** SQL condition of a row that breaks any of the rules. */
export function brokenBy(rules: readonly Rule[]): string {
  return `(${rules.map((rule) => rule.broken).join(' or ')})`
}

/** SQL of `_reason` and `_column`: the first rule that a rejected row breaks. */
export function faultOf(rules: readonly Rule[]): string {
  const pick = (value: (rule: Rule) => string) =>
    `case ${rules.map((rule) => `when ${rule.broken} then ${duckLiteral(value(rule))}`).join(' ')} end`
  return `${pick((rule) => rule.reason)} as _reason, ${pick((rule) => rule.column)} as _column`
}

/**
 * Moves the rows of the temporary table `from` that break a rule into the temporary table
 * `rejected`, each with the first rule it breaks. Returns their number.
 */
export async function moveRejected(
  db: DuckDb,
  { from, rejected, rules }: { from: string; rejected: string; rules: readonly Rule[] },
): Promise<number> {
  const broken = brokenBy(rules)
  await db.run(`
    create or replace temp table ${identifier(rejected)} as
    select *, ${faultOf(rules)} from ${identifier(from)} where ${broken}`)
  const [found] = await db.rows<{ rows: bigint }>(
    `select count(*) as rows from ${identifier(rejected)}`,
  )
  const rows = Number(found?.rows)
  if (rows > 0) await db.run(`delete from ${identifier(from)} where ${broken}`)
  return rows
}

/** Writes rejected rows to the zone's quarantine; they exist for readers once the batch is committed. */
export async function prepareQuarantine(
  batch: PendingBatch,
  name: string,
  { relation, rows, index = 0 }: { relation: string; rows: number; index?: number },
): Promise<FileRef[]> {
  if (rows === 0) return []
  const path = join(batch.db.scratchDir, 'quarantine.parquet')
  await writeParquet(batch.db, `select * from ${relation}`, path)
  return [await prepareFile(batch, { name }, { path, rows, index, folder: 'quarantine/' })]
}
