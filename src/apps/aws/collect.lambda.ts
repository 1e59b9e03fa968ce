import { collect } from '../../platform/pipeline.ts'
import { stageHandler } from './stage.ts'

/** What one invocation collected. */
export interface CollectOutput {
  readonly batch: number
  readonly committed: boolean
  /** Files and answers this invocation took. */
  readonly files: number
  readonly quarantined: number
  /** Whether more is left for the next invocation. */
  readonly isCutShort: boolean
  /** Feeds that could not be asked or read. */
  readonly failures: number
}

/** The newest batch that this process has seen, so that a warm one need not search for it. */
let lastKnown = 0

/** Runs beside the state machine, on its own schedule. The next run loads what it commits. */
export const handler = stageHandler<CollectOutput>({
  name: 'collect',
  needs: [],
  async work(deps) {
    const { record, committed, files, quarantined, isCutShort, failures } = await collect(deps, {
      lastKnown,
    })
    lastKnown = record?.batch ?? 0
    return {
      output: {
        batch: lastKnown,
        committed,
        files,
        quarantined,
        isCutShort,
        failures: failures.length,
      },
      measured: { quarantined, feedsUnreachable: failures.length },
    }
  },
})
