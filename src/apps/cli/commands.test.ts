import { readFileSync, writeFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { tidemark } from '../../../test/support/command.ts'
import { settings } from '../../platform/config.ts'
import { type Command, type CommandGroup, isGroup, type SettingOptions } from './command.ts'
import { describeCommands } from './command-reference.ts'
import { COMMANDS, COMMON_SETTINGS } from './commands.ts'

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
  const made = `\n${describeCommands()}\n\n`
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
      const { data } = settings.shape[name as keyof typeof settings.shape].safeParse(undefined)
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
  ['statsu', "unknown command 'statsu'", 'Did you mean status?'],
  ['quarantine shwo', "unknown command 'shwo'", 'Did you mean show?'],
  ['help doctr', "unknown command 'doctr'", 'Did you mean doctor?'],
  ['help lake swep', "unknown command 'swep'", 'Did you mean sweep?'],
  ['run --evry 5s', "unknown option '--evry'", 'Did you mean --every?'],
  ['sweep --delete', "unknown command 'sweep'", 'Did you mean tidemark lake sweep?'],
  ['list', "unknown command 'list'", 'Did you mean tidemark quarantine list?'],
  ['--jsn status', "unknown option '--jsn'", 'Did you mean --json?'],
  [
    'completion fsh',
    "value 'fsh' is invalid for argument 'shell'",
    'Allowed choices are bash, zsh, fish.',
  ],
])('tidemark %s is refused with what may have been meant', async (line, what, meant) => {
  const { code, err, out } = await tidemark(line.split(' '))
  expect(err).toContain(what)
  expect(err).toContain(meant)
  expect({ code, out }).toEqual({ code: 2, out: '' })
})
