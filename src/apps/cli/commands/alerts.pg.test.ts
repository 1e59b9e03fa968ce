import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest'
import { tidemark } from '../../../../test/support/command.ts'
import { startHttpServer, type TestHttpServer } from '../../../../test/support/http-server.ts'
import { type MailServer, startMailServer } from '../../../../test/support/mail-server.ts'
import { subjectOf } from '../../../../test/support/read-mail.ts'
import { createTestReader } from '../../../../test/support/reader.ts'
import { seedTotesys } from '../../../../test/support/small-totesys.ts'
import { createSystem, type TestSystem } from '../../../../test/support/system.ts'
import { TOTESYS_PROJECT } from '../../../../test/support/totesys-project.ts'

const program = fileURLToPath(new URL('../../../../bin/tidemark.js', import.meta.url))

let system: TestSystem
let mails: MailServer
let hook: TestHttpServer
beforeAll(async () => {
  system = await createSystem()
  await seedTotesys(system.sql)
  await system.run()
})
afterAll(() => system[Symbol.asyncDispose]())
beforeEach(async () => {
  mails = await startMailServer()
  hook = await startHttpServer('/very-secret')
})
afterEach(async () => {
  await mails[Symbol.asyncDispose]()
  await hook[Symbol.asyncDispose]()
})

const AWAY = 'postgresql://nobody:hush-hush@127.0.0.1:1/absent'
const databases = () => ({
  TIDEMARK_PROJECT: TOTESYS_PROJECT,
  TIDEMARK_SOURCE_URL: system.source.readerUrl,
  TIDEMARK_WAREHOUSE_URL: system.warehouse.url,
  TIDEMARK_HOME: system.folder,
})
const byMail = () => ({
  TIDEMARK_SMTP_URL: `smtp://127.0.0.1:${mails.port}`,
  TIDEMARK_ALERT_TO: 'ann@example.org,bob@example.org',
  TIDEMARK_ALERT_FROM: 'tide@example.org',
})
const subjects = () => mails.taken.map(({ raw }) => subjectOf(raw))

/** The built program as a process of its own. */
function start(argv: readonly string[], env: Readonly<Record<string, string>>): ChildProcess {
  return spawn(process.execPath, [program, ...argv], {
    env: { ...process.env, ...databases(), ...byMail(), ...env },
    stdio: ['ignore', 'pipe', 'ignore'],
  })
}

async function until(child: ChildProcess, words: string): Promise<void> {
  let out = ''
  for await (const chunk of child.stdout!.setEncoding('utf8')) {
    out += chunk as string
    if (out.includes(words)) return
  }
  throw new Error(`it ended without “${words}”: ${out}`)
}

it('run --every mails at its first failed run, and only then', async () => {
  const home = join(system.folder, 'first')
  const child = start(['run', '--every', '200ms', '--json', '--home', home], {
    TIDEMARK_SOURCE_URL: AWAY,
  })
  child.stdout?.resume()
  await expect.poll(subjects).toHaveLength(2)
  child.kill('SIGTERM')
  await once(child, 'exit')
  expect(subjects()).toEqual(
    Array.from({ length: 2 }, () =>
      expect.stringMatching(/^\[Tidemark\] Totesys: extract failed \(SOURCE_UNREACHABLE\)$/),
    ),
  )
  expect(mails.taken.map(({ to }) => to[0])).toEqual(['ann@example.org', 'bob@example.org'])
  expect(JSON.stringify(mails.taken)).not.toContain('hush-hush')
})

