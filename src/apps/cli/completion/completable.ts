import { type Argument, type Command, type CommandGroup, isGroup } from '../command.ts'
import type { Values } from '../setting-option.ts'

/** An option as a shell sees it. */
export interface CompletableOption {
  /** `-q` and `--quiet`. */
  readonly names: readonly string[]
  readonly summary: string
  /** What its value may be; undefined if it takes none. */
  readonly value: CompletableValue | undefined
}

/** Words to choose from (none: any text), or a folder. */
export type CompletableValue = readonly string[] | 'folder'

/** A place on the command line: the program, a group, or a command. */
export interface CompletablePlace {
  /** The names that lead there: `[]`, `['quarantine']`, `['quarantine', 'list']`. */
  readonly path: readonly string[]
  /** What may come next: groups and commands. */
  readonly children: readonly { readonly name: string; readonly summary: string }[]
  /** The values that may come next, in their order. */
  readonly values: readonly CompletableValue[]
  /** All options that are allowed here, with those that every command takes. */
  readonly options: readonly CompletableOption[]
}

/** The tables of a project by the names that the declarations use for them. */
export type TableNames = Readonly<
  Record<
    'source table' | 'database table' | 'fact' | 'compared table' | 'any table',
    readonly string[]
  >
>

/** The part of a declaration that options are made from. */
interface Declared {
  readonly options: Command['options']
  readonly settings: Command['settings']
}

/**
 * Flattens the table of commands into the places where a shell completes, the program first. Every
 * value is resolved: a kind of table becomes the names from `tables`.
 */
export function listPlaces(
  commands: readonly (Command | CommandGroup)[],
  { common, tables }: { common: Declared; tables: TableNames },
): CompletablePlace[] {
  const everywhere = [
    ...toOptions(common, tables),
    { names: ['-h', '--help'], summary: 'Show the help', value: undefined },
  ]
  const visit = (
    path: readonly string[],
    entries: readonly (Command | CommandGroup)[],
  ): CompletablePlace[] => [
    {
      path,
      children: entries.map(({ name, summary }) => ({ name, summary })),
      values: [],
      options: everywhere,
    },
    ...entries.flatMap((entry) => {
      const below = [...path, entry.name]
      if (isGroup(entry)) return visit(below, entry.commands)
      const values = Object.values(entry.arguments).map(({ values: own }: Argument) =>
        resolve(own, tables),
      )
      const options = [...toOptions(entry, tables), ...everywhere]
      return [{ path: below, children: [], values, options }]
    }),
  ]
  return visit([], commands)
}

function toOptions({ options, settings }: Declared, tables: TableNames): CompletableOption[] {
  return [...Object.values(options), ...Object.values(settings)].map(
    ({ flags, summary, values }) => ({
      names: flags.match(/--?[a-z][a-z-]*/g) ?? [],
      summary,
      value: flags.includes('<') ? resolve(values, tables) : undefined,
    }),
  )
}

function resolve(values: Values | undefined, tables: TableNames): CompletableValue {
  if (values === undefined) return []
  return values === 'folder' || typeof values !== 'string' ? values : tables[values]
}

/** The names of all options that a value follows. A shell skips it when it counts values. */
export function optionsWithValue(places: readonly CompletablePlace[]): string[] {
  const options = places.flatMap((place) => place.options)
  const found = options.flatMap(({ names, value }) => (value === undefined ? [] : names))
  return [...new Set(found)]
}

/** Text between single quotes, for bash and zsh. */
export function quoteForShell(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`
}
