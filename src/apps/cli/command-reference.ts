import { type Command, type CommandGroup, isGroup } from './command.ts'
import { COMMON_OPTIONS, COMMON_SETTINGS } from './common-options.ts'
import { EXIT, EXIT_MEANINGS } from './exit-code.ts'
import { describeOption } from './program.ts'

/** The reference of commands, as the Markdown between the markers in `docs/command-line.md`. */
export function describeCommands(commands: readonly (Command | CommandGroup)[]): string {
  const common = describeOptions({ options: COMMON_OPTIONS, settings: COMMON_SETTINGS })
  const codes = Object.entries(EXIT).map(
    ([name, code]) => `| ${code} | ${EXIT_MEANINGS[name as keyof typeof EXIT]} |`,
  )
  return [
    table(
      'command',
      commands.flatMap((entry) => describeRow([], entry)),
    ),
    ...commands.flatMap((entry) => describeEntry([], entry)),
    `## Options for every command\n\n${table('option', common)}`,
    `## Exit codes\n\n${['| code | meaning |', '|---|---|', ...codes].join('\n')}`,
  ].join('\n\n')
}

function describeRow(path: readonly string[], entry: Command | CommandGroup): string[] {
  const names = [...path, entry.name]
  if (isGroup(entry)) return entry.commands.flatMap((each) => describeRow(names, each))
  const title = names.join(' ')
  return [`| [\`${title}\`](#${title.replaceAll(' ', '-')}) | ${entry.summary} |`]
}

function describeEntry(path: readonly string[], entry: Command | CommandGroup): string[] {
  const names = [...path, entry.name]
  if (isGroup(entry)) return entry.commands.flatMap((each) => describeEntry(names, each))
  const rows = [...describeArguments(entry), ...describeOptions(entry)]
  const width = Math.max(...entry.examples.map(({ line }) => line.length))
  const examples = entry.examples.map(({ line, what }) => `${line.padEnd(width)}  # ${what}`)
  return [
    `### ${names.join(' ')}`,
    wrapped(linked([`${entry.summary}.`, entry.details].filter(Boolean).join(' '))),
    ...(rows.length === 0 ? [] : [table('argument or option', rows)]),
    `\`\`\`sh\n${examples.join('\n')}\n\`\`\``,
  ]
}

function describeArguments({ arguments: declared }: Command): string[] {
  return Object.entries(declared).map(([name, { summary, isRequired }]) =>
    row(isRequired ? `<${name}>` : `[${name}]`, summary),
  )
}

function describeOptions({ options, settings }: Pick<Command, 'options' | 'settings'>): string[] {
  return [
    ...Object.values(options).map((option) => row(option.flags, describeOption(option))),
    ...Object.entries(settings).map(([name, option]) =>
      row(option.flags, `${describeOption(option)}. Sets \`${name}\`.`),
    ),
  ]
}

function row(name: string, what: string): string {
  return `| \`${name}\` | ${what.replaceAll('<', '\\<')} |`
}

function table(head: string, rows: readonly string[]): string {
  return [`| ${head} | what it does |`, '|---|---|', ...rows].join('\n')
}

/** `docs/dashboard.md` becomes a link, because the reference is in the same folder. */
function linked(text: string): string {
  return text.replaceAll(/docs\/([\w-]+\.md)/g, '[$1]($1)')
}

/** The text in lines of at most 100 columns. */
function wrapped(text: string): string {
  return text.replaceAll(/(.{1,100})(?: |$)/g, '$1\n').trimEnd()
}
