import type { RowCounts } from '../../platform/lake/commit-record.ts'
import { changedRows } from '../../platform/lake/table-entry.ts'
import { DEFERRED } from '../../platform/lake/held.ts'
import { LOCKED } from '../../platform/source/lock.ts'
import {
  extractUncontested,
  findUnchanged,
  readTransformed,
  type Unchanged,
} from '../../platform/pipeline.ts'
import { type HeldTable, listHeld } from '../../platform/lake/held.ts'
import { stageHandler } from './stage.ts'

export interface Extracted {
  readonly batch: number
  readonly committed: boolean
  /** There is something to transform, from this run or before. */
  readonly isPending: boolean
  readonly unchanged: Unchanged | null
  readonly held: number
  readonly quarantined: number
  /** Tables were left for the next run, for want of time or memory. */
  readonly isCutShort: boolean
}

/** The newest batch this process has seen: saves a warm one the search for it. */
let lastKnown = 0

export const handler = stageHandler<Extracted>({
  name: 'extract',
  needs: ['source'],
  async work(deps, { confirmDeletes }) {
    const outcome = await extractUncontested(deps, {
      confirmDeletes: new Set(confirmDeletes),
      lastKnown,
    })
    const { record, committed, quarantined } = outcome
    lastKnown = record?.batch ?? 0
    const transformed = record && (await readTransformed(deps, record))
    // While nothing is pending no transform says what stands still in the stars.
    const held = [...outcome.held, ...listHeld(transformed?.tables ?? {})]
    const isCutShort = held.some(({ reason }) => reason === DEFERRED)
    return {
      output: {
        batch: lastKnown,
        committed,
        isPending: record !== undefined && transformed === undefined,
        unchanged: findUnchanged(outcome) ?? null,
        held: held.length,
        quarantined,
        isCutShort,
      },
      measured: {
        ...measureHeld(held),
        quarantined,
        changed: committed ? sumChanged(record?.tables ?? {}) : 0,
      },
    }
  },
})

/** Reasons that pass by themselves and break no contract. If they do not pass, freshness tells. */
const PASSING: ReadonlySet<string> = new Set([DEFERRED, LOCKED])

function measureHeld(held: readonly HeldTable[]): { held: number; deletesHeld: number } {
  const count = (is: (reason: string) => boolean) => held.filter(({ reason }) => is(reason)).length
  return {
    held: count((reason) => !PASSING.has(reason) && reason !== 'mass_deletion'),
    deletesHeld: count((reason) => reason === 'mass_deletion'),
  }
}

function sumChanged(tables: Readonly<Record<string, { counts: RowCounts }>>): number {
  return Object.values(tables).reduce((sum, { counts }) => sum + changedRows(counts), 0)
}
