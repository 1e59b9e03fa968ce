import type { Dashboard } from './dashboard.ts'
import type { DataTest, Model } from './model.ts'
import type { SourceContract } from './source-contract.ts'

/**
 * What a domain declares so that the platform can carry it. A `Project` is data and SQL only:
 * the platform never calls back into a domain, and knows no table by name.
 */
export interface Project {
  /** Short lower-case name: used in lock names, logs and the warehouse's own tables. */
  readonly name: string
  /** What people call the source, e.g. `Totesys`. */
  readonly title: string
  readonly source: SourceContract
  /** In the order they are made: dimensions before the facts that name them, the calendar last. */
  readonly models: readonly Model[]
  /** What must be true across tables; run with every batch that changes one of the tables they name. */
  readonly tests?: readonly DataTest[]
  readonly warehouse: {
    /** Folder of append-only, numbered `.sql` migrations that make the star's tables. */
    readonly migrations: URL
  }
  /** What people see of it; without, there are no pages. */
  readonly presentation?: Dashboard
}