it('status --check tells once that the process was killed, exits 5, and tells that it is back', async () => {
  const status = async () =>
    await tidemark(['status', '--check', '--json'], { env: { ...databases(), ...byMail() } })
  const child = start(['run', '--every', '1s', '--json'], {})
  await until(child, '"event":"run_finished"')
  expect(await status()).toMatchObject({ code: 0 })
  child.kill('SIGKILL')
  await once(child, 'exit')
  const found = await status()
  expect(found.code).toBe(5)
  expect(found.events.at(-1)).toMatchObject({ isFresh: true, heartbeat: { isMissing: true } })
  await status()
  expect(subjects()).toEqual([
    expect.stringContaining('the process that should run does not'),
    expect.stringContaining('the process that should run does not'),
  ])
  expect(mails.taken[0]?.raw).toContain('tidemark run --every 1s')
  const { out } = await tidemark(['status'], { env: databases() })
  expect(out).toMatch(/✕ missing tidemark run --every 1s {3}last sign of life .* ago/)

  const heir = start(['run', '--every', '1s', '--json'], {})
  await until(heir, '"event":"run_finished"')
  await expect.poll(subjects).toHaveLength(4)
  heir.kill('SIGTERM')
  await once(heir, 'exit')
  expect(subjects()[3]).toContain('over: the process that should run does not')
  const stopped = await status()
  expect(stopped.code).toBe(0)
  expect(stopped.events.at(-1)).toMatchObject({ heartbeat: { isMissing: false } })
  expect((await tidemark(['status'], { env: databases() })).out).toMatch(/stopped +tidemark run/)
  expect(mails.taken).toHaveLength(4)
})

it('a single run mails, and the next one mails that it is over', async () => {
  const env = { ...databases(), ...byMail(), TIDEMARK_HOME: join(system.folder, 'single') }
  const failed = await tidemark(['run', '--json'], { env: { ...env, TIDEMARK_SOURCE_URL: AWAY } })
  expect(failed.code).toBe(1)
  expect(failed.events.map(({ event }) => event)).toContain('alert_sent')
  expect(subjects()).toHaveLength(2)
  const lake = {
    TIDEMARK_INGESTION: join(system.folder, 'ingestion'),
    TIDEMARK_PROCESSED: join(system.folder, 'processed'),
  }
  expect((await tidemark(['run'], { env: { ...env, ...lake } })).code).toBe(0)
  expect(subjects()[3]).toContain('over: extract failed (SOURCE_UNREACHABLE)')
})

it('a mail server that is away changes neither what a run says nor its exit code', async () => {
  const env = {
    ...databases(),
    ...byMail(),
    TIDEMARK_SMTP_URL: 'smtp://127.0.0.1:1',
    TIDEMARK_HOME: join(system.folder, 'no-mail'),
  }
  const { code, err } = await tidemark(['run'], { env: { ...env, TIDEMARK_SOURCE_URL: AWAY } })
  expect(code).toBe(1)
  expect(err).toContain('No alert by mail now')
  expect(err).toContain('tidemark alerts test')
})

it('serve looks after the process that should run', async () => {
  const child = start(['run', '--every', '1s', '--json'], {})
  await until(child, '"event":"run_finished"')
  child.kill('SIGKILL')
  await once(child, 'exit')
  const stopping = new AbortController()
  await using role = await createTestReader(system)
  const reader = { TIDEMARK_WAREHOUSE_READER_URL: role.warehouse.url, TIDEMARK_PORT: '0' }
  const env = { ...databases(), ...byMail(), ...reader }
  const serving = tidemark(['serve'], { env, signal: stopping.signal })
  await expect.poll(subjects).toHaveLength(2)
  stopping.abort()
  await serving
  expect(subjects()[0]).toContain('the process that should run does not')
})

