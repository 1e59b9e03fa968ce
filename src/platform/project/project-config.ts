import type { Dashboard, List } from './dashboard.ts'
import type { MirrorSettings } from './mirror-settings.ts'
import type { Check, Reference, Sums, Telling } from './model.ts'
import type { Feed, SourceTable } from './source-contract.ts'

/**
 * A project as a person writes it, in `tidemark.config.ts`. Beside that file lie `models/*.sql`,
 * and as needed `warehouse/*.sql`, `tests/*.sql`, `presentation/` and `.env`. A path is relative to
 * the folder.
 */
export interface ProjectConfig {
  /**
   * Short lower-case name. It is used in lock names, in logs and in the warehouse's own tables.
   * Default: the name of the folder, with other characters replaced by underscores.
   */
  readonly name?: string
  /** The name of the source for people. Default: `name`. */
  readonly title?: string
  readonly source?: SourceConfig
  /** By the name of the warehouse table. The SQL is `models/<name>.sql`. */
  readonly models?: Readonly<Record<string, ModelConfig>>
  /** Rules across tables, by name. The SQL is `tests/<name>.sql`. */
  readonly tests?: readonly string[]
  /**
   * Whether every table of the source is kept as it is, and which ones. Default: true if the project
   * declares neither models nor tables.
   */
  readonly mirror?: boolean | MirrorSettings
  /** The dashboard. Omit it for a project without pages. */
  readonly presentation?: DashboardConfig
}

/** The source: its tables, and the feeds beside the database. */
export interface SourceConfig {
  /** Schema of the tables. A table may name another. Default: `public`. */
  readonly schema?: string
  /** By the name in the lake and in the models. */
  readonly tables?: Readonly<Record<string, TableConfig>>
  /** Tables whose rows come in files or in a server's answers, by name. */
  readonly feeds?: Readonly<Record<string, FeedConfig>>
}

/** One column, or several. */
export type ColumnList = string | readonly string[]

/** A table, view or foreign table of the source. `SourceTable` says what each part means. */
export type TableConfig = Omit<
  SourceTable,
  'name' | 'key' | 'isByContent' | 'captured' | 'mirrored' | 'clash'
> & {
  readonly key: ColumnList
}

/** A table whose rows come in files or answers. `Feed` says what each part means. */
export type FeedConfig = Omit<Feed, 'name' | 'key'> & { readonly key: ColumnList }

/**
 * A model. Its name says what it makes: `fact_…` is a fact, `dim_…` a dimension. `Fact` and
 * `Dimension` say what each part means.
 */
export interface ModelConfig {
  /** The columns that identify a row, or the thing that a fact's version belongs to. */
  readonly key: ColumnList
  /** Of a fact, which must have it: the source table whose changes the model maps. */
  readonly from?: string
  /** Of a fact: other source tables that the model joins, and whose changes it follows. */
  readonly follows?: readonly string[]
  /** Of a fact: the column of the surrogate id. Default: `<name without fact_>_record_id`. */
  readonly recordId?: string
  /** Of a fact: the dimension to which a column refers; a list for keys of several columns. */
  readonly references?: Readonly<Record<string, string>> | readonly Reference[]
  readonly nullable?: readonly string[]
  readonly checks?: readonly Check[]
  readonly sought?: readonly string[]
  /** Of a fact. */
  readonly sums?: Sums
  /** Of a fact. */
  readonly telling?: Telling
  /** Of a fact: the file with the query of its headline. */
  readonly headline?: URL | string
  readonly description?: string
  readonly descriptions?: Readonly<Record<string, string>>
  /** Of a dimension: whether it is one of days. */
  readonly calendar?: true
}

/** The dashboard, with folders and files as paths or as URLs. */
export type DashboardConfig = Omit<Dashboard, 'questions' | 'lists'> & {
  /** The folders with the questions. Default: `presentation/`. */
  readonly questions?: readonly (URL | string)[]
  readonly lists?: readonly (Omit<List, 'sql'> & { readonly sql: URL | string })[]
}

/** Returns the project as it is. It gives an editor the types, so that it completes and checks. */
export function defineProject(config: ProjectConfig): ProjectConfig {
  return config
}
