import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { describeEvents, type EventDescription, EVENTS, type Log } from '../platform/log.ts'
import { TOTESYS_EVENTS } from '../totesys/events.ts'
import { AWS_EVENTS, type FunctionLog } from './aws/events.ts'
import { RESULTS } from './cli/results.ts'
import {
  ALERT_EVENTS,
  type AppLog,
  type AppLogEntry,
  MACHINE_EVENTS,
  REPORT_EVENTS,
  SERVER_EVENTS,
} from './log.ts'

const docs = new URL('../../docs/', import.meta.url)

const TABLES: readonly Readonly<Record<string, EventDescription>>[] = [
  RESULTS,
  EVENTS,
  MACHINE_EVENTS,
  SERVER_EVENTS,
  REPORT_EVENTS,
  AWS_EVENTS,
  TOTESYS_EVENTS,
]

/** What the compiler says about logs: a line that it accepts by mistake fails `npm run types`. */
it('a log of the apps takes the events of the platform too, and not the other way round', () => {
  const entries: unknown[] = []
  const onAws: FunctionLog = (entry) => entries.push(entry)
  const ofApps: AppLog = onAws
  const ofPlatform: Log = ofApps
  ofPlatform({ event: 'batch_loaded', batch: 1, generation: 'a' })
  ofApps({ event: 'scratch_swept', folders: 1 })
  onAws({ event: 'stage_started' })
  expect(entries).toHaveLength(3)

  // @ts-expect-error the platform knows no server
  ofPlatform({ event: 'keys_unreachable', level: 'alert', path: '/' })
  // @ts-expect-error the other apps know no functions
  ofApps({ event: 'stage_started' })
  // @ts-expect-error an event that nobody describes
  onAws({ event: 'stage_begun' })
  // @ts-expect-error a log that takes less than it is given
  const tooSmall: AppLog = ofPlatform
  void tooSmall
})

it('the name of an event tells the fields of the apps apart too', () => {
  const addressOf = (entry: AppLogEntry): string | undefined =>
    entry.event === 'postgres_started' ? entry.address : undefined
  expect(addressOf({ event: 'postgres_started', version: '18', address: 'a', durationMs: 1 })).toBe(
    'a',
  )
})

it('no two tables describe an event of one name', () => {
  const names = TABLES.flatMap((table) => Object.keys(table))
  expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([])
})

it('every event says in one sentence what it means', () => {
  for (const [name, { says }] of TABLES.flatMap((table) => Object.entries(table))) {
    expect(says, name).toMatch(/^[A-Z`][^.|\n]*\.$/)
  }
})

it('docs/command-line.md lists every event (UPDATE_GOLDEN=1 rewrites the list)', () => {
  const list = `<!-- events: made from src/platform/log.ts, src/apps/log.ts, src/apps/cli/results.ts, src/apps/aws/events.ts and src/totesys/events.ts -->

Every object has an \`event\`, and \`at\`, the moment it was written. (In \`request_failed\`, \`at\` is the
place in the program, if it is known.) Names, levels and fields are stable. An event at \`info\` has
no \`level\`; \`alert\` asks for a person. A field with \`?\` may be missing.

Results, by the command that was asked for them:

${describeEvents(RESULTS)}

What happens meanwhile, on this machine, in the server and with reports:

${describeEvents({ ...MACHINE_EVENTS, ...SERVER_EVENTS, ...REPORT_EVENTS, ...ALERT_EVENTS })}

What the stages and the checks do:

${describeEvents(EVENTS)}

On AWS the functions log the same events and their own. CloudWatch has the event's name as
\`message\`, its level as \`INFO\`, \`WARN\` or \`CRITICAL\`, and a field \`message\` as \`text\`:

${describeEvents(AWS_EVENTS)}

Totesys, the example, names what it reserves for one group:

${describeEvents(TOTESYS_EVENTS)}

<!-- end of events -->`
  const path = new URL('command-line.md', docs)
  const page = readFileSync(path, 'utf8')
  const found = /<!-- events: .*<!-- end of events -->/s
  expect(page).toMatch(found)
  const made = page.replace(found, () => list)
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(path, made)
  expect(readFileSync(path, 'utf8')).toBe(made)
})

it('every filter on the log in the docs names an event', () => {
  const known = TABLES.flatMap((table) => Object.keys(table))
  const named = readdirSync(docs, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.md'))
    .flatMap((file) => [
      ...readFileSync(new URL(file, docs), 'utf8').matchAll(/\$\.message = "([^"]*)"/g),
    ])
    .map(([, name = '']) => name)
  expect(named).not.toEqual([])
  const isKnown = (filter: string): boolean => {
    const pattern = new RegExp(`^${filter.replace('*', '.*')}$`)
    return known.some((name) => pattern.test(name))
  }
  expect(named.filter((name) => !isKnown(name))).toEqual([])
})
