import { existsSync, readdirSync } from 'node:fs'
import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ConfigError } from '../errors.ts'
import { checkProject } from './check-project.ts'
import type { Dashboard } from './dashboard.ts'
import { joinModels } from './model-graph.ts'
import type { MirrorSettings } from './mirror-settings.ts'
import type { Calendar, DataTest, Dimension, Fact, Model, Reference } from './model.ts'
import type {
  ColumnList,
  DashboardConfig,
  FeedConfig,
  ModelConfig,
  ProjectConfig,
  SourceConfig,
  TableConfig,
} from './project-config.ts'
import type { Project } from './project.ts'
import {
  capturedTables,
  type Feed,
  type SourceContract,
  type SourceTable,
} from './source-contract.ts'

/**
 * Turns what a person wrote into the project that the platform carries, with every default filled
 * in and every `.sql` file of the folder found. Of files, reads models alone. Throws
 * `ConfigError` (`PROJECT_INVALID`) for the first file that is missing, undeclared or misnamed, and
 * what `checkProject` throws. Paths in messages are relative to the folder.
 */
export function resolveProject(config: ProjectConfig, folder: URL): Project {
  const name = config.name ?? usualProjectName(fileURLToPath(folder))
  if (!/^[a-z][a-z0-9_]*$/.test(name)) {
    throw fault(
      `The name ${name} is not valid`,
      'use lower-case letters, digits and underscores, a letter first',
    )
  }
  const mirror = resolveMirror(config)
  const source = resolveSource(config.source ?? {})
  const tables = capturedTables(source).map((table) => table.name)
  const project: Project = {
    name,
    title: config.title ?? name,
    source,
    models: joinModels(resolveModels(config.models ?? {}, folder), tables),
    ...given({ tests: resolveTests(config.tests, folder), mirror }),
    ...(hasFiles(folder, 'warehouse')
      ? { warehouse: { migrations: below(folder, 'warehouse/') } }
      : {}),
    ...given({ presentation: resolveDashboard(config.presentation, folder) }),
  }
  checkProject(project)
  return project
}

/** The usual name of a project in a folder: `My Shop` is `my_shop`. Pure. */
export function usualProjectName(folder: string): string {
  const name = basename(folder)
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '_')
  const trimmed = name.replace(/^_+|_+$/g, '')
  return /^[a-z]/.test(trimmed) ? trimmed : `project_${trimmed}`.replace(/_$/, '')
}

function resolveMirror({
  mirror,
  models = {},
  source = {},
}: ProjectConfig): MirrorSettings | undefined {
  const declared = [...Object.keys(models), ...Object.keys(source.tables ?? {})]
  const [first] = declared
  if (mirror === undefined || mirror === false) {
    return mirror === undefined && first === undefined ? {} : undefined
  }
  if (first !== undefined) {
    throw fault(
      `A mirror keeps every table as it is, so it cannot declare ${first} too`,
      'leave out mirror, or the models and tables',
    )
  }
  return mirror === true ? {} : mirror
}

function resolveSource({ schema = 'public', tables = {}, feeds }: SourceConfig): SourceContract {
  return {
    schema,
    tables: Object.entries(tables).map(([name, table]) => resolveTable(name, table)),
    ...(feeds === undefined
      ? {}
      : { feeds: Object.entries(feeds).map(([name, feed]) => resolveFeed(name, feed)) }),
  }
}

// Parts are listed in one order, because a generation's name covers the text of the contract.
function resolveTable(name: string, { key, ...table }: TableConfig): SourceTable {
  const { columns, exclude, schema, relation, keyIsUnenforced, description } = table
  return {
    name,
    key: listOf(key),
    ...given({ columns, exclude, keyIsUnenforced, description, schema, relation }),
  }
}

function resolveFeed(name: string, { key, columns, wide }: FeedConfig): Feed {
  return { name, key: listOf(key), columns, ...given({ wide }) }
}

/** The models in the order in which they are made: dimensions, facts, calendars. */
function resolveModels(models: Readonly<Record<string, ModelConfig>>, folder: URL): Model[] {
  const names = Object.keys(models)
  checkFiles(folder, {
    room: 'models',
    names,
    declaring: (name) => `declare ${name} in models`,
  })
  const resolved = Object.entries(models).map(([name, model]) =>
    resolveModel(name, { model, folder }),
  )
  const rank = { dimension: 0, fact: 1, calendar: 2 }
  return resolved.toSorted((a, b) => rank[a.kind] - rank[b.kind])
}

function resolveModel(name: string, { model, folder }: { model: ModelConfig; folder: URL }): Model {
  if (/^fact_./.test(name)) return resolveFact(name, { model, folder })
  if (/^dim_./.test(name)) return resolveDimension(name, { model, folder })
  throw fault(
    `The model ${name} is neither a fact nor a dimension by its name`,
    `call it fact_${name} or dim_${name}, and its file models/fact_${name}.sql or models/dim_${name}.sql`,
  )
}

/** What only facts can have. */
const OF_FACTS = [
  'from',
  'follows',
  'recordId',
  'references',
  'sums',
  'telling',
  'headline',
] as const

function resolveDimension(
  name: string,
  { model, folder }: { model: ModelConfig; folder: URL },
): Dimension | Calendar {
  const strange = OF_FACTS.find((part) => model[part] !== undefined)
  if (strange !== undefined) {
    throw fault(
      `The dimension ${name} has ${strange}, which only facts can have`,
      'remove it, or call the model fact_… if it maps the changes of one table',
    )
  }
  const { key, calendar, nullable, checks, sought, description, descriptions } = model
  const more = given({ checks, sought, description, descriptions })
  const base = { table: name, sql: modelFile(name, folder), key: listOf(key) }
  return calendar === true
    ? { kind: 'calendar', ...base, ...given({ nullable }), ...more }
    : { kind: 'dimension', ...base, nullable: nullable ?? [], ...more }
}

