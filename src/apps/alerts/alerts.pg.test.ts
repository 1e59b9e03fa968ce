import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { thingProject } from '../../../test/support/bare-project.ts'
import { startHttpServer, type TestHttpServer } from '../../../test/support/http-server.ts'
import { type MailServer, startMailServer } from '../../../test/support/mail-server.ts'
import { subjectOf } from '../../../test/support/read-mail.ts'
import { createSystem, type TestSystem } from '../../../test/support/system.ts'
import { parseConfig } from '../../platform/config.ts'
import type { Deps } from '../../platform/deps.ts'
import { diskStore } from '../../platform/lake/store/disk-store.ts'
import { run } from '../../platform/pipeline.ts'
import type { Check } from '../../platform/project/model.ts'
import type { AppLogEntry } from '../log.ts'
import { createAlerts } from './alerts.ts'
import { seenInFreshness, seenInRun, together } from './causes.ts'
import { recipientsOf } from './recipients.ts'

const HOUR = 60 * 60_000
const SOLD: Check = { name: 'sold', column: 'units', holds: 'units > 0', severity: 'refuse' }
const { models, ...rest } = thingProject({ units: 'integer' })
const project = { ...rest, models: models.map((model) => ({ ...model, checks: [SOLD] })) }

let system: TestSystem
let mails: MailServer
let hook: TestHttpServer
let posted: string[]
let passedMs: number
let entries: AppLogEntry[]

beforeEach(async () => {
  system = await createSystem({ project, template: 'empty' })
  await system.sql.query(`
    create table thing (id integer primary key, units integer);
    insert into thing select id, 1 from generate_series(1, 150) as id;
    grant select on thing to public`)
  mails = await startMailServer()
  hook = await startHttpServer('/very-secret')
  posted = []
  hook.answer = (response, request) => {
    void text(request).then((body) => {
      posted.push((JSON.parse(body) as { text: string }).text)
      return response.end('ok')
    })
  }
  passedMs = 0
  entries = []
})
afterEach(async () => {
  await hook[Symbol.asyncDispose]()
  await mails[Symbol.asyncDispose]()
  await system[Symbol.asyncDispose]()
})

const TO = 'ann@example.org, Bob@example.org'

/** A process that alerts, with its own memory. */
function start({
  to = 'ann@example.org',
  webhook = false,
  folder = join(system.folder, 'alerts'),
} = {}) {
  const config = parseConfig({
    TIDEMARK_SMTP_URL: `smtp://127.0.0.1:${mails.port}`,
    TIDEMARK_ALERT_TO: to,
    TIDEMARK_ALERT_FROM: 'Tidemark <tide@example.org>',
    ...(webhook && { TIDEMARK_ALERT_WEBHOOK: hook.url.href }),
  })
  const alerts = createAlerts({
    recipients: recipientsOf(config),
    store: diskStore(folder),
    project: 'shop',
    runId: 'test',
    log: (entry) => void entries.push(entry),
    now: () => new Date(Date.now() + passedMs),
  })
  return {
    alerts,
    /** One run, and everything that is told after it. */
    async run(change: Partial<Deps> = {}, options: Parameters<typeof run>[1] = {}) {
      const report = await run({ ...system.deps, ...change }, options)
      alerts.take(seenInRun(report))
      await alerts.settle()
      return report
    },
  }
}

const subjects = () => mails.taken.map(({ raw }) => subjectOf(raw))

/** The text of the last mail, on one line for each fact. */
function lastText(): string {
  const raw = mails.taken.at(-1)?.raw ?? ''
  const body = raw.slice(raw.indexOf('\r\n\r\n') + 4)
  if (/^Content-Transfer-Encoding: base64/im.test(raw))
    return Buffer.from(body, 'base64').toString()
  return body.replaceAll('=\r\n', '').replaceAll('\r\n', '\n').replaceAll('=3D', '=')
}

const away = (url: string) => {
  const changed = new URL(url)
  changed.hostname = '127.0.0.1'
  changed.port = '1'
  changed.search = ''
  return changed.href
}

/** Each way in which a run can go wrong: how to break it, how to repair it, and what people read. */
interface Trouble {
  readonly what: string
  readonly subject: RegExp
  readonly says: readonly RegExp[]
  /** What the runs are given while it lasts. */
  readonly given?: () => Partial<Deps> | Promise<Partial<Deps>>
  readonly breaks?: string
  readonly repairs?: string
  readonly options?: Parameters<typeof run>[1]
}

