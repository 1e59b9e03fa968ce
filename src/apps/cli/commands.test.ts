import { readFileSync, writeFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { tidemark } from '../../../test/support/command.ts'
import { settings } from '../../platform/config.ts'
import { standardProject } from '../../standard-project.ts'
import { totesysSettings } from '../../totesys/settings.ts'
import { type Command, type CommandGroup, isGroup } from './command.ts'
import { describeCommands } from './command-reference.ts'
import { commandsFor } from './commands.ts'
import { COMMON_SETTINGS } from './common-options.ts'
import type { SettingOptions } from './setting-option.ts'

const COMMANDS = commandsFor(standardProject)
const shape = { ...settings.shape, ...totesysSettings.shape }

const PAGE = new URL('../../../docs/command-line.md', import.meta.url)
const PLACE = /(?<=<!-- commands: made from src\/apps\/cli\/commands.ts -->\n)[\s\S]*?(?=<!-- end)/

/** Every command with the names that lead to it. */
function listCommands(
  entries: readonly (Command | CommandGroup)[] = COMMANDS,
  path: readonly string[] = [],
): { names: string[]; command: Command }[] {
  return entries.flatMap((entry) => {
    const names = [...path, entry.name]
    return isGroup(entry) ? listCommands(entry.commands, names) : [{ names, command: entry }]
  })
}

it('docs/command-line.md lists every command as it is declared', () => {
  const made = `\n${describeCommands(COMMANDS)}\n\n`
  expect(made).not.toContain('undefined')
  const text = readFileSync(PAGE, 'utf8')
  if (process.env['UPDATE_GOLDEN'] === '1') {
    writeFileSync(
      PAGE,
      text.replace(PLACE, () => made),
    )
    return
  }
  expect(
    PLACE.exec(text)?.[0],
    'stale: UPDATE_GOLDEN=1 npx vitest run --project node src/apps/cli/commands.test.ts',
  ).toBe(made)
})

it('every default that help shows for a setting is the default of the setting', () => {
  const declared: SettingOptions[] = [
    COMMON_SETTINGS,
    ...listCommands().map(({ command }) => command.settings),
  ]
  const wrong = declared
    .flatMap((each) => Object.entries(each))
    .filter(([name, { standard }]) => {
      const { data } = shape[name as keyof typeof shape].safeParse(undefined)
      return data !== undefined && standard !== String(data)
    })
  expect(wrong).toEqual([])
})

it.each(listCommands().map(({ names, command }) => [names.join(' '), command] as const))(
  'tidemark %s shows its help in both ways, with an example that begins with its name',
  async (name, command) => {
    const words = name.split(' ')
    const asked = await tidemark(['help', ...words])
    expect(await tidemark([...words, '--help'])).toEqual(asked)
    expect(await tidemark(['help', '-q', ...words])).toEqual(asked)
    expect(asked).toMatchObject({ code: 0, err: '' })
    expect(asked.out).toContain(`Usage: tidemark ${name}`)
    for (const { line, what } of command.examples) {
      expect(line).toContain(`tidemark ${name}`)
      expect(asked.out.split('\n').find((each) => each.startsWith(`  ${line} `))).toContain(what)
    }
    expect(command.examples.length).toBeGreaterThan(0)
  },
)

it.each([
  ['statsu', "Unknown command 'statsu'. Did you mean status?", ''],
  ['quarantine shwo', "Unknown command 'shwo'. Did you mean show?", 'quarantine'],
  ['help doctr', "Unknown command 'doctr'. Did you mean doctor?", ''],
  ['help lake swep', "Unknown command 'swep'. Did you mean sweep?", 'lake'],
  ['run --evry 5s', "Unknown option '--evry'. Did you mean --every?", 'run'],
  ['sweep --delete', "Unknown command 'sweep'. Did you mean lake sweep?", 'lake sweep'],
  ['list', "Unknown command 'list'. Did you mean quarantine list?", 'quarantine list'],
  ['--jsn status', "Unknown option '--jsn'. Did you mean --json?", ''],
  ['history sales_order', "Missing required argument 'key'", 'history'],
  ['quarantine show', "Missing required argument 'id'", 'quarantine show'],
  ['run --every', "Option '--every <duration>' argument missing", 'run'],
  [
    'run --every soon',
    "Option '--every <duration>' argument 'soon' is invalid. Give a time such as 5s, 2m or 500ms, up to 24h.",
    'run',
  ],
  [
    'completion fsh',
    "Value 'fsh' is invalid for argument 'shell'. Allowed choices are bash, zsh, fish.",
    'completion',
  ],
])('tidemark %s is refused as any error is, with what may have been meant', async (...row) => {
  const [line, message, topic] = row
  const hint = ['tidemark', topic, '--help'].filter(Boolean).join(' ')
  const { code, err, out } = await tidemark(line.split(' '))
  expect(err).toBe(`✕ ${message}   USAGE\n  Next: ${hint}\n`)
  expect({ code, out }).toEqual({ code: 2, out: '' })
  const json = await tidemark([...line.split(' '), '--json'])
  const failed = {
    event: 'failed',
    exit: 2,
    at: expect.any(String) as string,
    code: 'USAGE',
    message,
    hint,
  }
  expect([json.code, json.err, json.events]).toEqual([2, '', [failed]])
})

it.each([
  ['', 'tidemark --help'],
  ['lake', 'tidemark lake --help'],
])('tidemark %s without a command shows the help, and fails with --json', async (line, hint) => {
  const words = line.split(' ').filter(Boolean)
  const { code, err } = await tidemark(words)
  expect([code, err.startsWith(`Usage: ${['tidemark', ...words].join(' ')}`)]).toEqual([2, true])
  const { events } = await tidemark([...words, '--json'])
  expect(events).toMatchObject([
    { event: 'failed', code: 'USAGE', message: 'Name a command', hint },
  ])
})

it('up speaks before it reads settings or loads what it needs', async () => {
  const { err, code } = await tidemark(['up'], { env: { TIDEMARK_THREADS: 'many' } })
  expect(err).toMatch(
    /^\n {2}tidemark up {3}source, runs and pages in one process.*\n\n✕ Invalid settings: TIDEMARK_THREADS/,
  )
  expect(code).toBe(2)
  const quiet = await tidemark(['up', '--quiet'], { env: { TIDEMARK_THREADS: 'many' } })
  expect(quiet.err).toMatch(/^✕/)
})

it.each([['--version'], ['--help'], ['help', 'run'], ['verify', '--help']])(
  '%s %s with --json is one final object',
  async (...argv) => {
    const plain = await tidemark(argv)
    const { out, err, events } = await tidemark([...argv, '--json'])
    expect([events.length, err]).toEqual([1, ''])
    expect(events[0]).toMatchObject({ event: 'help', text: plain.out, exit: 0 })
    expect(out.endsWith('\n')).toBe(true)
  },
)

it('a group without a command, with --json, is one final object', async () => {
  for (const argv of [['--json'], ['quarantine', '--json'], ['lake', '--json']]) {
    const { code, events } = await tidemark(argv)
    expect([code, events.map(({ event, exit }) => [event, exit])]).toEqual([2, [['failed', 2]]])
  }
})
