import { ConfigError } from '../errors.ts'
import {
  type Fact,
  revisionsName,
  type Model,
  OWN_REASONS,
  ROW_GRAIN,
  sumsColumnsOf,
  sumsName,
  sumsView,
} from './model.ts'
import { currentTable, historyView } from './fact-names.ts'
import { MAX_NAME_BYTES } from './names.ts'
import type { Project } from './project.ts'
import { capturedTables, type Feed, filesOf, type SourceTable } from './source-contract.ts'

/** Names under which models read relations other than source tables. */
const TAKEN = ['named_date']

/**
 * Checks the names of a project before anything is read. Names must differ in more than case,
 * because DuckDB ignores case, and must lead to something declared, because an undeclared table
 * would silently be empty (I13). Pure. Throws `ConfigError` that names the first problem.
 */
export function checkProject(project: Project): void {
  const tables = capturedTables(project.source)
  const facts = project.models.filter((model) => model.kind === 'fact')
  checkDistinct('source table', [
    ...tables.map(({ name }) => name),
    ...(project.source.feeds ?? []).map(({ name }) => filesOf(name)),
    ...changeViews(project),
    ...TAKEN,
  ])
  checkDistinct(
    'data test',
    (project.tests ?? []).map(({ name }) => name),
  )
  checkDistinct('model', [
    // Commit records name both source tables and models.
    ...tables.filter(({ columns }) => columns !== undefined).map(({ name }) => name),
    ...project.models.map(({ table }) => table),
    ...facts.flatMap((fact) => [currentTable(fact), historyView(fact)]),
    ...facts.flatMap(sumsNames),
  ])
  for (const { name, key } of [
    ...tables,
    ...project.models.map(({ table, key: columns }) => ({ name: table, key: columns })),
  ]) {
    if (key.length === 0) throw fault(`${name} has no key`, 'declare the columns of its key')
  }
  for (const { name, key, columns } of tables) {
    const missing = key.find((column) => columns !== undefined && !Object.hasOwn(columns, column))
    if (missing !== undefined) {
      throw fault(
        `Table ${name} does not declare its key column ${missing}`,
        'add it to its columns',
      )
    }
  }
  for (const table of project.source.tables) checkExcluded(table)
  for (const feed of project.source.feeds ?? []) checkWide(feed)
  for (const model of project.models) {
    checkReasons(model)
    checkLength(model)
  }
  for (const fact of facts) {
    checkFact(project, fact)
    checkSums(fact)
  }
}

/** The names of the tables that keep a fact's sums and revisions, and of the view of sums. */
function sumsNames(fact: Fact): string[] {
  if (fact.sums === undefined) return []
  const tables = Object.keys(fact.sums.grains).map((grain) => sumsName(fact.table, grain))
  return [...tables, revisionsName(fact), sumsView(fact)]
}

/** The columns that the platform adds to the tables and the view of sums. */
const SUMS_COLUMNS = ['grain', 'row_count']

/**
 * Throws if a fact's sums cannot be kept: a name is too long or taken, a derived column is not used,
 * or a grain is not valid.
 */
function checkSums(fact: Fact): void {
  const { table, sums } = fact
  if (sums === undefined) return
  const long = sumsNames(fact).find((name) => Buffer.byteLength(name) > MAX_NAME_BYTES)
  if (long !== undefined) {
    throw fault(`The name ${long} is longer than ${MAX_NAME_BYTES} bytes`, 'shorten it')
  }
  if (Object.keys(sums.grains).length === 0) {
    throw fault(`The sums of ${table} have no grain`, 'add a grain, or leave sums out')
  }
  const named = [...SUMS_COLUMNS, ...sumsColumnsOf(fact), ...Object.keys(sums.columns)]
  checkDistinct(`sums column of ${table}`, named)
  const used = new Set(Object.values(sums.grains).flat())
  const unused = Object.keys(sums.derived ?? {}).find((column) => !used.has(column))
  if (unused !== undefined) {
    throw fault(
      `The sums of ${table} derive ${unused}, but no grain names it`,
      'name it in a grain, or leave it out',
    )
  }
  for (const [grain, columns] of Object.entries(sums.grains)) checkGrain(fact, { grain, columns })
}

/** Throws if sums by a grain have no valid name, no columns, or a column twice or without a value. */
function checkGrain(
  { table, nullable = [] }: Fact,
  { grain, columns }: { grain: string; columns: readonly string[] },
): void {
  if (grain === ROW_GRAIN || !/^[a-z][a-z0-9_]*$/.test(grain)) {
    throw fault(
      `${table} cannot have sums by the grain ${grain}`,
      `use lower-case letters, digits and underscores; ${ROW_GRAIN} is the grain of single rows`,
    )
  }
  const empty = columns.find((column) => nullable.includes(column))
  if (columns.length === 0 || empty !== undefined) {
    throw fault(
      `The sums of ${table} by ${grain} ${empty === undefined ? 'have no columns' : `name ${empty}, which may be null`}`,
      'sum by columns that always have a value',
    )
  }
  const twice = columns.find((column, index) => columns.indexOf(column) < index)
  if (twice !== undefined) {
    throw fault(`The sums of ${table} by ${grain} name ${twice} twice`, 'name each column once')
  }
}

