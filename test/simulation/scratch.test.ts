import { tmpdir } from 'node:os'
import { expect, it } from 'vitest'
import { openStage } from './play.ts'
import { makeHistory } from './step.ts'
it('plays', async () => {
  await using stage = await openStage(tmpdir())
  const from = Number(process.env['SEED'] ?? 1)
  const count = Number(process.env['COUNT'] ?? 5)
  const t0 = performance.now()
  let [batches, runs] = [0, 0]
  for (let seed = from; seed < from + count; seed++) {
    const played = await stage.play(makeHistory(seed, 80))
    batches += played.batches; runs += played.runs
    if (played.violations.length > 0) { console.log(seed, played.violations); if (process.env['TRACE']) console.log(played.trace.join('\n')); }
  }
  console.log({ batches, runs, ms: performance.now() - t0 })
})
