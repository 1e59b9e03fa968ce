import type { PendingBatch } from '../lake/batch.ts'
import type { Hold } from '../lake/commit-record.ts'
import { areTooMany, type QuarantineLimits } from '../lake/quarantine/limits.ts'

/**
 * The hold of a star table if too many of its rows are refused; undefined if the rows go to
 * quarantine one by one. If the table was held before, the hold keeps its first batch and moment.
 */
export function holdFor(
  { number, takenAt }: PendingBatch,
  {
    limits,
    rows,
    refused,
    before,
  }: {
    readonly limits: QuarantineLimits
    readonly rows: number
    readonly refused: number
    readonly before: Hold | undefined
  },
): Hold | undefined {
  if (!areTooMany({ rows, refused }, limits)) return undefined
  const percent = Math.round(limits.quarantineShare * 100)
  return {
    reason: 'too_many_rejected',
    detail: `${refused} of ${rows} rows break a rule, more than ${percent} %`,
    since: before?.since ?? number,
    sinceAt: before?.sinceAt ?? takenAt,
  }
}
