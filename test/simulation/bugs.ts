import type { Deps } from '../../src/platform/deps.ts'
import type { SimulatedDatabase } from './database.ts'

/** A known bug, planted by test code alone. */
export interface Planted {
  readonly name: string
  /** What the bug is. */
  readonly is: string
  /** The deps of one run, with the bug in them. */
  plant(deps: Deps, world: { database: SimulatedDatabase; runId: string }): Deps
}
