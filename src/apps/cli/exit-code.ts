import {
  ConfigError,
  ConflictError,
  ContractError,
  InterruptedError,
} from '../../platform/errors.ts'
import type { RunReport } from '../../platform/pipeline.ts'

/** The exit codes. They stay as they are: scripts and schedulers depend on them. */
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

/** What each exit code means, for help and documentation. */
export const EXIT_MEANINGS: Readonly<Record<keyof typeof EXIT, string>> = {
  done: 'Done and checked. Published rows may break a check that only warns.',
  failed: 'Failed. Nothing was half-published.',
  usage: 'Wrong usage or configuration: somebody has to edit something.',
  quarantined: 'Done, but rows went to quarantine.',
  held: 'A table that broke its contract, or a mass deletion, is held; the rest was done. Or the source as a whole does not fit its contract, and nothing was captured.',
  stale:
    'The freshness promise is missed, or the process that should run does not (status --check).',
  locked: 'Another run holds the lock, or another `up` runs in this home.',
  different: 'verify found a difference, whether it repaired it or not.',
  interrupted: 'Interrupted.',
}

const FROM_THE_SOURCE = /^(SOURCE|TABLE|KEY|CAPTURE)_/

/** Returns the exit code for an error that ended a command. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof InterruptedError) return EXIT.interrupted
  if (error instanceof ConfigError) return EXIT.usage
  // A damaged lake is not the source's breach of contract.
  if (error instanceof ContractError && FROM_THE_SOURCE.test(error.code)) return EXIT.held
  if (error instanceof ConflictError && /^(RUN_LOCKED|UP_RUNNING)$/.test(error.code)) {
    return EXIT.locked
  }
  return EXIT.failed
}

/** Returns the exit code for the worst thing that happened in a run (I13). */
export function exitCodeOfRun(report: RunReport): number {
  const [first] = report.failures
  if (first !== undefined) return exitCodeOf(first.error)
  if (report.held.length > 0) return EXIT.held
  if (report.quarantined > 0) return EXIT.quarantined
  return EXIT.done
}
