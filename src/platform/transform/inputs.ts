import { ConfigError } from '../errors.ts'
import type { CommitRecord } from '../lake/commit-record.ts'
import type { QuarantineLimits } from '../lake/quarantine/limits.ts'
import { readSql } from '../project/generation.ts'
import type { DataTest, Fact, Model } from '../project/model.ts'
import type { Project } from '../project/project.ts'
import { capturedTables } from '../project/source-contract.ts'
import type { Reach } from './made-rows.ts'
import { findChangeValue } from './lineage/change-values.ts'
import { type Parser, parseSelect } from './lineage/parsed-select.ts'
import type { Node } from './lineage/select-lineage.ts'
import { changesOf, type SourceInput } from './source-view.ts'

/** Everything that a processed batch depends on (I8). */
export interface TransformInput extends SourceInput {
  readonly project: Project
  readonly record: CommitRecord
  readonly latest: CommitRecord
  /** The ingestion batch before `record`; undefined for the first. */
  readonly before: CommitRecord | undefined
  /** The processed batch before the one to make; undefined at the start of a generation. */
  readonly previous: CommitRecord | undefined
  readonly limits: QuarantineLimits
}

/**
 * The relations that each model or test reads: source tables under their own names, and changes
 * under `change_<table>`.
 */
export type Reads = ReadonlyMap<Model | DataTest, readonly string[]>

/**
 * Reads which source tables, and which changes of them, the SQL of each model and test names.
 * Parses the SQL only, so it needs no open relation.
 */
export async function readInputs(parser: Parser, project: Project): Promise<Reads> {
  const inputs = new Map<Model | DataTest, string[]>()
  for (const each of [...project.models, ...(project.tests ?? [])]) {
    const { node, names } = await parseSelect(parser, readSql(each.sql))
    const tables = capturedTables(project.source).flatMap(({ name }) => [name, changesOf(name)])
    const read = tables.filter((name) => names.has(name.toLowerCase()))
    const isFact = 'kind' in each && each.kind === 'fact'
    if (isFact) checkFollows(each, read)
    if (isFact && each.follows !== undefined) {
      checkValues(each, node)
      inputs.set(each, [...new Set([each.from, ...read])])
    } else inputs.set(each, read)
  }
  return inputs
}

/**
 * Throws `ConfigError` (`PROJECT_INVALID`) unless a fact follows exactly the tables that its SQL
 * reads beside its own changes: otherwise a change to one of them would never reach the fact. A fact
 * that follows tables may also read its own table, whose changes it has.
 */
function checkFollows({ table, from, follows }: Fact, read: readonly string[]): void {
  const others = read.filter(
    (name) => name !== changesOf(from) && (follows === undefined || name !== from),
  )
  const silent = others.find((name) => follows?.includes(name) !== true)
  if (silent !== undefined) {
    throw new ConfigError(`Fact ${table} reads ${silent}, but does not follow it`, {
      code: 'PROJECT_INVALID',
      hint: hintFor(silent, from),
    })
  }
  const idle = follows?.find((name) => !others.includes(name))
  if (idle !== undefined) {
    throw new ConfigError(`Fact ${table} follows ${idle}, which its SQL does not read`, {
      code: 'PROJECT_INVALID',
      hint: `join ${idle} in ${table}.sql, or remove it from follows`,
    })
  }
}

function hintFor(silent: string, from: string): string {
  if (silent === from) return `declare follows: [], so that the fact may read ${from} as it stands`
  if (silent.startsWith(changesOf(''))) {
    const table = silent.slice(changesOf('').length)
    return `join ${table} instead, and add follows: ['${table}'] to the fact`
  }
  return `add follows: ['${silent}'] to the fact, so that a change to it makes new versions`
}

/**
 * Throws `ConfigError` (`PROJECT_INVALID`) if a fact that follows tables makes a value from a column
 * that tells of a change: its rows are made again in later batches, and the value would differ though
 * nothing in the source does.
 */
function checkValues({ table }: Fact, node: Node): void {
  const used = findChangeValue(node)
  if (used === undefined) return
  throw new ConfigError(
    `Fact ${table} follows tables, so it may only pass ${used} on, not use it`,
    {
      code: 'PROJECT_INVALID',
      hint: `use a column of the source, or ask the history of ${table} when its versions were made`,
    },
  )
}

/**
 * Which rows of a model a batch can change. `all`: at the start of a generation, or if a table
 * that it reads has a new schema, because its rows may then show other values although none of them
 * changed. `some`: if a table that it reads changed. `none`: otherwise.
 */
export function reachOf(
  model: Model,
  { record, before, previous }: Pick<TransformInput, 'record' | 'before' | 'previous'>,
  reads: Reads,
): Reach {
  const names = reads.get(model) ?? []
  const isReshaped = (name: string): boolean =>
    record.tables[name]?.fingerprint !== before?.tables[name]?.fingerprint
  if (previous === undefined || names.some(isReshaped)) return 'all'
  return names.some((name) => isChanged(record, name)) ? 'some' : 'none'
}

/** The models that a batch surely runs: facts with changes, and dimensions that it can change. */
export function modelsDue(input: TransformInput, reads: Reads): Model[] {
  return input.project.models.filter((model) =>
    model.kind === 'fact' && model.follows === undefined
      ? isChanged(input.record, model.from)
      : reachOf(model, input, reads) !== 'none',
  )
}

/** The data tests that read the changes of a table which this batch changes. */
export function testsDue({ project, record }: TransformInput, reads: Reads): DataTest[] {
  const changed = Object.keys(record.tables).filter((name) => isChanged(record, name))
  return (project.tests ?? []).filter((test) =>
    changed.some((name) => reads.get(test)?.includes(changesOf(name)) === true),
  )
}

/** Whether a batch has changes to a table. */
export function isChanged({ tables }: CommitRecord, name: string): boolean {
  return (tables[name]?.changes.length ?? 0) > 0
}
