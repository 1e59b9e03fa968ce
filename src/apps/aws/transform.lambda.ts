import { transform } from '../../platform/pipeline.ts'
import { stageHandler } from './stage.ts'

/** What one invocation transformed. */
export interface TransformOutput {
  readonly generation: string
  /** Number of batches that this invocation transformed. */
  readonly batches: number
  readonly held: number
  readonly quarantined: number
  /** Whether batches were left for the next run because time or memory ran short. */
  readonly isCutShort: boolean
}

/** The middle stage. It talks to no database: it reads one bucket and writes the other. */
export const handler = stageHandler<TransformOutput>({
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
