import { createTransport } from 'nodemailer'
import { codeOf, ConfigError, TidemarkError, TransientError } from '../../platform/errors.ts'
import { isLoopback } from '../../platform/io/loopback.ts'

/** A mail to one recipient, in both forms. */
export interface Mail {
  readonly to: string
  readonly subject: string
  readonly text: string
  /** The same in HTML. Not set: the mail is plain text. */
  readonly html?: string
  /** Identifies what the mail is for. A repeated mail has the same id, so a receiver can tell. */
  readonly id: string
}

/** Hands mails to a server. */
export interface Mailer {
  /**
   * Hands over one mail; `signal` gives it up. Throws `RecipientRefusedError` if the server will never take it for this
   * recipient, `ConfigError` if it takes no mail from us (`MAIL_TLS`, `MAIL_LOGIN`, `MAIL_SENDER`),
   * and `TransientError` (`MAIL_RECIPIENT`, `MAIL_UNREACHABLE`) if it may do so later.
   */
  send(mail: Mail, signal?: AbortSignal): Promise<void>
  /** Connects and logs in, and sends nothing. Throws what `send` throws, except for a recipient. */
  check(): Promise<void>
}

/** What a mailer needs from the settings. */
export interface MailerSettings {
  /** The server, as in `TIDEMARK_SMTP_URL`. */
  readonly url: string
  readonly from: string
  /** The steps that fix an error, where they depend on what the mails are for. */
  readonly hints: {
    /** If the server does not let this user send from the sender. */
    readonly sender: string
    /** If the server refuses a recipient for good. */
    readonly recipient: string
    /** If the server takes no mail now. */
    readonly later: string
  }
}

/** The server refuses a mail to this recipient for good. */
export class RecipientRefusedError extends TidemarkError {}

/** How long the server may take, in milliseconds. */
export interface MailTimes {
  /** To accept a connection, and to greet. */
  readonly connectMs: number
  /** Between two answers. */
  readonly silentMs: number
  /** For a whole mail. */
  readonly mailMs: number
}

const TIMES: MailTimes = { connectMs: 15_000, silentMs: 30_000, mailMs: 60_000 }

/**
 * Creates a mailer for a server and a sender. Connects to nothing yet. TLS is required and verified,
 * unless the server is on this machine. No error holds the password or an address.
 */
export function createMailer(
  { url, from, hints }: MailerSettings,
  times: MailTimes = TIMES,
): Mailer {
  const options = optionsOf(new URL(url), times)
  const domain = /@([^>\s]+)>?\s*$/.exec(from)?.[1] ?? 'localhost'
  const connected = async (
    work: (transport: Transport) => Promise<unknown>,
    signal?: AbortSignal,
  ): Promise<void> => {
    // One connection for each mail: mails are few, and a server may close an idle one.
    const transport = createTransport(options)
    let clock: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      const error = Object.assign(new Error('too slow'), { code: 'ETIMEDOUT' })
      clock = setTimeout(() => reject(error), times.mailMs)
      signal?.addEventListener('abort', () => reject(error), { once: true })
    })
    late.catch(() => {})
    const done = work(transport)
    done.catch(() => {}) // after the time limit nobody waits for it
    try {
      await Promise.race([done, late])
    } catch (error) {
      throw explainMailError(error, { host: options.host, hints })
    } finally {
      clearTimeout(clock)
      transport.close()
    }
  }
  return {
    send: ({ id, ...mail }, signal) =>
      connected(
        (transport) =>
          transport.sendMail({
            ...mail,
            from,
            messageId: `<${id}@${domain}>`,
            headers: { 'Auto-Submitted': 'auto-generated' },
          }),
        signal,
      ),
    check: () => connected((transport) => transport.verify()),
  }
}

type Transport = ReturnType<typeof createTransport>

function optionsOf(url: URL, { connectMs, silentMs }: MailTimes) {
  const { protocol, username, password } = url
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
  const secure = protocol === 'smtps:'
  const isHere = isLoopback(host)
  return {
    host,
    port: url.port === '' ? (secure ? 465 : 587) : Number(url.port),
    secure,
    requireTLS: !secure && !isHere,
    // On this machine nobody can listen in between.
    tls: { rejectUnauthorized: !isHere, minVersion: 'TLSv1.2' as const },
    ...(username === ''
      ? {}
      : { auth: { user: decodeURIComponent(username), pass: decodeURIComponent(password) } }),
    connectionTimeout: connectMs,
    greetingTimeout: connectMs,
    socketTimeout: silentMs,
    dnsTimeout: connectMs,
    // Nothing in a mail is fetched from elsewhere.
    disableFileAccess: true,
    disableUrlAccess: true,
  }
}

/** What the server's answer means for the caller. Leaves out its text, which may repeat an address. */
function explainMailError(
  error: unknown,
  { host, hints }: Pick<MailerSettings, 'hints'> & { host: string },
): TidemarkError {
  const { responseCode, command } = error as { responseCode?: number; command?: string }
  const code = responseCode === undefined ? codeOf(error) : String(responseCode)
  const isForGood = responseCode !== undefined && responseCode >= 500
  if (codeOf(error) === 'EAUTH' && (isForGood || responseCode === undefined)) {
    return new ConfigError(`The mail server ${host} refused the login [${code}]`, {
      code: 'MAIL_LOGIN',
      hint: 'correct user and password in TIDEMARK_SMTP_URL',
    })
  }
  if (isTlsError(error)) {
    return new ConfigError(`No verified TLS connection to the mail server ${host} [${code}]`, {
      code: 'MAIL_TLS',
      hint: 'use a server with STARTTLS (smtp://) or TLS (smtps://) and a certificate for its name; NODE_EXTRA_CA_CERTS adds authorities',
    })
  }
  if (isForGood && command === 'MAIL FROM') {
    return new ConfigError(`The mail server ${host} does not take mail from us [${code}]`, {
      code: 'MAIL_SENDER',
      hint: hints.sender,
    })
  }
  if (isForGood) {
    return new RecipientRefusedError(`The mail server ${host} refused a recipient [${code}]`, {
      code: 'MAIL_REFUSED',
      hint: hints.recipient,
    })
  }
  const isOfRecipient = responseCode !== undefined && codeOf(error) === 'EENVELOPE'
  return new TransientError(
    isOfRecipient
      ? `The mail server ${host} does not take a mail for a recipient now [${code}]`
      : `The mail server ${host} cannot be reached, or does not answer [${code}]`,
    {
      code: isOfRecipient ? 'MAIL_RECIPIENT' : 'MAIL_UNREACHABLE',
      hint: hints.later,
    },
  )
}

function isTlsError(error: unknown): boolean {
  const codes = [codeOf(error), codeOf((error as Error).cause)].join(' ')
  const text = error instanceof Error ? error.message : ''
  return (
    /ETLS|CERT|SELF_SIGNED|ERR_TLS|ERR_SSL|UNABLE_TO/.test(codes) ||
    /certificate|STARTTLS|altnames|wrong version number/i.test(text)
  )
}