const TROUBLES: readonly Trouble[] = [
  {
    what: 'source away',
    given: () => ({ source: { ...system.deps.source, url: away(system.deps.source.url) } }),
    subject: /extract failed \(SOURCE_UNREACHABLE\)/,
    says: [/nothing was half-published/, /Safe: Everything captured/, /Next: .*tidemark/],
  },
  {
    what: 'source password',
    given: () => {
      const url = new URL(system.deps.source.url)
      url.username = 'nobody_here'
      url.password = 'hush-hush'
      return { source: { ...system.deps.source, url: url.href } }
    },
    subject: /extract failed \(SOURCE_[A-Z_]+\)/,
    says: [/Next: .*tidemark/],
  },
  {
    what: 'processed zone unwritable',
    breaks: 'insert into thing values (1000, 1)',
    async given() {
      const file = join(system.folder, 'no-folder')
      await writeFile(file, '')
      return { processed: diskStore(join(file, 'processed')) }
    },
    subject: /transform.* failed \([A-Z_]+\)/,
    says: [/is safe in the lake/, /Next: .*tidemark/],
  },
  {
    what: 'warehouse away',
    breaks: 'insert into thing values (1000, 1)',
    given: () => ({
      warehouse: { ...system.deps.warehouse, url: away(system.deps.warehouse.url) },
    }),
    subject: /load failed \(WAREHOUSE_UNREACHABLE\)/,
    says: [/Everything up to batch 2 is safe/, /Next: .*tidemark/],
  },
  {
    what: 'model error',
    breaks: 'insert into thing values (1000, 1)',
    given: () => {
      const wrong = thingProject({ units: 'integer', absent: 'integer' })
      return { project: { ...project, models: wrong.models } }
    },
    subject: /transform.* failed \([A-Z_]+\)/,
    says: [/Next: .*tidemark/],
  },
  {
    what: 'table held',
    breaks: 'alter table thing drop constraint thing_pkey',
    repairs: 'alter table thing add primary key (id)',
    subject: /thing is held \(/,
    says: [/A table broke its contract/, /since batch 2/, /Next: tidemark doctor/],
  },
  {
    what: 'rows in quarantine',
    breaks: 'update thing set units = 0 where id < 4',
    repairs: 'update thing set units = 2 where id < 4',
    subject: /3 rows of fact_thing in quarantine/,
    says: [/could not be stored/, /Next: tidemark quarantine list fact_thing/],
  },
  {
    what: 'deletions held',
    breaks: 'delete from thing where id > 10',
    options: { confirmDeletes: new Set(['thing']) },
    subject: /deletions in thing are held/,
    says: [/waits for your confirmation/, /140 of 150 rows/, /--confirm-deletes thing/],
  },
]

it.each(TROUBLES)(
  '$what: one mail when it begins, none while it lasts, one when it is over',
  async ({ breaks, repairs, given, subject, says, options }) => {
    const { run: runOnce } = start()
    await runOnce()
    expect(mails.taken).toEqual([])
    if (breaks !== undefined) await system.sql.query(breaks)
    const change = (await given?.()) ?? {}
    for (let each = 0; each < 3; each++) await runOnce(change)
    expect(subjects()).toEqual([expect.stringMatching(subject)])
    expect(subjects()[0]).toMatch(/^\[Tidemark\] shop: /)
    const told = lastText()
    for (const words of says) expect(told).toMatch(words)
    expect(told).not.toContain('hush-hush')
    // Another process that starts meanwhile tells nobody again.
    await start().run(change)
    expect(mails.taken).toHaveLength(1)
    if (repairs !== undefined) await system.sql.query(repairs)
    await runOnce({}, options)
    await runOnce()
    expect(subjects().slice(1)).toEqual([expect.stringMatching(/shop: over: /)])
    expect(lastText()).toMatch(/over since .* UTC, after \d/)
    const failures = entries.filter(({ event }) => event === 'alert_failed')
    expect(failures).toEqual([])
  },
)

const broken = () => ({ source: { ...system.deps.source, url: away(system.deps.source.url) } })

describe('alerts', () => {
  it('tell of another cause while the first lasts, and of what lasts once a day', async () => {
    const { run: runOnce } = start()
    await runOnce()
    await system.sql.query('alter table thing drop constraint thing_pkey')
    await runOnce()
    await runOnce(broken())
    expect(subjects()).toEqual([
      expect.stringContaining('thing is held'),
      expect.stringContaining('extract failed'),
    ])
    // The failed run could not look at the table, so it is still held.
    expect(lastText()).toMatch(/Still:\n- thing: /)
    passedMs = 23 * HOUR
    await runOnce(broken())
    expect(mails.taken).toHaveLength(2)
    passedMs = 25 * HOUR
    await runOnce(broken())
    await runOnce(broken())
    expect(subjects().slice(2)).toEqual([expect.stringMatching(/shop: still: .*, and 1 more/)])
    passedMs = 50 * HOUR
    await runOnce(broken())
    expect(mails.taken).toHaveLength(4)
  })

  it('go to every address and to the webhook, each once, from one of several processes', async () => {
    const processes = [start({ to: TO, webhook: true }), start({ to: TO, webhook: true })]
    await Promise.all(processes.map((each) => each.run(broken())))
    await Promise.all(processes.map((each) => each.run(broken())))
    const told = mails.taken.map(({ to }) => to[0])
    expect(told).toHaveLength(2)
    expect(new Set(told)).toEqual(new Set(['ann@example.org', 'Bob@example.org']))
    expect(posted).toHaveLength(1)
    expect(posted[0]).toContain('[Tidemark] shop: extract failed')
  })

  it('wait for a mail server that is away, and lose nothing while the cause lasts', async () => {
    const { port } = mails
    await mails[Symbol.asyncDispose]()
    const { run: runOnce } = start({ webhook: true })
    await runOnce(broken())
    expect(entries).toContainEqual(
      expect.objectContaining({ event: 'alert_failed', level: 'warn', code: 'MAIL_UNREACHABLE' }),
    )
    // The webhook does not wait for the mail server.
    expect(posted).toHaveLength(1)
    mails = await startMailServer({ port })
    passedMs = 1500
    await runOnce(broken())
    expect(subjects()).toEqual([expect.stringContaining('extract failed')])
    await runOnce()
    expect(subjects().slice(1)).toEqual([expect.stringContaining('over: extract failed')])
    expect(posted).toHaveLength(2)
  })

  it('do not try a webhook that is busy with every run, and never show its address', async () => {
    const { answer } = hook
    hook.answer = (response) => void response.writeHead(429).end()
    const { run: runOnce } = start({ webhook: true })
    for (let each = 0; each < 4; each++) await runOnce(broken())
    expect(hook.requests).toHaveLength(1)
    expect(JSON.stringify(entries)).not.toContain('very-secret')
    hook.answer = answer
    passedMs = HOUR
    await runOnce(broken())
    expect(posted).toHaveLength(1)
    expect(mails.taken).toHaveLength(1)
  })

  it('reach the others if one address is refused, for good or for now', async () => {
    mails.refused.set('ann@example.org', 550)
    mails.refused.set('cat@example.org', 451)
    const { run: runOnce } = start({ to: 'ann@example.org cat@example.org Bob@example.org' })
    await runOnce(broken())
    expect(mails.taken.map(({ to }) => to)).toEqual([['Bob@example.org']])
    mails.refused.clear()
    passedMs = HOUR
    await runOnce(broken())
    expect(mails.taken.slice(1).map(({ to }) => to)).toEqual([['cat@example.org']])
  })

  it('are sent again with the same id if a process is killed before it has recorded them', async () => {
    let release = (): void => {}
    mails.held = new Promise((resolve) => (release = resolve))
    const killed = start()
    const content = mails.nextContent()
    const lost = killed.run(broken())
    await content
    // The server has the mail, and the process is not told so. Another process leaves it alone at first.
    await start().run(broken())
    passedMs = 2 * 60_000
    const again = mails.nextContent()
    const heir = start().run(broken())
    await again
    release()
    await Promise.all([lost, heir])
    const ids = mails.taken.map(({ raw }) => /^Message-ID: (.*)/m.exec(raw)?.[1])
    expect(ids).toHaveLength(2)
    expect(new Set(ids).size).toBe(1)
  })

  it('go on from memory if their state cannot be written', async () => {
    const folder = join(system.folder, 'no-state')
    await writeFile(folder, '')
    const { run: runOnce } = start({ folder: join(folder, 'alerts') })
    await runOnce(broken())
    await runOnce(broken())
    await runOnce()
    expect(subjects()).toEqual([
      expect.stringContaining('extract failed'),
      expect.stringContaining('over: '),
    ])
    expect(entries.filter(({ event }) => event === 'alert_failed')).toHaveLength(1)
    await rm(folder)
    await mkdir(folder)
  })

  it('give up what is under way if the process is asked to stop', async () => {
    mails.held = new Promise(() => {})
    const { alerts } = start()
    const report = await run({ ...system.deps, ...broken() })
    const content = mails.nextContent()
    alerts.take(seenInRun(report))
    await content
    await alerts.settle(10)
    expect(entries.map(({ event }) => event)).toEqual(['alert_failed'])
  })

  it('say once that the promise is broken, and when it is kept again', async () => {
    const { alerts } = start()
    const look = async (ageMs: number) => {
      const report = await run(system.deps)
      const { completeTo } = report
      const now = new Date(Date.now() + ageMs)
      alerts.take(
        together(seenInRun(report), seenInFreshness({ completeTo, promiseMs: HOUR, now })),
      )
      await alerts.settle()
    }
    await look(0)
    await look(2 * HOUR)
    await look(2 * HOUR)
    await look(0)
    expect(subjects()).toEqual([
      expect.stringContaining('the freshness promise of 60 min is broken'),
      expect.stringContaining('over: the freshness promise'),
    ])
  })

  it('carry no name of a table into a header, and no call into Slack', async () => {
    const name = 'a\r\nBcc: eve@example.org\n<!channel> & "b"'
    const { alerts } = start({ webhook: true })
    const report = await run(system.deps)
    const held = [{ table: name, reason: 'column_missing', detail: `${name} lacks a column` }]
    alerts.take(seenInRun({ ...report, extracted: { ...report.extracted!, held } }))
    await alerts.settle()
    expect(mails.taken).toHaveLength(1)
    expect(mails.taken[0]?.to).toEqual(['ann@example.org'])
    const [head = ''] = mails.taken[0]!.raw.split('\r\n\r\n')
    expect(head).not.toMatch(/^Bcc/im)
    expect(subjects()[0]).toContain('a Bcc: eve@example.org')
    expect(posted[0]).toContain('&lt;!channel&gt; &amp;')
    expect(posted[0]).not.toContain('<!channel>')
  })
})
