import { expect, it } from 'vitest'
import { parseConfig } from '../../platform/config.ts'
import { createReportMailer } from './report-mailer.ts'

it('createReportMailer() names the setting that is missing', () => {
  const only = (values: Record<string, string>) => () => createReportMailer(parseConfig(values))
  expect(only({ TIDEMARK_SMTP_URL: 'smtp://localhost' })).toThrow('TIDEMARK_MAIL_FROM is not set')
  expect(only({ TIDEMARK_MAIL_FROM: 'a@example.org' })).toThrow('TIDEMARK_SMTP_URL is not set')
})
