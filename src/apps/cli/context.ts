import type { Config } from '../../platform/config.ts'
import type { GivenProject } from '../project-extension.ts'
import type { Output } from './output.ts'

/** What every command is given: settings, a way to write, and a signal to stop. */
export interface CommandContext {
  readonly config: Config
  /**
   * The config file of the project that a flag or the environment names, or that is near; undefined
   * if there is none. For commands that read no settings: it does not look into `.env`.
   */
  findProject(): Promise<string | undefined>
  /** The project to carry if no other is named. */
  readonly given: GivenProject
  readonly output: Output
  /** Aborted by the first SIGINT or SIGTERM. */
  readonly signal: AbortSignal
}
