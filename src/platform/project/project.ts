import type { Dashboard } from './dashboard.ts'
import type { MirrorSettings } from './mirror-settings.ts'
import type { DataTest, Model } from './model.ts'
import type { SourceContract } from './source-contract.ts'

/**
 * What a domain declares so that the platform can carry it. A `Project` is data and SQL only. The
 * platform never calls back into a domain, and knows no table by name.
 */
export interface Project {
  /** Short lower-case name. It is used in lock names, in logs and in the warehouse's own tables. */
  readonly name: string
  /** The name of the source for people, such as `the library`. */
  readonly title: string
  readonly source: SourceContract
  /**
   * In the order they are made: dimensions, then the facts that refer to them, then the calendar.
   */
  readonly models: readonly Model[]
  /**
   * Which edition of its generation is in force. Never declared: it is looked up in the processed
   * zone (`inForce`). Undefined until then, and also the first one.
   */
  readonly edition?: number | undefined
  /** Rules across tables. A test runs with every batch that changes one of the tables it names. */
  readonly tests?: readonly DataTest[]
  /**
   * Set for a mirror: every table of the source that the settings select is kept as it is, with its
   * full history. The catalogue of the source says which tables these are, so a mirror declares
   * neither tables nor models.
   */
  readonly mirror?: MirrorSettings
  readonly warehouse?: {
    /**
     * Folder of append-only, numbered `.sql` migrations. A table that a migration creates stays as
     * it is written there; every other table is derived from its model.
     */
    readonly migrations?: URL
  }
  /** The dashboard. Omit it for a project without pages. */
  readonly presentation?: Dashboard
}
