import type { Config } from '../../platform/config.ts'
import type { Output } from './output.ts'

/** What every command is given. */
export interface CommandContext {
  readonly config: Config
  readonly output: Output
  /** Aborted by the first SIGINT or SIGTERM. */
  readonly signal: AbortSignal
}
