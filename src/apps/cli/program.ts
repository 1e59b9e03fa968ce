import {
  Argument as ProgramArgument,
  Command as ProgramCommand,
  CommanderError,
  InvalidArgumentError,
  Option as ProgramOption,
} from 'commander'
import type { Config } from '../../platform/config.ts'
import { InterruptedError } from '../../platform/errors.ts'
import type { GivenProject } from '../project-extension.ts'
import { VERSION } from '../version.ts'
import { asTyped, type Call } from './call.ts'
import { type Argument, type Command, type CommandGroup, isGroup, type Option } from './command.ts'
import { commandsFor, SUMMARY } from './commands.ts'
import { COMMON_OPTIONS, COMMON_SETTINGS } from './common-options.ts'
import { EXIT, EXIT_MEANINGS, exitCodeOf } from './exit-code.ts'
import { createOutput, type Output, type Stream } from './output.ts'
import type { SettingOption, SettingOptions } from './setting-option.ts'
import { showsUtf8 } from './terminal-text.ts'
import { usageError } from './usage-error.ts'

/** What the command line takes from its process. */
export interface World {
  readonly argv: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
  /** The project to carry. */
  readonly given: GivenProject
  /** How a person calls it again. */
  readonly call: Call
  readonly stdout: Stream
  readonly stderr: Stream
  readonly signal: AbortSignal
}

/**
 * The whole command line: parses, runs one command and returns its exit code. Never throws. Takes
 * its world as an argument, so that a test runs it as a shell does.
 */
export async function runProgram(world: World): Promise<number> {
  let code: number = EXIT.done
  let title = 'tidemark'
  const isJson = world.argv.includes('--json')
  const help: string[] = []
  const program = createProgram(world, {
    say: (text) => (isJson ? help.push(text) : world.stdout.write(asTyped(text, world.call))),
  })
  const act: Act = async (declared, parsed) => {
    code = await invoke(world, declared, { program, parsed })
  }
  const leave: Leave = (from, error) => {
    title = from
    throw error
  }
  const commands = commandsFor(world.given)
  for (const entry of commands) {
    addEntry(program, entry, { act, leave, call: world.call, title: `tidemark ${entry.name}` })
  }
  try {
    await program.parseAsync(readHelpRequest(world.argv, commands) ?? world.argv, { from: 'user' })
    return code
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    const output = openOutput(world, { isJson })
    if (error.exitCode === 0) {
      output.conclude({ event: 'help', text: help.join('') })
      output.finish(EXIT.done)
      return EXIT.done
    }
    // Without a command the parser has written the help, which says more to people.
    if (isJson || error.code !== 'commander.help') {
      output.end(usageError(error, { title, commands }))
    }
    output.finish(EXIT.usage)
    return EXIT.usage
  }
}

function createProgram(world: World, { say }: { say: (text: string) => unknown }): ProgramCommand {
  const program = new ProgramCommand('tidemark')
    .description(SUMMARY)
    .version(VERSION, '-V, --version', 'Show the version')
    .addHelpText('after', HELP_AFTER)
    .helpOption('-h, --help', 'Show this help')
    .helpCommand('help [command]', 'Show the help for a command')
    .configureOutput({
      writeOut: say,
      getOutHelpWidth: () => world.stdout.columns ?? 80,
      getErrHelpWidth: () => world.stderr.columns ?? 80,
      writeErr: (written) => world.stderr.write(asTyped(written, world.call)),
      outputError: () => {}, // written as every error is, by `runProgram`
    })
    .exitOverride()
  addOptions(program, { options: COMMON_OPTIONS, settings: COMMON_SETTINGS })
  return program
}

const HELP_AFTER = `
TIDEMARK_SOURCE_URL and TIDEMARK_WAREHOUSE_URL, in the environment or in .env, name the databases.
A tidemark.config.ts here or above is the project; without one, every table of the source is kept.
Without a source, an embedded Postgres with a simulated source is used.
All settings: docs/configuration.md

Exit codes:
${Object.entries(EXIT)
  .map(([name, code]) => `  ${String(code).padEnd(5)}${EXIT_MEANINGS[name as keyof typeof EXIT]}`)
  .join('\n')}`

type Act = (command: Command, parsed: ProgramCommand) => Promise<void>

/** Ends the parsing of the command with this title. */
type Leave = (title: string, error: CommanderError) => never

function addEntry(
  parent: ProgramCommand,
  entry: Command | CommandGroup,
  { title, ...context }: { title: string; act: Act; leave: Leave; call: Call },
): void {
  const { act, leave, call } = context
  const added = parent.command(entry.name).summary(entry.summary)
  added.exitOverride((error) => leave(title, error))
  if (isGroup(entry)) {
    added
      .description(`${entry.summary}.`)
      .helpCommand('help [command]', 'Show the help for a command')
    for (const each of entry.commands) {
      addEntry(added, each, { ...context, title: `${title} ${each.name}` })
    }
    return
  }
  added
    .description([`${entry.summary}.`, entry.details].filter(Boolean).join(' '))
    .addHelpText('after', () => describeExamples(entry, call))
  for (const [name, argument] of Object.entries(entry.arguments)) {
    added.addArgument(toProgramArgument(name, argument))
  }
  addOptions(added, entry)
  added.action(() => act(entry, added))
}

