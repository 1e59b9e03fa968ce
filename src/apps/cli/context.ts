import type { Config } from '../../platform/config.ts'
import type { Output } from './output.ts'

/** What every command is given: settings, a way to write, and a signal to stop. */
export interface CommandContext {
  readonly config: Config
  readonly output: Output
  /** Aborted by the first SIGINT or SIGTERM. */
  readonly signal: AbortSignal
}
