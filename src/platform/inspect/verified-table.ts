import type { Difference } from '../lake/difference.ts'
import { NO_DIFFERENCE } from './verify-history.ts'

export interface VerifiedTable {
  readonly table: string
  /**
   * `lake`, `warehouse`: that copy against the source. `history`: every version and every dimension
   * row in the warehouse against the processed zone.
   */
  readonly where: 'lake' | 'warehouse' | 'history'
  /** Rows the source (or what the models make of it) holds. */
  readonly rows: number
  readonly difference: Difference
  /** Whether equal checksums were proof enough, or every row was copied and compared. */
  readonly by: 'checksum' | 'rows'
  /** Rows left out because they are in quarantine. */
  readonly quarantined: number
  /** Why it stands still, and so was not compared. */
  readonly held?: string
}

export function notCompared(table: string, held = 'never_captured'): VerifiedTable {
  const nothing = { rows: 0, difference: NO_DIFFERENCE, quarantined: 0 }
  return { table, where: 'lake', by: 'checksum', ...nothing, held }
}
