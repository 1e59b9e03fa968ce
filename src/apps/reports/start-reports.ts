import type { Config } from '../../platform/config.ts'
import type { Environment } from '../environment.ts'
import type { AppLog } from '../log.ts'

/**
 * Throws `ConfigError` (`CONFIG_MAIL`) if reports are declared but no mail can be sent. Loads and does
 * nothing if no reports are declared.
 */
export async function checkReports(config: Config): Promise<void> {
  if (config.TIDEMARK_REPORTS_FILE === undefined) return
  const { createReportMailer } = await import('./report-mailer.ts')
  createReportMailer(config)
}

/**
 * Sends reports beside the other work of a process, until it is disposed of. Loads and does nothing
 * if none are declared. Throws what `repeatReports` throws.
 */
export async function startReports(
  environment: Environment,
  options: {
    readonly log: AppLog
    /** Where the process serves the pages, if it does. */
    readonly url?: string
  },
): Promise<AsyncDisposable> {
  if (environment.config.TIDEMARK_REPORTS_FILE === undefined) {
    return { [Symbol.asyncDispose]: async () => {} }
  }
  const { repeatReports } = await import('./repeat-reports.ts')
  return await repeatReports(environment, options)
}
