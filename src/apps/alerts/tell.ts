import { hostname } from 'node:os'
import { codeOf, TidemarkError } from '../../platform/errors.ts'
import type { AppLog } from '../log.ts'
import { RecipientRefusedError } from '../mail/mailer.ts'
import { noticeBetween } from './episodes.ts'
import type { Journal, Numbered } from './journal.ts'
import { writeMessage } from './message.ts'
import type { Recipient } from './recipients.ts'

/** What is needed to tell. */
export interface TellOptions {
  readonly journal: Journal
  /** Its name in subject lines. */
  readonly project: string
  readonly log: AppLog
  /** The real time. */
  readonly now: () => Date
  /** Gives up what is under way. It is tried again. */
  readonly signal?: AbortSignal
}

/**
 * Tells every recipient what changed since the last entry that the recipient was told. Each gets an
 * entry once, even if several processes do this at the same time; if a process is killed between
 * sending and recording, it is sent again with the same id. A recipient that cannot be reached keeps
 * no other from being told, and is tried again by a later call. Throws only what the journal throws.
 */
export async function tellAll(
  recipients: readonly Recipient[],
  entry: Numbered,
  options: TellOptions,
): Promise<void> {
  const lanes = (['mail', 'webhook'] as const).map((channel) =>
    tellLane(
      recipients.filter((recipient) => recipient.channel === channel),
      entry,
      options,
    ),
  )
  const ended = await Promise.allSettled(lanes)
  for (const lane of ended) if (lane.status === 'rejected') throw lane.reason
}

/** One after the other: they share a server. If that is away, the others need not wait for it too. */
async function tellLane(
  recipients: readonly Recipient[],
  entry: Numbered,
  options: TellOptions,
): Promise<void> {
  for (const [at, recipient] of recipients.entries()) {
    const outcome = await tellOne(recipient, entry, { ...options, place: at + 1 })
    if (outcome === 'server away') return
  }
}

async function tellOne(
  recipient: Recipient,
  entry: Numbered,
  { journal, project, log, now, signal, place }: TellOptions & { place: number },
): Promise<'done' | 'server away'> {
  const { id, channel } = recipient
  const due = await journal.due(id, entry)
  if (due.kind === 'nothing') return 'done'
  const news = noticeBetween(due.known, entry.entry)
  if (news === undefined) {
    await journal.finish(id, entry)
    return 'done'
  }
  const taken = await journal.take(id, entry, now())
  if (taken === undefined) return 'done'
  const message = writeMessage(news, { project, now: now(), host: hostname() })
  try {
    await recipient.send(message, {
      id: `${entry.number} ${entry.entry.at}`,
      ...(signal && { signal }),
    })
  } catch (error) {
    const isRefused = error instanceof RecipientRefusedError
    log({ event: 'alert_failed', level: 'warn', channel, recipient: place, ...describe(error) })
    if (isRefused) {
      await taken.record(id, 'refused')
      await journal.finish(id, entry, taken)
      return 'done'
    }
    await taken.fail()
    return isOfRecipient(error) ? 'done' : 'server away'
  }
  await taken.record(id, 'sent')
  await journal.finish(id, entry, taken)
  const { begun, over, lasting } = news
  log({
    event: 'alert_sent',
    channel,
    recipient: place,
    begun: begun.length,
    over: over.length,
    lasting: lasting.length,
  })
  return 'done'
}

function isOfRecipient(error: unknown): boolean {
  return error instanceof TidemarkError && error.code === 'MAIL_RECIPIENT'
}

/** The parts of an error that a log may show. The message of one that is not ours may hold a value. */
export function describe(error: unknown): { code: string; message: string; hint?: string } {
  const known = error instanceof TidemarkError ? error : undefined
  return {
    code: known?.code ?? (codeOf(error) || 'UNEXPECTED'),
    message: known?.message ?? 'The alert could not be sent',
    ...(known?.hint === undefined ? {} : { hint: known.hint }),
  }
}
