import { loadAndConfirm } from '../../platform/pipeline.ts'
import { stageHandler } from './stage.ts'

/** What one invocation loaded. */
export interface LoadOutput {
  /** Number of batches that this invocation loaded. */
  readonly batches: number
  /** The newest batch in the warehouse now, 0 if it is empty. */
  readonly lastBatch: number
  /** The warehouse holds everything committed to the source before this (source clock, ISO 8601). */
  readonly completeTo: string | null
  /** Whether batches were left for the next run because time or memory ran short. */
  readonly isCutShort: boolean
}

/** The last stage. It also confirms what the extract of this run proved to be unchanged. */
export const handler = stageHandler<LoadOutput>({
  name: 'load',
  needs: ['warehouse'],
  async work(deps, { unchanged }) {
    const { outcome, completeTo, delayMs } = await loadAndConfirm(deps, unchanged ?? undefined)
    const { batches, lastBatch, isCutShort } = outcome
    const age = completeTo && (Date.now() - Date.parse(completeTo)) / 1000
    return {
      output: {
        batches: batches.length,
        lastBatch,
        completeTo: completeTo ?? null,
        isCutShort,
      },
      measured: {
        ...(age === undefined ? {} : { freshness: Math.max(0, Number(age)) }),
        ...(delayMs === undefined ? {} : { delay: delayMs / 1000 }),
      },
    }
  },
})
