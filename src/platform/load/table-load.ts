import { ContractError } from '../errors.ts'
import type { Transfer } from './store-rows.ts'

/** The rows of one batch for one table, and the state of the table. */
export interface TableLoad {
  readonly transfer: Transfer
  /** The batch's change files for the table, as local paths. */
  readonly files: readonly string[]
  /** The number of rows in them, as the commit record counts them. */
  readonly expected: number
  /** Whether the table is known to be empty. */
  readonly isEmpty: boolean
  /** Whether the content of the warehouse is being replaced by another generation's. */
  readonly isSwitch: boolean
  /** Whether the sums of facts are those of the current rows, and the load keeps them so. */
  readonly areSumsRight: boolean
}

/**
 * Throws `ContractError` (`LOAD_INCOMPLETE`) unless as many rows were stored as the record counts.
 */
export function checkCount(
  table: string,
  { expected, rows }: { expected: number; rows: number },
): void {
  if (rows === expected) return
  throw new ContractError(
    `Table ${table}: ${expected} rows were to be loaded, but ${rows} were stored`,
    {
      code: 'LOAD_INCOMPLETE',
      hint: 'nothing was published; check whether a trigger or rule on the table drops rows (\\d in psql), or else report this',
    },
  )
}
