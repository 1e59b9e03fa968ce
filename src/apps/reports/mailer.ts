import { createTransport } from 'nodemailer'
import type { Config } from '../../platform/config.ts'
import { codeOf, ConfigError, TidemarkError, TransientError } from '../../platform/errors.ts'
import { isLoopback } from '../../platform/io/loopback.ts'

/** A mail to one recipient, in both forms. */
export interface Mail {
  readonly to: string
  readonly subject: string
  readonly text: string
  readonly html: string
  /** Identifies what the mail is for. A repeated mail has the same id, so a receiver can tell. */
  readonly id: string
}

/** Hands mails to a server. */
export interface Mailer {
  /**
   * Hands over one mail. Throws `RecipientRefusedError` if the server will never take it for this
   * recipient, `ConfigError` if it takes no mail from us (`MAIL_TLS`, `MAIL_LOGIN`, `MAIL_SENDER`),
   * and `TransientError` (`MAIL_RECIPIENT`, `MAIL_UNREACHABLE`) if it may do so later.
   */
  send(mail: Mail): Promise<void>
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
 * Creates a mailer for the server and the sender in the settings. Connects to nothing yet. TLS is
 * required and verified, unless the server is on this machine. Throws `ConfigError` (`CONFIG_MAIL`)
 * if one of the settings is missing. No error holds the password or an address.
 */
export function createMailer(
  config: Pick<Config, 'TIDEMARK_SMTP_URL' | 'TIDEMARK_MAIL_FROM'>,
  times: MailTimes = TIMES,
): Mailer {
  const { TIDEMARK_SMTP_URL: address, TIDEMARK_MAIL_FROM: from } = config
  if (address === undefined || from === undefined) {
    const missing = address === undefined ? 'TIDEMARK_SMTP_URL' : 'TIDEMARK_MAIL_FROM'
    throw new ConfigError(`Reports are declared, but ${missing} is not set`, {
      code: 'CONFIG_MAIL',
      hint: `set ${missing} as docs/reports.md describes, or unset TIDEMARK_REPORTS_FILE`,
    })
  }
  const options = optionsOf(new URL(address), times)
  const domain = /@([^>\s]+)>?\s*$/.exec(from)?.[1] ?? 'localhost'
  return {
    async send({ id, ...mail }) {
      // One connection for each mail: reports are few, and a server may close an idle one.
      const transport = createTransport(options)
      let clock: NodeJS.Timeout | undefined
      const late = new Promise<never>((_, reject) => {
        const error = Object.assign(new Error('too slow'), { code: 'ETIMEDOUT' })
        clock = setTimeout(() => reject(error), times.mailMs)
      })
      const sent = transport.sendMail({
        ...mail,
        from,
        messageId: `<${id}@${domain}>`,
        headers: { 'Auto-Submitted': 'auto-generated' },
      })
      sent.catch(() => {}) // after the time limit nobody waits for it
      try {
        await Promise.race([sent, late])
      } catch (error) {
        throw explainMailError(error, options.host)
      } finally {
        clearTimeout(clock)
        transport.close()
      }
    },
  }
}

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
function explainMailError(error: unknown, host: string): TidemarkError {
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
      hint: 'set TIDEMARK_MAIL_FROM to an address from which the server lets this user send',
    })
  }
  if (isForGood) {
    return new RecipientRefusedError(`The mail server ${host} refused a recipient [${code}]`, {
      code: 'MAIL_REFUSED',
      hint: 'correct the address in the reports file',
    })
  }
  const isOfRecipient = responseCode !== undefined && codeOf(error) === 'EENVELOPE'
  return new TransientError(
    isOfRecipient
      ? `The mail server ${host} does not take a mail for a recipient now [${code}]`
      : `The mail server ${host} cannot be reached, or does not answer [${code}]`,
    {
      code: isOfRecipient ? 'MAIL_RECIPIENT' : 'MAIL_UNREACHABLE',
      hint: 'a mail on a schedule is sent once the server takes it; one sent by hand must be sent again',
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
