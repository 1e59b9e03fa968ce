import { TidemarkError, TransientError } from '../../platform/errors.ts'
import { composeReport, composeThreshold, type ComposeOptions } from './compose.ts'
import type { Declaration, Declarations, Report, Threshold } from './declaration.ts'
import { deliver, type DeliverOptions, type Delivered, logReportFailure } from './deliver.ts'
import { digest } from '../mail/deliveries.ts'
import { crossingPlace, firstSeen, lastCrossing, recordCrossing } from './crossings.ts'
import { slotsAround } from './schedule.ts'
import { findSubject } from './subject.ts'
import { readFigure } from './threshold.ts'

/** What is needed to send due mails. */
export interface SendOptions extends ComposeOptions, DeliverOptions {}

/** What one call did for all declarations. */
export interface Sent {
  /** Mails that a server took. */
  readonly mails: number
  /** Declarations whose mail could not be sent now. */
  readonly failed: number
  /** Declarations that are not valid. */
  readonly broken: number
}

/** A mail that is later than this says that it is late. */
const LATE_MS = 15 * 60_000

/**
 * Sends every due mail once, even if other processes do the same at the same time. First checks every
 * declaration; a broken one is logged, and the others are sent. May be called at any time. Throws
 * nothing that concerns only one declaration.
 */
export async function sendDue(
  { valid, broken }: Declarations,
  options: SendOptions,
): Promise<Sent> {
  const { log } = options
  const total = { mails: 0, failed: 0, broken: broken.length }
  const refuse = (report: string, faults: readonly string[]) =>
    log({ event: 'report_broken', level: 'alert', report, faults })
  for (const { name, faults } of broken) refuse(name, faults)
  const sound: Declaration[] = []
  for (const declaration of valid) {
    const error = await findFault(declaration, options)
    if (error === undefined) sound.push(declaration)
    else {
      total.broken += 1
      refuse(declaration.name, [error.message])
    }
  }
  for (const declaration of sound) {
    if (options.signal?.aborted === true) break
    const { mails, isFailed } = await serve(declaration, options)
    total.mails += mails
    if (isFailed) total.failed += 1
  }
  return total
}

/**
 * Checks a declaration against the project and the warehouse. Returns an error with its faults.
 * Undefined if it has none, or if that cannot be told now.
 */
export async function findFault(
  declaration: Declaration,
  options: Pick<ComposeOptions, 'presentation' | 'dashboard'>,
): Promise<TidemarkError | undefined> {
  try {
    if (declaration.kind === 'threshold') await readFigure(declaration, options)
    else await findSubject(declaration, options)
    return undefined
  } catch (error) {
    const isBroken = error instanceof TidemarkError && error.code.startsWith('REPORT_')
    return isBroken ? error : undefined
  }
}

const NOTHING: Delivered = { mails: 0, isOver: true, isFailed: false }

/** Sends what is due for one declaration. Logs an error, because it concerns no other declaration. */
async function serve(declaration: Declaration, options: SendOptions): Promise<Delivered> {
  try {
    return declaration.kind === 'report'
      ? await serveReport(declaration, options)
      : await serveThreshold(declaration, options)
  } catch (error) {
    const level = error instanceof TransientError ? 'warn' : 'alert'
    logReportFailure(options.log, { report: declaration.name, error, level })
    return { ...NOTHING, isFailed: true }
  }
}

async function serveReport(report: Report, options: SendOptions): Promise<Delivered> {
  const now = options.now()
  const { last } = slotsAround(report.schedule, now)
  // A new schedule begins anew, so that a change of the schedule never sends a mail for an old slot.
  const place = `${report.name}/schedule-${digest(JSON.stringify(report.schedule))}`
  if (last <= (await firstSeen(options.store, place, now))) return NOTHING
  const isLate = now.getTime() - last.getTime() > LATE_MS
  const key = last.toISOString().replaceAll(/[-:]|\.000/g, '')
  return await deliver(report, {
    ...options,
    place: `${place}/${key}`,
    isLate,
    compose: () => composeReport(report, { ...options, slot: { at: last, isLate } }),
  })
}

/** Sends the mail of the last crossing before it looks for the next, so that each gets its mail. */
async function serveThreshold(threshold: Threshold, options: SendOptions): Promise<Delivered> {
  const { store, log } = options
  const place = `${threshold.name}/crossings`
  const last = await lastCrossing(store, place)
  const before =
    last === undefined ? NOTHING : await deliverCrossing(threshold, { ...options, ...last, place })
  if (!before.isOver) return before
  const { isCrossed, value: figure } = await readFigure(threshold, options)
  const lastNumber = last?.number ?? 0
  if (isCrossed === (lastNumber % 2 === 1)) return before
  const next = { number: lastNumber + 1, at: options.now(), figure }
  // If another process recorded the crossing, that process sends the mail, or a later look does.
  if (await recordCrossing(store, place, next)) {
    log({ event: 'threshold_crossed', report: threshold.name, isCrossed })
    return await deliverCrossing(threshold, { ...options, ...next, place })
  }
  return before
}

async function deliverCrossing(
  threshold: Threshold,
  options: SendOptions & { number: number; at: Date; figure: string; place: string },
): Promise<Delivered> {
  const { number, at, figure, place, now } = options
  const isLate = now().getTime() - at.getTime() > LATE_MS
  const crossed = { isCrossed: number % 2 === 1, at, figure, isLate }
  return await deliver(threshold, {
    ...options,
    place: crossingPlace(place, number),
    isLate,
    async compose() {
      const figureNow = await readFigure(threshold, options)
      return await composeThreshold(threshold, { ...options, crossed, figureNow })
    },
  })
}