function describeExamples({ examples }: Command, call: Call): string {
  const width = Math.max(...examples.map(({ line }) => line.length))
  const lines = examples.map(({ line, what }) => `  ${asTyped(line.padEnd(width), call)}  ${what}`)
  return `\nExamples:\n${lines.join('\n')}\n\nOptions for every command: tidemark --help`
}

function toProgramArgument(
  name: string,
  { summary, isRequired, values }: Argument,
): ProgramArgument {
  const argument = new ProgramArgument(isRequired ? `<${name}>` : `[${name}]`, summary)
  return Array.isArray(values) ? argument.choices(values) : argument
}

function addOptions(
  to: ProgramCommand,
  { options, settings }: { options: Command['options']; settings: SettingOptions },
): void {
  for (const option of Object.values(options)) {
    const added = new ProgramOption(option.flags, describeOption(option))
    const { parse } = option
    if (parse !== undefined) {
      added.argParser((written) => {
        const parsed = parse(written)
        if ('fault' in parsed) throw new InvalidArgumentError(parsed.fault)
        return parsed.value
      })
    }
    to.addOption(added)
  }
  for (const setting of Object.values(settings)) {
    const added = new ProgramOption(setting.flags, describeOption(setting))
    if (setting.isRepeatable === true) {
      added.argParser((written, before?: string) => [before, written].filter(Boolean).join(','))
    }
    to.addOption(added)
  }
}

/** What an option is for, with its default if it has one. */
export function describeOption({ summary, standard }: Option | SettingOption): string {
  return standard === undefined ? summary : `${summary} (default: ${standard})`
}

/**
 * The arguments that show what `help` asks for: `help quarantine list` is `quarantine list --help`.
 * Options change nothing.
 * A name that does not exist is left alone, so that the parser says what may have been meant.
 */
function readHelpRequest(
  [first, ...rest]: readonly string[],
  commands: readonly (Command | CommandGroup)[],
): readonly string[] | undefined {
  const asked = rest.filter((word) => !word.startsWith('-'))
  if (first !== 'help' || asked.length === 0) return undefined
  let entries = commands
  const path: string[] = []
  for (const name of asked) {
    const entry = entries.find((each) => each.name === name)
    path.push(name)
    if (entry === undefined) return path
    if (!isGroup(entry)) break
    entries = entry.commands
  }
  return [...path, '--help']
}

interface Invocation {
  readonly program: ProgramCommand
  readonly parsed: ProgramCommand
}

async function invoke(
  world: World,
  command: Command,
  { program, parsed }: Invocation,
): Promise<number> {
  const { json, quiet } = readOptions(program, COMMON_OPTIONS)
  const output = openOutput(world, { isJson: json === true, isQuiet: quiet === true })
  if (command.opening !== undefined) {
    output.note(`\n  ${output.style('bold', `tidemark ${command.name}`)}   ${command.opening}\n`)
  }
  let exit: number
  try {
    const reader = command.readsSettings ? await import('../read-config.ts') : undefined
    const added = reader === undefined ? undefined : await world.given.settings()
    let config: Config | undefined
    const context = {
      // Read on demand: a command without settings works while they are invalid.
      get config() {
        if (reader === undefined) throw new TypeError(`${command.name} reads no settings`)
        const flags = {
          ...readSettings(program, COMMON_SETTINGS),
          ...readSettings(parsed, command.settings),
        }
        return (config ??= reader.readConfig(world.env, { flags, added, given: world.given }))
      },
      async findProject() {
        const { findProject } = await import('../project/find-project.ts')
        const { TIDEMARK_PROJECT: named } = readSettings(program, COMMON_SETTINGS)
        return findProject(named || world.env['TIDEMARK_PROJECT'])
      },
      given: world.given,
      output,
      signal: world.signal,
    }
    const named = Object.keys(command.arguments).map((name, at) => [name, parsed.args[at]])
    exit = await command.run(context, {
      ...Object.fromEntries(named),
      ...readOptions(parsed, command.options),
    })
  } catch (error) {
    if (!(error instanceof InterruptedError)) output.end(error)
    exit = exitCodeOf(error)
  }
  output.clear()
  output.finish(exit)
  return exit
}

function openOutput(
  { stdout, stderr, call, env }: World,
  { isJson, isQuiet = false }: { isJson: boolean; isQuiet?: boolean },
): Output {
  const isColored = stdout.isTTY === true && (env['NO_COLOR'] ?? '') === ''
  const isAscii = !showsUtf8(env)
  return createOutput({ stdout, stderr, call, isJson, isQuiet, isColored, isAscii })
}

function readOptions(
  parsed: ProgramCommand,
  options: Command['options'],
): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(options).map(([name, { flags, absent }]) => [
      name,
      valueOf(parsed, flags) ?? absent,
    ]),
  )
}

function readSettings(
  parsed: ProgramCommand,
  settings: SettingOptions,
): Readonly<Record<string, string | undefined>> {
  return Object.fromEntries(
    Object.entries(settings).map(([name, { flags }]) => [
      name,
      valueOf(parsed, flags) as string | undefined,
    ]),
  )
}

function valueOf(parsed: ProgramCommand, flags: string): unknown {
  return parsed.getOptionValue(new ProgramOption(flags).attributeName())
}
