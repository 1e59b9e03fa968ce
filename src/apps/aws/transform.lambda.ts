import { transform } from '../../platform/pipeline.ts'
import { stageHandler } from './stage.ts'

export interface Transformed {
  readonly generation: string
  /** Batches this invocation transformed. */
  readonly batches: number
  readonly held: number
  readonly quarantined: number
  /** Batches were left for the next run, for want of time or memory. */
  readonly isCutShort: boolean
}

export const handler = stageHandler<Transformed>({
  name: 'transform',
  needs: [],
  async work(deps) {
    const { generation, batches, held, quarantined, isCutShort } = await transform(deps)
    return {
      output: {
        generation,
        batches: batches.length,
        held: held.length,
        quarantined,
        isCutShort,
      },
      measured: { held: held.length, quarantined },
    }
  },
})
