import { ConfigError } from './errors.ts'
import type { Fact, Project } from './project.ts'

/** Relations the platform makes for itself beside the source tables while the models run. */
const TAKEN = [
  'difference',
  'expected',
  'inferred',
  'last versions',
  'lost deletes',
  'made',
  'named days',
  'named_date',
]

/** Postgres cuts names at 63 bytes; the longest made of a fact's is `<fact>_as_of_batch`. */
const MAX_FACT_BYTES = 51

/**
 * Refuses a project whose names cannot be told apart or lead nowhere, before anything is read:
 * DuckDB's names know no case, and a name that nothing declares would be an empty table in
 * silence (I13). Pure. Throws `ConfigError` naming the first fault.
 */
export function checkProject(project: Project): void {
  const { tables } = project.source
  const facts = project.models.filter((model) => model.kind === 'fact')
  checkDistinct('source table', [
    ...tables.map(({ name }) => name),
    ...new Set(facts.map(({ from }) => `change_${from}`)),
    ...TAKEN,
  ])
  checkDistinct('model', [
    ...project.models.map(({ table }) => table),
    ...facts.flatMap(({ table }) => [`${table}_current`, `${table}_history`]),
  ])
  for (const { name, key } of [
    ...tables,
    ...project.models.map(({ table, key: columns }) => ({ name: table, key: columns })),
  ]) {
    if (key.length === 0) throw fault(`${name} has no key`, 'declare the columns of its key')
  }
  for (const fact of facts) checkFact(project, fact)
}

function checkDistinct(kind: string, names: readonly string[]): void {
  const seen = new Set<string>()
  for (const name of names) {
    const folded = name.toLowerCase()
    if (seen.has(folded)) {
      throw fault(
        `The ${kind} name ${name} is taken: names must differ in more than case`,
        'give it another name; a source table’s own may go in relation',
      )
    }
    seen.add(folded)
  }
}

function checkFact({ source, models }: Project, { table, from, references }: Fact): void {
  if (!source.tables.some(({ name }) => name === from)) {
    throw fault(
      `Fact ${table} is made from ${from}, which is no declared source table`,
      'see its from',
    )
  }
  if (Buffer.byteLength(table) > MAX_FACT_BYTES) {
    throw fault(`The name of fact ${table} is longer than ${MAX_FACT_BYTES} bytes`, 'shorten it')
  }
  for (const { columns, dimension } of references) {
    const named = models.find((model) => model.kind !== 'fact' && model.table === dimension)
    if (named === undefined) {
      throw fault(
        `Fact ${table} refers to ${dimension}, which is no declared dimension`,
        'see its references',
      )
    }
    if (named.key.length !== columns.length) {
      throw fault(
        `Fact ${table} refers to ${dimension} by ${columns.length} columns, its key has ${named.key.length}`,
        'list the columns in the order of the key',
      )
    }
  }
}

function fault(message: string, hint: string): ConfigError {
  return new ConfigError(message, { code: 'PROJECT_INVALID', hint })
}
