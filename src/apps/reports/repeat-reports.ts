import { setTimeout as delay } from 'node:timers/promises'
import { codeOf, TidemarkError } from '../../platform/errors.ts'
import { openTogether } from '../../platform/io/open-together.ts'
import { createReader } from '../../platform/presentation/reader.ts'
import { createSavedQuestions } from '../../platform/presentation/saved-questions.ts'
import type { Environment } from '../environment.ts'
import type { AppLog } from '../log.ts'
import { createReportMailer } from './report-mailer.ts'
import { openReportState, type ReportSources, reportSources } from './open-reports.ts'
import { sendDue, type Sent } from './send-due.ts'

/** Milliseconds between two looks for due mails. */
const EVERY_MS = 60_000

/**
 * Sends due mails for as long as it is open. Disposing waits for the mail that is under way. No
 * failure of a report stops the process. Throws what `createReportMailer` throws.
 */
export async function repeatReports(
  {
    config,
    deps,
    reader: warehouse,
    saverUrl,
    now,
  }: Pick<Environment, 'config' | 'deps' | 'reader' | 'saverUrl' | 'now'>,
  { log, url, everyMs = EVERY_MS }: { log: AppLog; url?: string | undefined; everyMs?: number },
): Promise<AsyncDisposable> {
  const mailer = createReportMailer(config)
  const stopping = new AbortController()
  const { signal } = stopping
  return await openTogether(async (keep) => {
    const reader = keep(createReader(warehouse, { shared: 2 }))
    const saved = saverUrl === undefined ? undefined : keep(createSavedQuestions({ url: saverUrl }))
    const store = keep(await openReportState(config))
    const sources = reportSources({ config, deps, reader, saved, now, url })
    const { runId } = deps
    const told = tellFaultsOnce(log)
    const work = async (): Promise<void> => {
      while (!signal.aborted) {
        const real = () => new Date()
        const options = { ...sources, store, mailer, log: told.log, runId, now: real, signal }
        await lookOnce(sources, options)
        told.next()
        await delay(everyMs, undefined, { signal }).catch(() => {})
      }
    }
    const working = work()
    keep({
      async [Symbol.asyncDispose]() {
        stopping.abort()
        await working
      },
    })
    return {}
  })
}

/** Reads the file and sends the due mails, once. Never throws: failures are logged. */
export async function lookOnce(
  { readDeclarations }: Pick<ReportSources, 'readDeclarations'>,
  options: Parameters<typeof sendDue>[1],
): Promise<Sent> {
  try {
    return await sendDue(await readDeclarations(), options)
  } catch (error) {
    const known = error instanceof TidemarkError ? error : undefined
    options.log({
      event: 'reports_unreadable',
      level: 'alert',
      code: known?.code ?? (codeOf(error) || 'UNEXPECTED'),
      message: known?.message ?? 'The reports file, or the state of the reports, cannot be read',
      hint: known?.hint,
    })
    return { mails: 0, failed: 1, broken: 0 }
  }
}

/** A log that tells a fault of the file once, until the fault is corrected. */
function tellFaultsOnce(log: AppLog): { log: AppLog; next(): void } {
  let before = new Set<string>()
  let found = new Set<string>()
  return {
    log(entry) {
      if (entry.event !== 'report_broken' && entry.event !== 'reports_unreadable') return log(entry)
      const text = JSON.stringify(entry)
      found.add(text)
      if (!before.has(text)) log(entry)
    },
    next() {
      before = found
      found = new Set()
    },
  }
}
