import type { Config } from '../../platform/config.ts'
import { digest } from '../mail/deliveries.ts'
import { createMailer, type MailTimes } from '../mail/mailer.ts'
import type { Message } from './message.ts'
import { postMessage } from './webhook.ts'

/** Somebody who gets alerts: a mail address, or a webhook. */
export interface Recipient {
  /** A short name that reveals no address. */
  readonly id: string
  readonly channel: 'mail' | 'webhook'
  /** For people at this machine: the mail address, or the webhook's host. */
  readonly address: string
  /**
   * Hands over one message, within seconds. The same `id` marks a repetition. Throws what
   * `Mailer.send` and `postMessage` throw.
   */
  send(
    message: Message,
    options: { readonly id: string; readonly signal?: AbortSignal },
  ): Promise<void>
}

/** The settings of alerts. */
export type AlertSettings = Pick<
  Config,
  | 'TIDEMARK_ALERT_TO'
  | 'TIDEMARK_ALERT_FROM'
  | 'TIDEMARK_ALERT_WEBHOOK'
  | 'TIDEMARK_SMTP_URL'
  | 'TIDEMARK_MAIL_FROM'
>

/** An alert must not hold up the end of a run for long. */
const TIMES: MailTimes = { connectMs: 5000, silentMs: 10_000, mailMs: 20_000 }

/** The steps that fix an error of the mail server. */
const HINTS = {
  sender: 'set TIDEMARK_ALERT_FROM to an address from which the server lets this user send',
  recipient: 'correct TIDEMARK_ALERT_TO; then: tidemark alerts test',
  later: 'it is tried again with the next run; to try it now: tidemark alerts test',
}

/** Everybody who gets alerts, each once. Empty if the settings name nobody. */
export function recipientsOf(config: AlertSettings): Recipient[] {
  const mailer = alertMailer(config)
  const addresses = (config.TIDEMARK_ALERT_TO ?? '').split(/[\s,]+/).filter((each) => each !== '')
  const unique = new Map(addresses.map((address) => [address.toLowerCase(), address]))
  const mails = [...unique].map(([key, address]): Recipient => ({
    id: `mail-${digest(key)}`,
    channel: 'mail',
    address,
    send: async (message, { id, signal }) =>
      await mailer?.send({ to: address, ...message, id: digest(`${id} ${key}`) }, signal),
  }))
  const { TIDEMARK_ALERT_WEBHOOK: url } = config
  if (url === undefined) return mails
  const webhook: Recipient = {
    id: `webhook-${digest(url)}`,
    channel: 'webhook',
    address: new URL(url).host,
    send: async (message, { signal }) => await postMessage(url, message, signal && { signal }),
  }
  return [...mails, webhook]
}

/** The mailer for alerts. Undefined if none are sent by mail. Connects to nothing yet. */
export function alertMailer(config: AlertSettings): ReturnType<typeof createMailer> | undefined {
  const { TIDEMARK_ALERT_TO: to, TIDEMARK_SMTP_URL: url } = config
  const from = config.TIDEMARK_ALERT_FROM ?? config.TIDEMARK_MAIL_FROM
  // The settings are checked together when they are read.
  if (to === undefined || url === undefined || from === undefined) return undefined
  return createMailer({ url, from, hints: HINTS }, TIMES)
}
