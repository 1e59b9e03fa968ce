import { collect, extractUncontested, load, transform } from '../../../platform/pipeline.ts'
import type { Environment } from '../../environment.ts'
import { formatNumber } from '../../format.ts'
import type { CommandContext } from '../context.ts'
import { stepLine } from '../output.ts'

/**
 * Captures what is left of the embedded source's past, one batch for each of its moments. Each batch
 * is transformed and loaded while the next is captured. The feeds are collected once, after the first
 * capture, because they hold all of the past. Then the source lives up to now. Throws what the stages
 * throw; the next run then catches up on what is pending, and the next call goes on with the past.
 */
export async function capturePast(
  { output, signal }: CommandContext,
  { deps, local }: Environment,
): Promise<void> {
  const left = local?.pastCaptures ?? 0
  if (left > 1) output.note(`  capturing its past: ${left} batches, dated as it was then …`)
  const startedAt = performance.now()
  let captures = 0
  let first: Date | undefined
  let following = Promise.resolve()
  const count = () => {
    if (left > 1) output.progress(`batch ${captures + 1} of ${left}`)
  }
  const follow = async () => {
    await transform(deps)
    await load(deps)
  }
  await local?.livePast(async (moment) => {
    count()
    const { record, committed } = await extractUncontested(deps)
    if (first === undefined) await collect(deps, { lastKnown: record?.batch ?? 0 })
    first ??= moment
    captures += committed ? 1 : 0
    following = following.then(follow)
    // Awaited at the end. Until then, a failure does not stop the captures.
    following.catch(() => undefined)
    return !signal.aborted
  })
  await following
  if (first === undefined || captures === 0) return
  output.emit({ event: 'past_captured', batches: captures, from: first.toISOString() })
  const day = first.toISOString().slice(0, 10)
  const what = `past captured: ${formatNumber(captures, 'batch', 'batches')} since ${day}`
  const durationMs = Math.round(performance.now() - startedAt)
  output.note(stepLine(output, { what, durationMs, more: 'simulated, and marked so' }))
}
