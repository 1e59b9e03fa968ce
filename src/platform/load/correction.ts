import type { Difference } from '../lake/difference.ts'

/** How a table of the warehouse differed before it was corrected. */
export interface Correction {
  readonly table: string
  readonly difference: Difference
  /** Extra rows that stay, because other rows refer to them. */
  readonly left: number
}

/** Whether there was anything to correct. */
export function isCorrection({ difference }: Pick<Correction, 'difference'>): boolean {
  return difference.missing + difference.extra + difference.different > 0
}
