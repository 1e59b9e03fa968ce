import { loadAndConfirm } from '../../platform/pipeline.ts'
import { stageHandler } from './stage.ts'

export interface Loaded {
  /** Batches this invocation loaded. */
  readonly batches: number
  /** Newest batch the warehouse holds now, 0 when it is empty. */
  readonly lastBatch: number
  /** The warehouse holds everything committed to the source before this (source clock, ISO 8601). */
  readonly completeTo: string | null
  /** Batches were left for the next run, for want of time or memory. */
  readonly isCutShort: boolean
}

export const handler = stageHandler<Loaded>({
  name: 'load',
  needs: ['warehouse'],
  async work(deps, { unchanged }) {
    const { outcome, completeTo } = await loadAndConfirm(deps, unchanged ?? undefined)
    const { batches, lastBatch, isCutShort } = outcome
    const age = completeTo && (Date.now() - Date.parse(completeTo)) / 1000
    return {
      output: {
        batches: batches.length,
        lastBatch,
        completeTo: completeTo ?? null,
        isCutShort,
      },
      measured: age === undefined ? {} : { freshness: Math.max(0, Number(age)) },
    }
  },
})
