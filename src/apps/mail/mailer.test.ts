import { expect, it } from 'vitest'
import { type MailServerOptions, startMailServer } from '../../../test/support/mail-server.ts'
import { HINTS } from '../reports/report-mailer.ts'
import { createMailer } from './mailer.ts'

const LOGIN = { user: 'tide', password: 'p@ss:word/1' }
const WRITTEN = 'tide:p%40ss%3Aword%2F1@'
const MAIL = {
  to: 'ann@example.org',
  subject: 'Umsätze · 2026',
  text: 'Grüße\n',
  html: '<p>Grüße</p>',
  id: 'abc',
}
const FROM = 'Tidemark <reports@example.org>'

function mailerTo(address: string, times?: Parameters<typeof createMailer>[1]) {
  return createMailer({ url: address, from: FROM, hints: HINTS }, times)
}

const failure = async (work: Promise<void>): Promise<Record<string, unknown>> =>
  await work.then(
    () => ({}),
    (error: unknown) => ({ ...(error as object), message: (error as Error).message }),
  )

it.each<[string, MailServerOptions, string]>([
  ['STARTTLS and a login', { login: LOGIN }, `smtp://${WRITTEN}`],
  ['TLS from the first byte', { login: LOGIN, secure: true }, `smtps://${WRITTEN}`],
  ['a server on this machine without TLS', { startTls: false }, 'smtp://'],
])('createMailer() hands over a mail in both forms with %s', async (_, options, address) => {
  await using server = await startMailServer(options)
  await mailerTo(`${address}127.0.0.1:${server.port}`).send(MAIL)
  expect(server.taken).toHaveLength(1)
  const { raw, ...envelope } = server.taken[0]!
  expect(envelope).toEqual({
    from: 'reports@example.org',
    to: ['ann@example.org'],
    isSecure: options.startTls !== false,
    user: options.login?.user,
  })
  expect(raw).toContain('From: Tidemark <reports@example.org>')
  expect(raw).toContain('Message-ID: <abc@example.org>')
  expect(raw).toContain('Auto-Submitted: auto-generated')
  expect(raw).toMatch(/multipart\/alternative[^]*text\/plain[^]*text\/html/)
})

it('createMailer() refuses a server elsewhere without STARTTLS, before it shows the password', async () => {
  await using server = await startMailServer({ host: '0.0.0.0', startTls: false, login: LOGIN })
  // An address of this machine that is not a loopback address.
  const error = await failure(mailerTo(`smtp://${WRITTEN}0.0.0.0:${server.port}`).send(MAIL))
  expect(error).toMatchObject({ code: 'MAIL_TLS' })
  expect(server.taken).toEqual([])
})

it.each(['smtp', 'smtps'])(
  'createMailer() refuses a certificate that nobody vouches for at a server elsewhere (%s)',
  async (scheme) => {
    await using server = await startMailServer({ host: '0.0.0.0', secure: scheme === 'smtps' })
    const error = await failure(mailerTo(`${scheme}://0.0.0.0:${server.port}`).send(MAIL))
    expect(error).toMatchObject({ code: 'MAIL_TLS' })
    expect(server.taken).toEqual([])
  },
)

it('createMailer() says that the login was refused, and never shows the password', async () => {
  await using server = await startMailServer({ login: { ...LOGIN, password: 'other' } })
  const error = await failure(mailerTo(`smtp://${WRITTEN}127.0.0.1:${server.port}`).send(MAIL))
  expect(error).toMatchObject({ code: 'MAIL_LOGIN' })
  expect(JSON.stringify(error)).not.toContain('p@ss')
})

it.each([
  [550, 'MAIL_REFUSED'],
  [553, 'MAIL_REFUSED'],
  [450, 'MAIL_RECIPIENT'],
])(
  'createMailer() tells for good from for now when a recipient is refused (%d)',
  async (...row) => {
    const [status, code] = row
    await using server = await startMailServer()
    server.refused.set(MAIL.to, status)
    const error = await failure(mailerTo(`smtp://127.0.0.1:${server.port}`).send(MAIL))
    expect(error).toMatchObject({ code })
    // The server's answer repeats the address, which must not reach a log.
    expect(String(error['message'])).not.toContain('ann')
  },
)

it.each([
  [554, 'MAIL_REFUSED'],
  [451, 'MAIL_UNREACHABLE'],
])('createMailer() tells for good from for now when a mail is refused (%d)', async (...row) => {
  const [status, code] = row
  await using server = await startMailServer()
  server.contentStatus = status
  const error = await failure(mailerTo(`smtp://127.0.0.1:${server.port}`).send(MAIL))
  expect(error).toMatchObject({ code })
})

it('createMailer() says that the server is away', async () => {
  const { port, ...server } = await startMailServer()
  await server[Symbol.asyncDispose]()
  const error = await failure(mailerTo(`smtp://127.0.0.1:${port}`).send(MAIL))
  // Nothing sends a mail again that somebody sent with `tidemark reports send`.
  const hint = expect.stringContaining('one sent by hand must be sent again') as string
  expect(error).toMatchObject({ code: 'MAIL_UNREACHABLE', hint })
})

it('createMailer() waits for a slow server no longer than it may', async () => {
  await using server = await startMailServer()
  server.held = new Promise(() => {})
  const times = { connectMs: 600_000, silentMs: 600_000, mailMs: 500 }
  const error = await failure(mailerTo(`smtp://127.0.0.1:${server.port}`, times).send(MAIL))
  expect(error).toMatchObject({ code: 'MAIL_UNREACHABLE' })
})

it('check() connects and logs in, and sends nothing', async () => {
  await using server = await startMailServer({ login: LOGIN })
  await mailerTo(`smtp://${WRITTEN}127.0.0.1:${server.port}`).check()
  expect(
    await failure(mailerTo(`smtp://tide:wrong@127.0.0.1:${server.port}`).check()),
  ).toMatchObject({ code: 'MAIL_LOGIN' })
  expect(server.taken).toEqual([])
})
