import { sharingEdition } from '../../platform/deps.ts'
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

/** What one invocation extracted. */
export interface ExtractOutput {
  readonly batch: number
  readonly committed: boolean
  /** Whether there is something to transform, from this run or an earlier one. */
  readonly isPending: boolean
  readonly unchanged: Unchanged | null
  readonly held: number
  readonly quarantined: number
  /** Whether tables were left for the next run because time or memory ran short. */
  readonly isCutShort: boolean
}

/** The newest batch that this process has seen, so that a warm one need not search for it. */
let lastKnown = 0

/** The first stage of the state machine. `AnythingPending` reads its `isPending`. */
export const handler = stageHandler<ExtractOutput>({
  name: 'extract',
  needs: ['source'],
  async work(given, { confirmDeletes }) {
    const deps = sharingEdition(given)
    const outcome = await extractUncontested(deps, {
      confirmDeletes: new Set(confirmDeletes),
      lastKnown,
    })
    const { record, committed, quarantined } = outcome
    lastKnown = record?.batch ?? 0
    const transformed = record && (await readTransformed(deps, record))
    // While nothing is pending no transform runs, so the tables it holds are reported here.
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

/** Reasons that pass by themselves and break no contract. If one stays, the freshness alarm tells. */
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
