import { ConfigError } from '../errors.ts'
import { readModel } from './generation.ts'
import type { Model } from './model.ts'

/**
 * Gives each model the dimensions that its SQL names, as common table expressions before it. So a
 * model reads what the select of a dimension makes, before rules and without inferred rows. Reads
 * the models' files. Throws `ConfigError` (`PROJECT_INVALID`) if dimensions select from each other
 * in a circle, or a model selects from a calendar, whose rows are known only after all others.
 */
export function joinModels(models: readonly Model[], tables: readonly string[] = []): Model[] {
  const dimensions = new Map(
    models.flatMap((model) => (model.kind === 'fact' ? [] : [[model.table.toLowerCase(), model]])),
  )
  for (const table of tables) dimensions.delete(table.toLowerCase())
  if (dimensions.size === 0) return [...models]
  const named = new Map<Model, readonly Model[]>()
  for (const model of models) {
    const names = namesIn(readModel(model))
    const found = [...dimensions].flatMap(([name, each]) => {
      return each !== model && names.has(name) ? [each] : []
    })
    const calendar = found.find(({ kind }) => kind === 'calendar')
    if (calendar !== undefined) {
      throw new ConfigError(`Model ${model.table} selects from the calendar ${calendar.table}`, {
        code: 'PROJECT_INVALID',
        hint: `declare a reference to ${calendar.table} instead; the calendar is made from the days that facts name`,
      })
    }
    named.set(model, found)
  }
  return models.map((model) => {
    const before = inOrder(model, named)
    if (before.length === 0) return model
    const parts = before.map((each) => `${asIdentifier(each.table)} as (\n${readModel(each)})`)
    return { ...model, sql: `with ${parts.join(',\n')}\nfrom (\n${readModel(model)})` }
  })
}

/** An identifier of DuckDB. Not by the driver's function: completion loads projects without a driver. */
function asIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** The models before a model: each after the models that it names itself. */
function inOrder(model: Model, named: ReadonlyMap<Model, readonly Model[]>): Model[] {
  const found = new Set<Model>()
  const visit = (each: Model, path: readonly Model[]): void => {
    const circle = path.indexOf(each)
    if (circle >= 0) {
      const names = [...path.slice(circle), each].map(({ table }) => table)
      throw new ConfigError(`Models select from each other in a circle: ${names.join(' → ')}`, {
        code: 'PROJECT_INVALID',
        hint: `remove one of these steps, for example by joining the source tables in ${names[0]}.sql`,
      })
    }
    for (const next of named.get(each) ?? []) visit(next, [...path, each])
    found.add(each)
  }
  visit(model, [])
  found.delete(model)
  return [...found]
}

const TOKEN = new RegExp(
  [
    /--[^\n]*/,
    /\/\*[^]*?\*\//,
    /[eE]'(?:\\[^]|''|[^'\\])*'/,
    /'(?:''|[^'])*'/,
    /\$(?<tag>\w*)\$[^]*?\$\k<tag>\$/,
    /"(?<quoted>(?:""|[^"])*)"/,
    /(?<bare>[\p{L}_][\p{L}\p{N}_$]*)/u,
    /(?<sign>[^\s])/,
  ]
    .map(({ source }) => source)
    .join('|'),
  'gu',
)

/** After these, a name can be that of a table. Elsewhere it is that of a column, or a new name. */
const BEFORE_TABLE = new Set(['from', 'join', 'pivot', 'unpivot', 'table', ',', '('])

/**
 * The names in a select that can be those of tables, in lower case: every table's name is among them.
 * Leaves out comments, texts, aliases, and columns that name their table.
 */
function namesIn(sql: string): ReadonlySet<string> {
  const names = new Set<string>()
  const tokens: { readonly word: string; readonly isQuoted: boolean }[] = []
  for (const { groups = {} } of sql.matchAll(TOKEN)) {
    const { quoted, bare, sign } = groups
    const word = (quoted?.replaceAll('""', '"') ?? bare ?? sign)?.toLowerCase()
    if (word !== undefined) tokens.push({ word, isQuoted: quoted !== undefined })
  }
  for (const [index, { word }] of tokens.entries()) {
    const [before, after] = [tokens[index - 1], tokens[index + 1]]
    const isPlaced = before?.isQuoted === false && BEFORE_TABLE.has(before.word)
    if (isPlaced && after?.word !== '.') names.add(word)
  }
  return names
}
