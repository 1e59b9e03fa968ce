import type { Config } from '../../platform/config.ts'
import { ConfigError } from '../../platform/errors.ts'
import { createMailer, type Mailer } from '../mail/mailer.ts'

/**
 * Creates the mailer for reports, with the server and the sender in the settings. Connects to nothing
 * yet. Throws `ConfigError` (`CONFIG_MAIL`) if one of the settings is missing.
 */
export function createReportMailer(
  config: Pick<Config, 'TIDEMARK_SMTP_URL' | 'TIDEMARK_MAIL_FROM'>,
): Mailer {
  const { TIDEMARK_SMTP_URL: url, TIDEMARK_MAIL_FROM: from } = config
  if (url === undefined || from === undefined) {
    const missing = url === undefined ? 'TIDEMARK_SMTP_URL' : 'TIDEMARK_MAIL_FROM'
    throw new ConfigError(`Reports are declared, but ${missing} is not set`, {
      code: 'CONFIG_MAIL',
      hint: `set ${missing} as docs/reports.md describes, or unset TIDEMARK_REPORTS_FILE`,
    })
  }
  return createMailer({ url, from, hints: HINTS })
}

/** The steps that fix an error of the mail server. */
export const HINTS = {
  sender: 'set TIDEMARK_MAIL_FROM to an address from which the server lets this user send',
  recipient: 'correct the address in the reports file',
  later:
    'a mail on a schedule is sent once the server takes it; one sent by hand must be sent again',
}
