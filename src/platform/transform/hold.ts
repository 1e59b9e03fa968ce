import type { PendingBatch } from '../lake/batch.ts'
import type { Hold } from '../lake/commit-record.ts'

/** How many unfit rows of a table are a matter of rows, and not of the table. */
export interface QuarantineLimits {
  /** More than this share holds the table back. */
  readonly quarantineShare: number
  /** As long as there are more rows than this. */
  readonly quarantineRows: number
}

/**
 * The hold of a table of whose rows too many are unfit, `undefined` where they may go to quarantine
 * one by one. A table that is held already is so since then.
 */
export function holdFor(
  { number, takenAt }: PendingBatch,
  {
    limits: { quarantineShare, quarantineRows },
    rows,
    unfit,
    before,
  }: {
    readonly limits: QuarantineLimits
    readonly rows: number
    readonly unfit: number
    readonly before: Hold | undefined
  },
): Hold | undefined {
  if (rows <= quarantineRows || unfit <= rows * quarantineShare) return undefined
  return {
    reason: 'too_many_rejected',
    detail: `${unfit} of ${rows} rows break a rule, more than ${Math.round(quarantineShare * 100)} %`,
    since: before?.since ?? number,
    sinceAt: before?.sinceAt ?? takenAt,
  }
}

/** Whether this many unfit rows can hold no table back, however many rows it has. */
export function areFew(
  unfit: number,
  { quarantineShare, quarantineRows }: QuarantineLimits,
): boolean {
  return unfit <= quarantineRows * quarantineShare
}