function resolveFact(name: string, { model, folder }: { model: ModelConfig; folder: URL }): Fact {
  const { key, from, follows, recordId, references, nullable, checks, headline, ...rest } = model
  const { sought, sums, telling, description, descriptions, calendar } = rest
  if (from === undefined) {
    throw fault(
      `The fact ${name} does not say from which table it is made`,
      `add from: '<table of source.tables or source.feeds>' to models.${name}`,
    )
  }
  if (calendar === true) {
    throw fault(`The fact ${name} cannot be a calendar`, 'remove calendar, or call the model dim_…')
  }
  return {
    kind: 'fact',
    table: name,
    sql: modelFile(name, folder),
    key: listOf(key),
    from,
    ...given({ follows }),
    recordId: recordId ?? `${name.slice('fact_'.length)}_record_id`,
    ...given({ nullable, checks, sought, sums }),
    ...(headline === undefined ? {} : { headline: fileIn(folder, headline) }),
    references: resolveReferences(references),
    ...given({ telling, description, descriptions }),
  }
}

function resolveReferences(references: ModelConfig['references'] = {}): readonly Reference[] {
  if (Array.isArray(references)) return references as readonly Reference[]
  return Object.entries(references as Readonly<Record<string, string>>).map(
    ([column, dimension]) => ({ columns: [column], dimension }),
  )
}

function resolveTests(tests: readonly string[] | undefined, folder: URL): DataTest[] | undefined {
  checkFiles(folder, {
    room: 'tests',
    names: tests ?? [],
    declaring: (name) => `add '${name}' to tests`,
  })
  return tests?.map((name) => ({ name, sql: below(folder, `tests/${name}.sql`) }))
}

function resolveDashboard(
  dashboard: DashboardConfig | undefined,
  folder: URL,
): Dashboard | undefined {
  if (dashboard === undefined) return undefined
  const { questions = ['presentation/'], lists, ...rest } = dashboard
  const folders = questions.map((place) => folderIn(folder, place))
  return {
    ...rest,
    questions: folders,
    ...(lists === undefined
      ? {}
      : { lists: lists.map((list) => ({ ...list, sql: fileIn(folder, list.sql) })) }),
  }
}

/** Throws unless a room of the folder holds exactly the `.sql` files that are declared. */
function checkFiles(
  folder: URL,
  {
    room,
    names,
    declaring,
  }: { room: string; names: readonly string[]; declaring: (name: string) => string },
): void {
  const found = sqlFiles(folder, room)
  const missing = names.find((name) => !found.includes(name))
  if (missing !== undefined) {
    throw fault(
      `${room} declares ${missing}, but there is no file ${room}/${missing}.sql`,
      `write that file, or remove ${missing} from ${room}`,
    )
  }
  const extra = found.find((name) => !names.includes(name))
  if (extra === undefined) return
  if (room === 'models' && !/^(fact|dim)_./.test(extra)) {
    throw fault(
      `The file models/${extra}.sql is neither a fact nor a dimension by its name`,
      `rename it to models/fact_${extra}.sql or models/dim_${extra}.sql, and declare it in models`,
    )
  }
  throw fault(
    `The file ${room}/${extra}.sql is not declared`,
    `${declaring(extra)}, or move the file out of ${room}/`,
  )
}

function hasFiles(folder: URL, room: string): boolean {
  return sqlFiles(folder, room).length > 0
}

/** The names of the `.sql` files in a room, without the ending. */
function sqlFiles(folder: URL, room: string): string[] {
  const place = below(folder, `${room}/`)
  if (!existsSync(place)) return []
  return readdirSync(place)
    .filter((file) => file.endsWith('.sql'))
    .map((file) => file.slice(0, -'.sql'.length))
    .toSorted()
}

function modelFile(name: string, folder: URL): URL {
  return below(folder, `models/${name}.sql`)
}

/** A file of the project. Throws if it is not there. */
function fileIn(folder: URL, place: URL | string): URL {
  const file = typeof place === 'string' ? below(folder, place) : place
  if (existsSync(file)) return file
  throw fault(`There is no file ${shown(place)}`, 'write it, or correct its name')
}

function folderIn(folder: URL, place: URL | string): URL {
  const there = typeof place === 'string' ? below(folder, place.replace(/\/?$/, '/')) : place
  if (existsSync(there)) return there
  throw fault(`There is no folder ${shown(place)}`, 'make it, or correct its name')
}

function shown(place: URL | string): string {
  return typeof place === 'string' ? place : fileURLToPath(place)
}

/** A place in the folder. Names are not addresses: `#` and `%` stand for themselves. */
function below(folder: URL, path: string): URL {
  return new URL(path.split('/').map(encodeURIComponent).join('/'), folder)
}

function listOf(columns: ColumnList): readonly string[] {
  return typeof columns === 'string' ? [columns] : columns
}

/** The parts that are given, so that an absent one is absent, not undefined. */
function given<Parts extends object>(
  parts: Parts,
): { [Name in keyof Parts]?: NonNullable<Parts[Name]> } {
  const some = Object.entries(parts).filter(([, value]) => value !== undefined)
  return Object.fromEntries(some) as { [Name in keyof Parts]?: NonNullable<Parts[Name]> }
}

function fault(message: string, hint: string): ConfigError {
  return new ConfigError(message, { code: 'PROJECT_INVALID', hint })
}
