import type { Deps } from '../deps.ts'
import { checkKnown, comparedTables } from '../project/known-table.ts'
import type { Model } from '../project/model.ts'
import type { Project } from '../project/project.ts'
import { capturedTables } from '../project/source-contract.ts'
import { readInputs } from '../transform/inputs.ts'
import type { Parser } from '../transform/lineage/parsed-select.ts'

/** The tables that a verification compares. */
export interface Scope {
  /** Names of the source tables that are compared with the lake. */
  readonly sources: ReadonlySet<string>
  /** Models that run over the source; the result is compared with the warehouse. */
  readonly models: readonly Model[]
  /** Models whose rows in the warehouse are compared with the processed zone. */
  readonly histories: readonly Model[]
}

/**
 * Throws `ConfigError` (`UNKNOWN_TABLE`) if a verification cannot compare this table. Reads nothing.
 */
export function checkScope(project: Project, { table }: VerifyOptions): void {
  if (table !== undefined) checkKnown(table, comparedTables(project))
}

/**
 * The scope of a verification: everything, or one table and the tables from which it is made.
 * Throws what `checkScope` throws.
 */
export async function planScope(
  { project }: Deps,
  parser: Parser,
  { table }: VerifyOptions,
): Promise<Scope> {
  checkScope(project, { table })
  const { models, source } = project
  const inOrder = models.toSorted((a, b) => rank(a) - rank(b))
  if (table === undefined) {
    const sources = new Set(source.tables.map(({ name }) => name))
    // A table that a mirror leaves out now cannot be compared with the source.
    const captured = new Set(capturedTables(source).map(({ name }) => name))
    const isCaptured = (each: Model) => each.kind !== 'fact' || captured.has(each.from)
    return { sources, models: inOrder.filter(isCaptured), histories: inOrder }
  }
  const model = models.find((each) => each.table === table)
  if (model === undefined) return { sources: new Set([table]), models: [], histories: [] }
  // A calendar's days come from all facts, so it is compared only with the processed zone.
  if (model.kind === 'calendar') return { sources: new Set(), models: [], histories: [model] }
  const reads = (await readInputs(parser, project)).get(model) ?? []
  const isRead = ({ name }: { name: string }) =>
    reads.includes(name) || reads.includes(`change_${name}`)
  const sources = new Set(source.tables.filter(isRead).map(({ name }) => name))
  return { sources, models: [model], histories: [model] }
}

/** The calendar comes last, because its days come from the facts. */
function rank(model: Model): number {
  return model.kind === 'calendar' ? 1 : 0
}

/** Limits a verification to one table. */
export interface VerifyOptions {
  /** A source or star table: compares only this table and the tables from which it is made. */
  readonly table?: string | undefined
}
