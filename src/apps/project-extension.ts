import { existsSync } from 'node:fs'
import type { AddedSettings, Config } from '../platform/config.ts'
import type { Project } from '../platform/project/project.ts'
import type { FeedServer } from '../platform/source/feed-sources.ts'
import type { SettingOptions } from './cli/setting-option.ts'
import type { SimulatedSource } from './local/simulated-source.ts'
import type { ServerExtension } from './server/server-extension.ts'

/**
 * What a project adds in code to what it declares. Every part is optional. Those that are functions
 * are loaded only where they are used.
 */
export interface ProjectExtension {
  /**
   * The servers to ask for rows of feeds, by the settings. `embedded` is the address of the simulated
   * source's own server, if it runs.
   */
  readonly feedServers?: (config: Config, embedded?: string) => Promise<readonly FeedServer[]>
  /** A source that lives on this machine, for a start without databases. */
  readonly source?: () => Promise<SimulatedSource>
  /** An API of its own, and more on the pages. */
  readonly server?: () => Promise<ServerExtension>
  /** Data sets and dashboards in QuickSight, made from its questions. */
  readonly analyses?: () => Promise<Analyses>
}

/** A project with what it adds in code. */
export interface LoadedProject {
  readonly project: Project
  readonly extension: ProjectExtension
}

/**
 * A project that is given to a program, and loaded when it is needed. Its options are there before,
 * because help shows them.
 */
export interface GivenProject {
  /** Its folders, as source and as built. What belongs to it is kept in the working directory. */
  readonly folders: readonly string[]
  /** Whether a source that settings name is mirrored instead, unless they name this project. */
  readonly isFallback?: boolean
  /** Options of `tidemark up` for settings that the project adds. */
  readonly upOptions: SettingOptions
  /** The settings that the project adds; undefined for none. */
  readonly settings: () => Promise<AddedSettings | undefined>
  readonly load: () => Promise<LoadedProject>
  /** Says that `tidemark init --template` writes it. */
  readonly template?: ProjectTemplate
}

/** A project that people can begin with. */
export interface ProjectTemplate {
  readonly name: string
  /** What it adds in code, and the template does not have, each in a few words for people. */
  readonly leftOut: readonly string[]
}

/** The first folder of a given project that exists. */
export function existingFolder({ folders }: Pick<GivenProject, 'folders'>): string {
  return folders.find((folder) => existsSync(folder)) ?? ''
}

/** What QuickSight shows of a project. */
export interface Analyses {
  /** The folders with the questions that become data sets. */
  readonly questions: readonly URL[]
  /** Filters that a question cannot do without: such a question becomes no data set. */
  readonly needed: readonly string[]
  readonly dashboards: readonly Analysis[]
}

/** A dashboard in QuickSight. */
export interface Analysis {
  readonly id: string
  readonly title: string
  /** Whether it is for the group that something is reserved for, or for everybody else. */
  readonly isReserved: boolean
  readonly visuals: readonly Visual[]
}

/** A question of a dashboard in QuickSight, and how it is drawn. */
export interface Visual {
  readonly question: string
  /** Lines over `category`, bars by `category`, or the rows as a table. */
  readonly as: 'lines' | 'bars' | 'table'
  readonly category?: string
  readonly value?: string
  /** A line or colour for each. Amounts in several currencies are never added. */
  readonly color?: string
}
