import { bugNamed } from './bugs.ts'
import type { Violation } from './check.ts'
import type { Stage } from './play.ts'
import { shrink } from './shrink.ts'
import { makeHistory, type Step } from './step.ts'

/** Which history to play. */
export interface HistoryOptions {
  readonly seed: number
  readonly steps: number
  readonly bug: string | undefined
}

/** How a history went, without what was only needed to play it. */
export interface HistoryResult {
  readonly seed: number
  readonly steps: number
  readonly runs: number
  readonly batches: number
  /** The same for the same seed. */
  readonly digest: string
  readonly failure?: Failure
}

/** What a history must not show, and the shortest history that was found to show it too. */
export interface Failure {
  readonly violations: readonly Violation[]
  readonly trace: readonly string[]
  readonly shortest: readonly Step[]
}

/** Plays the history of a seed. One that fails is shortened. */
export async function playSeed(
  stage: Stage,
  { seed, steps, bug: bugName }: HistoryOptions,
  { onShorter }: { onShorter?: (length: number) => void } = {},
): Promise<HistoryResult> {
  const history = makeHistory(seed, steps)
  const bug = bugName === undefined ? undefined : bugNamed(bugName)
  const { violations, trace, runs, batches, hash } = await stage.play(history, { bug })
  const result = { seed, steps: history.length, runs, batches, digest: hash }
  const [first] = violations
  if (first === undefined) return result
  const fails = async (shorter: readonly Step[]) => {
    const played = await stage.play(shorter, { bug })
    return played.violations.some(({ kind }) => kind === first.kind)
  }
  const shortest = await shrink(history, fails, onShorter === undefined ? {} : { onShorter })
  return { ...result, failure: { violations, trace, shortest } }
}