/**
 * Throws if a table excludes a column that must be read: a column of its key or of its contract.
 */
function checkExcluded({ name, key, columns = {}, exclude = [] }: SourceTable): void {
  const both = exclude.find((column) => key.includes(column) || Object.hasOwn(columns, column))
  if (both === undefined) return
  throw fault(
    `Table ${name} excludes its column ${both}, which ${key.includes(both) ? 'is in its key' : 'models read'}`,
    'remove it from exclude, or from the columns of the contract',
  )
}

/** Throws unless a cell of a wide file fills every key column, and fills each column only once. */
function checkWide({ name, key, columns, wide }: Feed): void {
  if (wide === undefined) return
  const filled = [
    wide.first.column,
    wide.titles.column,
    wide.cells.column,
    ...Object.keys(wide.constants),
  ]
  checkDistinct(`wide column of ${name}`, filled)
  const strange = filled.find((column) => !Object.hasOwn(columns, column))
  if (strange !== undefined) {
    throw fault(
      `The wide format of feed ${name} fills ${strange}, which is not one of its columns`,
      'correct the name in wide, or add the column to the feed',
    )
  }
  const missing = key.find((column) => !filled.includes(column))
  if (missing !== undefined) {
    throw fault(
      `The wide format of feed ${name} does not fill its key column ${missing}`,
      'fill the column with first, titles, cells or constants in wide',
    )
  }
  if (Object.hasOwn(columns, wide.first.title)) {
    throw fault(
      `The first title of the wide format of feed ${name} is also one of its columns: ${wide.first.title}`,
      'rename the column of the feed: a wide file is recognized by its first title',
    )
  }
  try {
    RegExp(wide.titles.pattern)
  } catch {
    throw fault(
      `The wide format of feed ${name} has no valid pattern for its titles`,
      'write a regular expression in titles.pattern of wide',
    )
  }
}

/**
 * The views of changes that may be read: tests may read the changes to every table, models only the
 * changes to the tables behind facts.
 */
function changeViews({ source, models, tests = [] }: Project): string[] {
  const tables =
    tests.length > 0
      ? capturedTables(source).map(({ name }) => name)
      : models.flatMap((model) => (model.kind === 'fact' ? [model.from] : []))
  return [...new Set(tables)].map((name) => `change_${name}`)
}

/** Throws unless the names of a model's checks are distinct and can be reason codes. */
function checkReasons({ table, checks = [] }: Model): void {
  checkDistinct(`check of ${table}`, [...OWN_REASONS, ...checks.map(({ name }) => name)])
  const odd = checks.find(({ name }) => !/^[a-z][a-z0-9_]*$/.test(name))
  if (odd !== undefined) {
    throw fault(
      `Check ${odd.name} of ${table} cannot be a reason code`,
      'use lower-case letters, digits and underscores',
    )
  }
}

/** Throws if two names of one kind are equal when case is ignored. */
function checkDistinct(kind: string, names: readonly string[]): void {
  const seen = new Set<string>()
  for (const name of names) {
    const folded = name.toLowerCase()
    if (seen.has(folded)) {
      throw fault(
        `The name ${name} is taken: another ${kind} cannot have it, in other capitals either`,
        kind === 'source table'
          ? 'rename it, and put its name in the source into relation'
          : 'rename it',
      )
    }
    seen.add(folded)
  }
}

/** Throws if the name of a model is too long for Postgres. */
function checkLength({ table }: Model): void {
  if (Buffer.byteLength(table) <= MAX_NAME_BYTES) return
  throw fault(`The name of model ${table} is longer than ${MAX_NAME_BYTES} bytes`, 'shorten it')
}

/** Throws if a fact refers to something undeclared. */
function checkFact({ source, models }: Project, fact: Fact): void {
  const { table, from, follows = [], references } = fact
  if (!capturedTables(source).some(({ name }) => name === from)) {
    throw fault(
      `Fact ${table} is made from ${from}, which is not a declared source table`,
      'correct its from, or declare the table',
    )
  }
  const strange = follows.find((name) => !capturedTables(source).some((each) => each.name === name))
  if (strange !== undefined) {
    throw fault(
      `Fact ${table} follows ${strange}, which is not a declared source table`,
      'correct its follows, or declare the table',
    )
  }
  if (follows.includes(from)) {
    throw fault(
      `Fact ${table} follows ${from}, which it is made from`,
      `remove it from follows: the fact has every change of ${from} already`,
    )
  }
  for (const { columns, dimension } of references) {
    const named = models.find((model) => model.kind !== 'fact' && model.table === dimension)
    if (named === undefined) {
      throw fault(
        `Fact ${table} refers to ${dimension}, which is not a declared dimension`,
        'correct its references, or declare the dimension',
      )
    }
    if (named.key.length !== columns.length) {
      throw fault(
        `Fact ${table} refers to ${dimension} by ${columns.length} columns, but its key has ${named.key.length}`,
        'list the columns in the order of the key',
      )
    }
  }
}

function fault(message: string, hint: string): ConfigError {
  return new ConfigError(message, { code: 'PROJECT_INVALID', hint })
}
