import {
  ConfigError,
  ConflictError,
  ContractError,
  InterruptedError,
} from '../../platform/errors.ts'
import type { RunReport } from '../../platform/pipeline.ts'

/** What the shell is told. Stable: documented in `docs/command-line.md`. */
export const EXIT = {
  done: 0,
  failed: 1,
  usage: 2,
  quarantined: 3,
  held: 4,
  stale: 5,
  locked: 6,
  different: 7,
  interrupted: 130,
} as const

const OF_THE_SOURCE = /^(SOURCE|TABLE|KEY|CAPTURE)_/

export function exitCodeOf(error: unknown): number {
  if (error instanceof InterruptedError) return EXIT.interrupted
  if (error instanceof ConfigError) return EXIT.usage
  // A damaged lake is no broken contract of the source.
  if (error instanceof ContractError && OF_THE_SOURCE.test(error.code)) return EXIT.held
  if (error instanceof ConflictError && error.code === 'RUN_LOCKED') return EXIT.locked
  return EXIT.failed
}

/** The worst that happened in a run (I13). */
export function exitCodeOfRun(report: RunReport): number {
  const [first] = report.failures
  if (first !== undefined) return exitCodeOf(first.error)
  if (report.held.length > 0) return EXIT.held
  if (report.quarantined > 0) return EXIT.quarantined
  return EXIT.done
}
