/*
 * The function that sends reports. A schedule starts it every few minutes. It needs this around it:
 *
 * - What every function has, and `TIDEMARK_WAREHOUSE_READER_SECRET`, `TIDEMARK_SMTP_SECRET` (a secret
 *   that holds what `TIDEMARK_SMTP_URL` would), `TIDEMARK_REPORTS_FILE`, `TIDEMARK_REPORTS_STATE`,
 *   `TIDEMARK_MAIL_FROM` and `TIDEMARK_PAGES_URL`.
 * - `TIDEMARK_SAVER_SECRET` if questions can be saved.
 * - The right to read those secrets and the file, to list the bucket of the state, and to read and
 *   create objects of the state.
 */
import { randomUUID } from 'node:crypto'
import { createReader } from '../../platform/presentation/reader.ts'
import { openReportState, reportSources } from '../reports/open-reports.ts'
import { lookOnce } from '../reports/repeat-reports.ts'
import { createReportMailer } from '../reports/report-mailer.ts'
import type { Sent } from '../reports/send-due.ts'
import {
  givenSetting,
  openFunctionEnvironment,
  readFunctionConfig,
  urlFrom,
} from './environment.ts'
import type { FunctionLog } from './events.ts'
import { SECRET_SETTINGS, SMTP_SECRET_SETTING } from './functions.ts'
import { createLog, publicError, publishMetrics } from './logging.ts'
import { createRenewingSavedQuestions } from './renewing-saved-questions.ts'
import { forgetSecrets, readSecretText } from './secrets.ts'
import type { InvocationContext } from './stage.ts'

/** Time kept in reserve, so that the mail under way ends before Lambda ends the function. */
const SPARE_MS = 240_000

/** Sends the due mails. If time runs short, a later invocation sends the rest. */
export async function handler(
  _event: unknown,
  context: Pick<InvocationContext, 'awsRequestId' | 'getRemainingTimeInMillis'>,
): Promise<Sent> {
  const startedAt = performance.now()
  const runId = randomUUID()
  const log = createLog('reports', { runId, requestId: context.awsRequestId })
  const short = new AbortController()
  const clock = setTimeout(
    () => short.abort(),
    Math.max(0, context.getRemainingTimeInMillis() - SPARE_MS),
  )
  try {
    const sent = await look({ runId, log, signal: short.signal })
    publishMetrics({ reportsFailed: sent.failed + sent.broken })
    const durationMs = Math.round(performance.now() - startedAt)
    log({ event: 'reports_finished', ...sent, durationMs })
    return sent
  } catch (error) {
    const shown = publicError(error)
    log({ event: 'stage_failed', level: 'alert', name: shown.name, error: shown.message })
    throw shown
  } finally {
    clearTimeout(clock)
  }
}

async function look({
  runId,
  log,
  signal,
}: {
  runId: string
  log: FunctionLog
  signal: AbortSignal
}): Promise<Sent> {
  // A password may have changed since the last look, some minutes ago.
  forgetSecrets()
  await using environment = await openFunctionEnvironment({ needs: ['reader'], runId, log })
  const secret = givenSetting(process.env[SMTP_SECRET_SETTING], SMTP_SECRET_SETTING)
  const config = await readFunctionConfig({ TIDEMARK_SMTP_URL: await readSecretText(secret) })
  const now = () => new Date()
  await using reader = createReader(environment.reader, { shared: 2 })
  const saver = process.env[SECRET_SETTINGS.saver] ?? ''
  // Reads its secret on first use, so that a wrong secret fails only reports of saved questions.
  await using saved =
    saver === '' ? undefined : createRenewingSavedQuestions({ readUrl: urlFrom(saver) })
  const sources = reportSources({ config, deps: environment.deps, reader, saved, now })
  const store = await openReportState(config)
  try {
    const mailer = createReportMailer(config)
    return await lookOnce(sources, { ...sources, store, mailer, log, runId, now, signal })
  } finally {
    await store[Symbol.asyncDispose]?.()
  }
}
