import { codeOf, ConfigError, TidemarkError, TransientError } from '../../platform/errors.ts'
import { retry } from '../../platform/io/retry.ts'
import type { ObjectStore } from '../../platform/lake/store/object-store.ts'
import type { AppLog } from '../log.ts'
import type { Declaration } from './declaration.ts'
import { type TakenDelivery, digest, takeDelivery } from '../mail/deliveries.ts'
import { type Letter, writeHtmlForm, writeTextForm } from './letter.ts'
import { type Mail, type Mailer, RecipientRefusedError } from '../mail/mailer.ts'

/** What is needed to deliver. */
export interface DeliverOptions {
  readonly store: ObjectStore
  readonly mailer: Mailer
  readonly log: AppLog
  /** Identifies this process. */
  readonly runId: string
  /** The real time, by which schedules and pauses go. */
  readonly now: () => Date
  /** Ends the work after the mail that is under way. */
  readonly signal?: AbortSignal | undefined
  /** First pause in ms between two tries within an attempt. Default 1000. */
  readonly pauseMs?: number
}

/** How a delivery went. */
export interface Delivered {
  /** Mails that a server took. */
  readonly mails: number
  /** Whether every recipient has an outcome, or there was nothing to do. */
  readonly isOver: boolean
  readonly isFailed: boolean
}

/** A delivery that has not succeeded after this time is given up. */
const GIVE_UP_MS = 24 * 60 * 60_000
/** An attempt ends well before its lease does. */
const ATTEMPT_MS = 5 * 60_000
const TRIES = 3
/** From this attempt on, each failure raises an alert. */
const PATIENCE = 4

/**
 * Sends one letter, as a mail of its own, to every recipient of a declaration who has not got it yet.
 * A recipient whom the server refuses for good gets nothing, and the others get theirs. If the server
 * takes no mail now, the rest is left for a later call. Does nothing if the delivery is over, is at
 * work elsewhere or must wait.
 */
export async function deliver(
  { name: report, recipients }: Declaration,
  options: DeliverOptions & {
    /** Where the state of the delivery lies. */
    readonly place: string
    readonly isLate: boolean
    readonly compose: () => Promise<Letter>
  },
): Promise<Delivered> {
  const { store, place, isLate, compose, log, now, runId: by } = options
  const taken = await takeDelivery(store, place, { recipients, by, now: now() })
  if (typeof taken === 'string') return { mails: 0, isOver: taken === 'done', isFailed: false }
  const progress = { mails: 0, refused: 0 }
  try {
    const isWhole = await sendToAll(taken, await compose(), {
      ...options,
      report,
      recipients,
      progress,
    })
    if (!isWhole) {
      await taken.fail()
      return { mails: progress.mails, isOver: false, isFailed: false }
    }
  } catch (error) {
    return await endAttempt(taken, error, { report, log, now, mails: progress.mails })
  }
  await taken.finish()
  log({ event: 'report_sent', report, ...progress, isLate })
  return { mails: progress.mails, isOver: true, isFailed: false }
}

interface SendToAll extends DeliverOptions {
  readonly place: string
  readonly report: string
  readonly recipients: readonly string[]
  readonly progress: { mails: number; refused: number }
}

/** Returns whether it came to the end. Throws the first error after which the rest must wait. */
async function sendToAll(
  { left, record }: TakenDelivery,
  letter: Letter,
  { place, report, recipients, progress, ...options }: SendToAll,
): Promise<boolean> {
  const { now, log, signal } = options
  const startedAt = now().getTime()
  const written = { text: writeTextForm(letter), html: await writeHtmlForm(letter) }
  let later: unknown
  for (const to of left) {
    if (signal?.aborted === true || now().getTime() - startedAt > ATTEMPT_MS) return false
    const id = digest(`${place} ${to.toLowerCase()}`)
    try {
      await sendOne({ to, subject: letter.subject, ...written, id }, options)
      progress.mails += 1
      await keepTrying(() => record(to, 'sent'), options)
    } catch (error) {
      if (error instanceof RecipientRefusedError) {
        progress.refused += 1
        // Its place in the list, not the address: a log holds nothing personal.
        const recipient = recipients.indexOf(to) + 1
        log({
          event: 'recipient_refused',
          level: 'alert',
          report,
          recipient,
          message: error.message,
        })
        await record(to, 'refused')
      } else if (error instanceof TransientError && error.code === 'MAIL_RECIPIENT') {
        later ??= error
      } else throw error
    }
  }
  if (later !== undefined) throw later
  return true
}

async function sendOne(mail: Mail, options: Omit<DeliverOptions, 'store'>): Promise<void> {
  await keepTrying(() => options.mailer.send(mail), options)
}

/** Tries again after short pauses, unless trying again cannot help. */
async function keepTrying(
  work: () => Promise<void>,
  { pauseMs = 1000, signal }: Pick<DeliverOptions, 'pauseMs' | 'signal'>,
): Promise<void> {
  await retry(work, {
    attempts: TRIES,
    pauseMs,
    signal,
    isPassing: (error) =>
      !(error instanceof ConfigError) && !(error instanceof RecipientRefusedError),
  })
}

async function endAttempt(
  taken: TakenDelivery,
  error: unknown,
  {
    report,
    log,
    now,
    mails,
  }: { report: string; mails: number } & Pick<DeliverOptions, 'log' | 'now'>,
): Promise<Delivered> {
  const isOver = now().getTime() - taken.firstAt.getTime() > GIVE_UP_MS
  const isPassing = error instanceof TransientError && taken.number < PATIENCE && !isOver
  logReportFailure(log, { report, error, level: isPassing ? 'warn' : 'alert' })
  if (isOver) {
    log({ event: 'report_given_up', level: 'alert', report, attempts: taken.number })
    await taken.finish()
  } else await taken.fail()
  return { mails, isOver, isFailed: true }
}

/** Logs why a mail is not sent now. The message of an error that is not ours may hold a value. */
export function logReportFailure(
  log: AppLog,
  { report, error, level }: { report: string; error: unknown; level: 'warn' | 'alert' },
): void {
  const known = error instanceof TidemarkError ? error : undefined
  const code = known?.code ?? (codeOf(error) || 'UNEXPECTED')
  const message = known?.message ?? 'The mail could not be made'
  log({ event: 'report_failed', level, report, code, message, hint: known?.hint })
}
