import type { MirrorSettings } from '../../platform/project/mirror-settings.ts'
import { patternOf } from '../../platform/project/patterns.ts'
import type { ProjectConfig, TableConfig } from '../../platform/project/project-config.ts'
import { type ChosenTable, type ChosenTables, placeInSource } from './choose-tables.ts'
import { type Comments, memberPath } from './print-config.ts'
import type { ProposedModel } from './proposed-model.ts'

/** A project to start with: what its configuration says, and its models. */
export interface ProposedProject {
  readonly config: ProjectConfig
  /** What the configuration says above the project. */
  readonly head: readonly string[]
  readonly comments: Comments
  readonly models: readonly ProposedModel[]
}

/** What a person has decided about a project. */
export interface ProjectChoices {
  readonly name: string
  readonly title: string
  /** What the person said about the tables to keep. */
  readonly settings: Omit<MirrorSettings, 'tables'>
  /** Whether the columns that look like secrets stay. */
  readonly keepsSecrets: boolean
}

const SECRETS =
  'Columns that look like secrets. They are never read. Remove a line to keep its column.'

/**
 * A project that keeps every chosen table as it is, with its history. Pure.
 */
export function proposeMirror(chosen: ChosenTables, choices: ProjectChoices): ProposedProject {
  const { name, title, keepsSecrets } = choices
  const { exclude = [], ...given } = choices.settings
  const secrets = keepsSecrets ? [] : secretPatterns(chosen.tables)
  const keyless = chosen.tables.filter(({ table }) => table.isByContent === true)
  const names = Object.keys(chosen.names)
  const settings: MirrorSettings = {
    ...given,
    ...(exclude.length + secrets.length > 0 && { exclude: [...exclude, ...secrets] }),
    ...(names.length > 0 && { tables: chosen.names }),
  }
  const comments = new Map<string, string[]>()
  const above = (path: readonly string[], text: string): void => {
    comments.set(memberPath(...path), [...(comments.get(memberPath(...path)) ?? []), text])
  }
  if (secrets.length > 0) above(['mirror', 'exclude', String(exclude.length)], SECRETS)
  if (names.length > 0) above(['mirror', 'tables'], 'Tables whose usual names are taken by others.')
  if (keyless.length > 0) {
    above(
      ['mirror'],
      `Without a key, a row is its values, with a count: ${places(keyless)}. If columns of such a table identify a row for good, name them: tables: { '${placeInSource(keyless[0]!.table)}': { key: ['…'] } }.`,
    )
  }
  return {
    config: {
      name,
      title,
      ...(chosen.schema !== 'public' && { source: { schema: chosen.schema } }),
      mirror: Object.keys(settings).length === 0 ? true : settings,
    },
    head: [`Every table of ${title} as it is, with its whole history.`],
    comments,
    models: [],
  }
}

/** A project with a star schema over the chosen tables. Pure. */
export function proposeStarProject(
  chosen: ChosenTables,
  {
    models,
    name,
    title,
    keepsSecrets,
  }: ProjectChoices & { readonly models: readonly ProposedModel[] },
): ProposedProject {
  const read = new Set(models.flatMap(({ reads }) => reads))
  const keyed = chosen.tables.filter(({ table }) => table.isByContent !== true)
  const keyless = chosen.tables.filter(({ table }) => table.isByContent === true)
  const ordered = [
    ...keyed.filter(({ table }) => read.has(table.name)),
    ...keyed.filter(({ table }) => !read.has(table.name)),
  ]
  const comments = new Map<string, string[]>()
  const unread = ordered.find(({ table }) => !read.has(table.name))
  if (unread !== undefined) {
    comments.set(memberPath('source', 'tables', unread.table.name), [
      'From here on, tables that are captured and that no model reads yet.',
    ])
  }
  if (keyless.length > 0) {
    comments.set(memberPath('source', 'tables'), [
      `Not here, because they have no key: ${places(keyless)}. If columns of such a table identify a row for good, add it with key and keyIsUnenforced: true.`,
    ])
  }
  const secret = keepsSecrets ? undefined : ordered.find(({ secrets }) => secrets.length > 0)
  if (secret !== undefined) {
    comments.set(memberPath('source', 'tables', secret.table.name, 'exclude'), [SECRETS])
  }
  return {
    config: {
      name,
      title,
      source: {
        ...(chosen.schema !== 'public' && { schema: chosen.schema }),
        tables: Object.fromEntries(
          ordered.map((each) => [
            each.table.name,
            tableConfig(each, { schema: chosen.schema, hasContract: read.has(each.table.name) }),
          ]),
        ),
      },
      models: Object.fromEntries(models.map(({ name: model, config }) => [model, config])),
    },
    head: [
      `A star schema over ${title}. It is a proposal: the models in models/ are yours to change.`,
    ],
    comments,
    models,
  }
}

function tableConfig(
  { table, found, columns }: ChosenTable,
  { schema, hasContract }: { schema: string; hasContract: boolean },
): TableConfig {
  const kept = new Set(columns.map((column) => column.name))
  const out = found.columns.filter((column) => column.isReadable && !kept.has(column.name))
  const contract = columns.map((column) => [column.name, column.isEnum ? 'enum' : column.baseType])
  return {
    key: table.key.length === 1 ? (table.key[0] ?? '') : table.key,
    ...(table.schema !== schema && { schema: found.schema }),
    ...(table.relation !== table.name && { relation: found.relation }),
    ...(!hasContract && table.description !== undefined && { description: table.description }),
    ...(hasContract && { columns: Object.fromEntries(contract) as Record<string, string> }),
    ...(out.length > 0 && { exclude: out.map((column) => column.name) }),
  }
}

function secretPatterns(tables: readonly ChosenTable[]): string[] {
  return tables.flatMap(({ found, secrets }) =>
    secrets.map((column) => patternOf(found.schema, found.relation, column)),
  )
}

function places(tables: readonly ChosenTable[]): string {
  return tables.map(({ table }) => placeInSource(table)).join(', ')
}
