import type { Deps } from '../deps.ts'
import { ConfigError } from '../errors.ts'
import type { Model } from '../project/model.ts'
import { readInputs } from '../transform/inputs.ts'
import type { Parser } from '../transform/lineage/parsed-select.ts'

/** What is compared. */
export interface Scope {
  /** Source tables, by name. */
  readonly sources: ReadonlySet<string>
  /** Models whose rows are compared with what they make of the source. */
  readonly models: readonly Model[]
  /** Models whose rows are compared with the processed zone. */
  readonly histories: readonly Model[]
}

/** Everything, or one table and what it is made from. */
export async function planScope(
  { project }: Deps,
  parser: Parser,
  { table }: VerifyOptions,
): Promise<Scope> {
  const { models, source } = project
  const inOrder = models.toSorted((a, b) => rank(a) - rank(b))
  if (table === undefined) {
    const sources = new Set(source.tables.map(({ name }) => name))
    return { sources, models: inOrder, histories: inOrder }
  }
  const model = models.find((each) => each.table === table)
  if (model === undefined) {
    if (source.tables.some(({ name }) => name === table)) {
      return { sources: new Set([table]), models: [], histories: [] }
    }
    throw new ConfigError(`There is no table ${table} in the source or the star schema`, {
      code: 'UNKNOWN_TABLE',
      hint: 'tidemark catalog',
    })
  }
  // The days of a calendar are those that all facts name.
  if (model.kind === 'calendar') return { sources: new Set(), models: [], histories: [model] }
  const reads = (await readInputs(parser, project)).get(model) ?? []
  const isRead = ({ name }: { name: string }) =>
    reads.includes(name) || reads.includes(`change_${name}`)
  const sources = new Set(source.tables.filter(isRead).map(({ name }) => name))
  return { sources, models: [model], histories: [model] }
}

/** The calendar comes last: its days are those the facts name. */
function rank(model: Model): number {
  return model.kind === 'calendar' ? 1 : 0
}

export interface VerifyOptions {
  /** Compares this source or star table alone, and what it is made from. */
  readonly table?: string | undefined
}
