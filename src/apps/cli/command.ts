import type { CommandContext } from './context.ts'
import { parseDuration } from '../format.ts'
import { parseIsoMoment } from '../moment.ts'
import type { SettingOptions, Values } from './setting-option.ts'

/** A value without an option's name in front of it. */
export interface Argument<Value extends string | undefined = string | undefined> {
  readonly summary: string
  readonly isRequired: boolean
  readonly values?: Values | undefined
  /** Never set: carries the type of the value. */
  readonly type?: Value
}

/** An option with its flags as help shows them, for example `--every <duration>`. */
export interface Option<Value = unknown> {
  readonly flags: string
  readonly summary: string
  /** The default, as help shows it. */
  readonly standard?: string | undefined
  readonly values?: Values | undefined
  /** The value if the option is not given. */
  readonly absent: Value
  /** Returns the parsed value, or says what is wrong with it. Without it, the text is the value. */
  readonly parse?: ((text: string) => { value: Value } | { fault: string }) | undefined
}

/** A command line, and what it is for. */
export interface Example {
  readonly line: string
  readonly what: string
}

/** What a handler is given: arguments and options under the names the declaration gives them. */
type Input<A, O> = {
  readonly [Name in keyof A]: A[Name] extends Argument<infer Value> ? Value : never
} & { readonly [Name in keyof O]: O[Name] extends Option<infer Value> ? Value : never }

type Handler<I> = (context: CommandContext, input: I) => Promise<number>

interface CommandDeclaration<A, O> {
  readonly name: string
  /** One line, for lists. */
  readonly summary: string
  /** Sentences that follow the summary in the help of the command and in the documentation. */
  readonly details?: string
  /** What the command says before anything is loaded, if it takes a while to begin. */
  readonly opening?: string
  readonly arguments?: A
  readonly options?: O
  readonly settings?: SettingOptions
  /** False for a command that reads no settings: what reads them is not loaded. Default: true. */
  readonly readsSettings?: boolean
  readonly examples: readonly Example[]
  /** Imports the handler, which returns the exit code. Called only when the command runs. */
  readonly load: () => Promise<Handler<Input<A, O>>>
}

/** One command, from which the parser, help, completion and documentation are made. */
export interface Command {
  readonly name: string
  readonly summary: string
  readonly details: string
  readonly opening: string | undefined
  readonly arguments: Readonly<Record<string, Argument>>
  readonly options: Readonly<Record<string, Option>>
  readonly settings: SettingOptions
  readonly readsSettings: boolean
  readonly examples: readonly Example[]
  run(context: CommandContext, input: Readonly<Record<string, unknown>>): Promise<number>
}

/** Commands under one name, such as `quarantine list` and `quarantine show`. */
export interface CommandGroup {
  readonly name: string
  readonly summary: string
  readonly commands: readonly Command[]
}

/** Declares a command; the handler's input has the types of its arguments and options. */
export function command<
  A extends Readonly<Record<string, Argument>> = Readonly<Record<string, never>>,
  O extends Readonly<Record<string, Option>> = Readonly<Record<string, never>>,
>(declaration: CommandDeclaration<A, O>): Command {
  return {
    name: declaration.name,
    summary: declaration.summary,
    details: declaration.details ?? '',
    opening: declaration.opening,
    arguments: declaration.arguments ?? {},
    options: declaration.options ?? {},
    settings: declaration.settings ?? {},
    readsSettings: declaration.readsSettings ?? true,
    examples: declaration.examples,
    async run(context, input) {
      const handler = await declaration.load()
      return handler(context, input as Input<A, O>)
    },
  }
}

/** Whether an entry of the table holds commands instead of being one. */
export function isGroup(entry: Command | CommandGroup): entry is CommandGroup {
  return 'commands' in entry
}

/** An argument that must be given. */
export function required(summary: string, values?: Values): Argument<string> {
  return { summary, isRequired: true, values }
}

/** An argument that may be left out. */
export function optional(summary: string, values?: Values): Argument {
  return { summary, isRequired: false, values }
}

/** An option without a value: true if given, otherwise false. */
export function flagOption(flags: string, summary: string): Option<boolean> {
  return { flags, summary, absent: false }
}

/** An option with a text that its handler parses. */
export function textOption(
  flags: string,
  { summary, standard }: { summary: string; standard: string },
): Option<string> {
  return { flags, summary, standard, absent: standard }
}

/** An option with a text, which is undefined if it is not given. */
export function wordOption(
  flags: string,
  { summary, standard, values }: { summary: string; standard?: string; values?: Values },
): Option<string | undefined> {
  return { flags, summary, standard, values, absent: undefined }
}

/** An option with a date or a moment, as `parseIsoMoment` returns it; undefined if it is not given. */
export function momentOption(
  flags: string,
  { summary }: { summary: string },
): Option<string | undefined> {
  return {
    flags,
    summary,
    absent: undefined,
    parse(written) {
      const value = parseIsoMoment(written)
      return value === undefined
        ? {
            fault:
              'Give a date or a moment such as 2026-11-01 or 2026-11-01T12:00:00+01:00. Without a zone it is UTC.',
          }
        : { value }
    },
  }
}

/** An option with one of a few words. */
export function choiceOption<Choice extends string>(
  flags: string,
  { summary, choices, standard }: { summary: string; choices: readonly Choice[]; standard: Choice },
): Option<Choice> {
  return {
    flags,
    summary,
    standard,
    values: choices,
    absent: standard,
    parse(written) {
      const value = choices.find((choice) => choice === written)
      return value === undefined ? { fault: `Give ${choices.join(' or ')}.` } : { value }
    },
  }
}

/** An option with one or more names. */
export function namesOption(
  flags: string,
  { summary, values }: { summary: string; values: Values },
): Option<readonly string[]> {
  return { flags, summary, absent: [], values }
}

/** An option with a time, in milliseconds; the default or `undefined` if it is not given. */
export function durationOption<Standard extends string | undefined = undefined>(
  flags: string,
  { summary, standard }: { summary: string; standard?: Standard },
): Option<Standard extends string ? number : number | undefined> {
  type Value = Standard extends string ? number : number | undefined
  return {
    flags,
    summary,
    standard,
    absent: (standard === undefined ? undefined : parseDuration(standard)) as Value,
    parse(written) {
      const value = parseDuration(written)
      return value === undefined
        ? { fault: 'Give a time such as 5s, 2m or 500ms, up to 24h.' }
        : { value }
    },
  }
}
