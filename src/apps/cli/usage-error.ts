import type { CommanderError } from 'commander'
import { ConfigError } from '../../platform/errors.ts'
import { type Command, type CommandGroup, isGroup } from './command.ts'

/** Where the parser stopped. */
export interface UsageContext {
  /** The command it was parsing, such as `tidemark history`. */
  readonly title: string
  readonly commands: readonly (Command | CommandGroup)[]
}

/**
 * What the parser refused, as an error like all others (`USAGE`), with the help to read next. Names
 * the command of a group that was called without its group, such as `lake sweep` for `sweep`.
 */
export function usageError(
  { code, message }: CommanderError,
  { title, commands }: UsageContext,
): ConfigError {
  if (code === 'commander.help') {
    return new ConfigError('Name a command', { code: 'USAGE', hint: `${title} --help` })
  }
  const elsewhere =
    code === 'commander.unknownCommand' ? findElsewhere(message, commands) : undefined
  const said = message.replace(/^error: (command-argument )?/, '').replace(/\n\((.*)\)$/, '. $1')
  const meant = elsewhere === undefined ? '' : `. Did you mean ${elsewhere}?`
  return new ConfigError(`${said.charAt(0).toUpperCase()}${said.slice(1)}${meant}`, {
    code: 'USAGE',
    hint: elsewhere === undefined ? `${title} --help` : `tidemark ${elsewhere} --help`,
  })
}

function findElsewhere(
  message: string,
  commands: readonly (Command | CommandGroup)[],
): string | undefined {
  return commands
    .filter(isGroup)
    .flatMap((group) => group.commands.map(({ name }) => ({ group: group.name, name })))
    .filter(({ name }) => message.includes(`'${name}'`))
    .map(({ group, name }) => `${group} ${name}`)[0]
}
