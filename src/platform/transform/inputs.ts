import type { CommitRecord } from '../lake/commit-record.ts'
import type { QuarantineLimits } from '../lake/quarantine/limits.ts'
import { readSql } from '../project/generation.ts'
import type { DataTest, Fact, Model } from '../project/model.ts'
import type { Project } from '../project/project.ts'
import { capturedTables } from '../project/source-contract.ts'
import type { Reach } from './dimension.ts'
import { type Parser, parseSelect } from './lineage/parsed-select.ts'
import { changesOf, type SourceInput } from './source-view.ts'

export interface TransformInput extends SourceInput {
  readonly project: Project
  /** The ingestion batch before it. */
  readonly before: CommitRecord | undefined
  /** The processed batch before it, `undefined` at the beginning of a generation. */
  readonly previous: CommitRecord | undefined
  readonly limits: QuarantineLimits
}

/** What a model or a test reads: source tables, and those whose changes it reads. */
export type Reads = ReadonlyMap<Model | DataTest, readonly string[]>

/** The names in the SQL of each model and test that are a source table's or `change_` and one's. */
export async function readInputs(parser: Parser, project: Project): Promise<Reads> {
  const inputs = new Map<Model | DataTest, string[]>()
  for (const each of [...project.models, ...(project.tests ?? [])]) {
    const { names } = await parseSelect(parser, readSql(each.sql))
    const tables = capturedTables(project.source).flatMap(({ name }) => [name, changesOf(name)])
    inputs.set(
      each,
      tables.filter((name) => names.has(name.toLowerCase())),
    )
  }
  return inputs
}

/**
 * Which rows of a dimension a batch can change: all at the beginning of a generation, and if a
 * table it reads has another schema, because its rows may then show other values although none of
 * them changed; some if one of its tables changed.
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

/** The models this batch runs, or whose columns it must know: a changed fact names its dimensions. */
export function modelsDue(input: TransformInput, reads: Reads): Model[] {
  const { project, record } = input
  const facts = project.models.filter(
    (model): model is Fact => model.kind === 'fact' && isChanged(record, model.from),
  )
  const named = new Set(facts.flatMap(({ references }) => references.map((one) => one.dimension)))
  const dimensions = project.models.filter(
    (model) =>
      model.kind !== 'fact' && (named.has(model.table) || reachOf(model, input, reads) !== 'none'),
  )
  return [...facts, ...dimensions]
}

/** The data tests that read the changes of a table which this batch changes. */
export function testsDue({ project, record }: TransformInput, reads: Reads): DataTest[] {
  const changed = Object.keys(record.tables).filter((name) => isChanged(record, name))
  return (project.tests ?? []).filter((test) =>
    changed.some((name) => reads.get(test)?.includes(changesOf(name)) === true),
  )
}

export function isChanged({ tables }: CommitRecord, name: string): boolean {
  return (tables[name]?.changes.length ?? 0) > 0
}
