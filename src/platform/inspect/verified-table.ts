import { type Difference, NO_DIFFERENCE } from '../lake/difference.ts'

/** The result of comparing one table between two places. */
export interface VerifiedTable {
  readonly table: string
  /**
   * `lake`, `warehouse`: that copy against the source. `history`: every version and every dimension
   * row in the warehouse against the processed zone. `sums`: the kept sums of a fact against the sums
   * of its current rows. `revisions`: the kept revisions of a fact against its versions.
   */
  readonly where: 'lake' | 'warehouse' | 'history' | 'sums' | 'revisions'
  /**
   * Number of expected rows: in the source, made by the models from the source, in the processed
   * zone, summed from the current rows, or found among the versions.
   */
  readonly rows: number
  readonly difference: Difference
  /**
   * `checksum`: equal checksums were proof enough. `rows`: the rows themselves were compared. Sums
   * and revisions are compared inside the warehouse, all other rows are copied first.
   */
  readonly by: 'checksum' | 'rows'
  /** Rows left out of the comparison, because they are in quarantine. */
  readonly quarantined: number
  /** Why the table is held and so was not compared; missing if it was compared. */
  readonly held?: string
}

/** The result for a table that was not compared, with the reason. It counts as equal. */
export function notCompared(table: string, held = 'never_captured'): VerifiedTable {
  const nothing = { rows: 0, difference: NO_DIFFERENCE, quarantined: 0 }
  return { table, where: 'lake', by: 'checksum', ...nothing, held }
}

/** Whether a comparison found a difference. */
export function isDifferent({ difference }: VerifiedTable): boolean {
  return difference.missing + difference.extra + difference.different > 0
}
