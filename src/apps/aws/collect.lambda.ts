import { collect } from '../../platform/pipeline.ts'
import { stageHandler } from './stage.ts'

export interface Collected {
  readonly batch: number
  readonly committed: boolean
  /** Files and answers this invocation took. */
  readonly files: number
  readonly quarantined: number
  /** There is more to take, for the next invocation. */
  readonly isCutShort: boolean
  /** Feeds that could not be asked or read. */
  readonly failures: number
}

/** The newest batch this process has seen: saves a warm one the search for it. */
let lastKnown = 0

/** Beside the state machine, on a schedule of its own: what it commits the next run loads. */
export const handler = stageHandler<Collected>({
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