it('alerts test sends a message to everybody, and says who did not take it', async () => {
  const env = { ...databases(), ...byMail(), TIDEMARK_ALERT_WEBHOOK: hook.url.href }
  const sent = await tidemark(['alerts', 'test'], { env })
  expect(sent.out).toContain('3 messages sent')
  expect(sent.code).toBe(0)
  expect(subjects()[0]).toBe('[Tidemark] Totesys: a test; nothing is wrong')
  mails.refused.set('bob@example.org', 550)
  hook.answer = (response) => void response.writeHead(500).end()
  const failed = await tidemark(['alerts', 'test'], { env })
  expect(failed.code).toBe(1)
  expect(failed.out).toMatch(/✓ mail +ann@example.org/)
  expect(failed.out).toMatch(/✕ mail +bob@example.org .* MAIL_REFUSED/)
  expect(failed.out).toMatch(/✕ webhook +127.0.0.1:\d+ .* WEBHOOK_BUSY/)
  expect(failed.out + failed.err).not.toContain('very-secret')
  const { events } = await tidemark(['alerts', 'test', '--json'], { env })
  expect(events.at(-1)).toMatchObject({ event: 'alerts_tested', sent: 1, failed: 2 })
})

it('alerts test says that no alerts are set up', async () => {
  const { code, err } = await tidemark(['alerts', 'test'], { env: databases() })
  expect(err).toContain('TIDEMARK_ALERT_TO and TIDEMARK_ALERT_WEBHOOK are not set')
  expect(code).toBe(2)
})

it('doctor checks the mail server, and says how to try the webhook', async () => {
  const env = { ...databases(), ...byMail(), TIDEMARK_ALERT_WEBHOOK: hook.url.href }
  const { events } = await tidemark(['doctor', '--json'], { env })
  expect(events).toContainEqual(expect.objectContaining({ what: 'alerts by mail', ok: true }))
  expect(events).toContainEqual(
    expect.objectContaining({ what: 'alerts by webhook', unchecked: true }),
  )
  const wrong = { ...env, TIDEMARK_SMTP_URL: 'smtp://127.0.0.1:1' }
  const found = await tidemark(['doctor', '--json'], { env: wrong })
  expect(found.events).toContainEqual(
    expect.objectContaining({ what: 'alerts by mail', ok: false }),
  )
  expect(mails.taken).toEqual([])
  expect(hook.requests).toEqual([])
})

it.each([
  [{ TIDEMARK_ALERT_TO: 'ann@example.org' }, 'TIDEMARK_SMTP_URL'],
  [{ TIDEMARK_ALERT_TO: 'ann', TIDEMARK_SMTP_URL: 'smtp://localhost' }, 'TIDEMARK_ALERT_TO'],
  [
    { TIDEMARK_ALERT_TO: 'a@example.org', TIDEMARK_SMTP_URL: 'smtp://localhost' },
    'TIDEMARK_ALERT_FROM',
  ],
  [{ TIDEMARK_ALERT_FROM: 'a@example.org' }, 'TIDEMARK_ALERT_TO'],
  [{ TIDEMARK_ALERT_FROM: 'a\nb@example.org' }, 'TIDEMARK_ALERT_FROM'],
  [{ TIDEMARK_ALERT_WEBHOOK: 'http://example.org/very-secret' }, 'TIDEMARK_ALERT_WEBHOOK'],
  [{ TIDEMARK_ALERT_WEBHOOK: 'very-secret' }, 'TIDEMARK_ALERT_WEBHOOK'],
])(
  'a setting that is wrong or missing ends a command at its start, by name (%o)',
  async (env, name) => {
    const { code, err } = await tidemark(['run'], { env: { ...databases(), ...env } })
    expect(code).toBe(2)
    expect(err).toContain(name)
    expect(err).not.toContain('very-secret')
  },
)

it('the state in the home holds no secret', async () => {
  const home = join(system.folder, 'quiet')
  const env = { ...databases(), ...byMail(), TIDEMARK_ALERT_WEBHOOK: hook.url.href }
  await tidemark(['run', '--home', home], { env: { ...env, TIDEMARK_SOURCE_URL: AWAY } })
  const entry = await readFile(join(home, 'alerts/00000001/entry'), 'utf8')
  expect(JSON.parse(entry)).toMatchObject({
    active: [{ key: 'failed extract SOURCE_UNREACHABLE' }],
  })
  expect(entry).not.toMatch(/hush-hush|very-secret/)
})
