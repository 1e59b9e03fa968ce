import { stripVTControlCharacters, styleText } from 'node:util'
import { ConfigError, TidemarkError } from '../../platform/errors.ts'
import { formatCount, formatDuration } from '../format.ts'
import type { AppLog, AppLogEntry } from '../log.ts'
import { asTyped, type Call } from './call.ts'
import { describeEvent, type Told } from './describe-event.ts'
import type { Result } from './results.ts'
import { fitLines, inAscii } from './terminal-text.ts'

/** Where output goes: the part of a Node stream that is used. */
export interface Stream {
  write(text: string): unknown
  readonly isTTY?: boolean
  readonly columns?: number
}

/** What decides how a command writes. */
export interface OutputOptions {
  readonly stdout: Stream
  readonly stderr: Stream
  readonly isJson: boolean
  readonly isQuiet: boolean
  /** How a person calls Tidemark; the commands in hints are written so. */
  readonly call: Call
  /** Neither NO_COLOR nor a pipe. */
  readonly isColored: boolean
  /** Whether only ASCII is shown. Default: false. */
  readonly isAscii?: boolean
}

type Style = 'green' | 'red' | 'yellow' | 'dim' | 'bold' | 'cyan'

/**
 * The only place that writes to the terminal. Results go to stdout; with `--json`, one object a
 * line. Progress and errors go to stderr. Only a terminal gets progress that is redrawn in place.
 * Steps, advice and hints name commands as people must type them; `--json` says `tidemark`.
 */
export interface Output {
  readonly log: AppLog
  readonly isJson: boolean
  /** How many columns a line may take. */
  readonly columns: number
  style(style: Style, text: string): string
  /** A result for people, wrapped at the terminal's width; nothing with `--json`. */
  print(text: string): void
  /** Like `print`, for commands as people must type them: not wrapped, so that they can be copied. */
  advise(text: string): void
  /** Text for programs, byte for byte, such as CSV; nothing with `--json`. */
  write(text: string): void
  /** A finished step for people; nothing with `--json` or `--quiet`. */
  note(text: string): void
  /** A result for machines; nothing without `--json`. */
  emit(result: Result): void
  /** An error in full: what happened, its code, and the next command. */
  fail(error: unknown): void
  /** The same for the error that ended the command. */
  end(error: unknown): void
  /** A result for machines. It is the final object, unless another result follows. */
  conclude(result: Result): void
  /** Writes the final object, with the exit code. Nothing else may follow. */
  finish(exit: number): void
  /** How far the work is. Shown only on a terminal, and replaced by the next line. */
  progress(text: string): void
  /** Removes the progress line, if there is one. */
  clear(): void
}

/**
 * Builds the output of one command. With `isJson` only `emit`, `log` and `fail` write, and only to
 * stdout; otherwise `emit` writes nothing.
 */
export function createOutput(given: OutputOptions): Output {
  const { stdout, isJson, isColored, call } = given
  const isAscii = given.isAscii === true && !isJson
  const options = isAscii
    ? { ...given, stdout: asciiStream(stdout), stderr: asciiStream(given.stderr) }
    : given
  const columns = stdout.isTTY === true ? (stdout.columns ?? 80) : WITHOUT_TERMINAL
  const style: Output['style'] = (name, text) =>
    isColored ? styleText(name, text, { validateStream: false }) : text
  const steps = createSteps(options, style)
  const emit = (entry: Result | AppLogEntry) => {
    if (isJson) stdout.write(jsonLine(entry))
  }
  let conclusion: Result | undefined
  const conclude = (result: Result) => {
    if (conclusion !== undefined) emit(conclusion)
    conclusion = result
  }
  const fail = (error: unknown, say: (result: Result) => void) => {
    steps.clear()
    const known = error instanceof TidemarkError ? error : explainSystemError(error)
    const message = known?.message ?? (error instanceof Error ? error.message : String(error))
    const code = known?.code ?? 'UNEXPECTED'
    say({ event: 'failed', code, message, hint: known?.hint })
    if (isJson) return
    options.stderr.write(`${style('red', '✕')} ${message}   ${style('dim', code)}\n`)
    if (known?.hint !== undefined) {
      options.stderr.write(asTyped(`  Next: ${known.hint}\n`, call))
    }
    if (known === undefined && error instanceof Error) {
      options.stderr.write(
        `${style('dim', error.stack ?? '')}\n  This is a bug in Tidemark; nothing was half-published.\n`,
      )
    }
  }
  const write = (text: string) => {
    if (isJson) return
    steps.clear()
    options.stdout.write(`${isColored ? text : stripVTControlCharacters(text)}\n`)
  }
  return {
    isJson,
    columns,
    style,
    emit,
    note: steps.note,
    write(text) {
      if (isJson) return
      steps.clear()
      given.stdout.write(text)
    },
    clear: steps.clear,
    log(entry) {
      emit(entry)
      const told = describeEvent(entry)
      if (told?.as === 'progress') steps.progress(told.text)
      if (told?.together !== undefined) steps.gather(told, told.together)
      else if (told?.as === 'step') steps.note(formatStep(told, style), told.once)
    },
    print: (text) => write(stdout.isTTY === true ? fitLines(text, columns) : text),
    advise: (text) => write(asTyped(text, call)),
    fail: (error) => fail(error, emit),
    end: (error) => fail(error, conclude),
    conclude,
    finish(exit) {
      if (isJson) stdout.write(jsonLine({ ...(conclusion ?? { event: 'stopped' }), exit }))
      conclusion = undefined
    },
    progress(text) {
      if (options.stderr.isTTY === true) steps.progress(text)
    },
  }
}

/** The width of a line that is not for a terminal. */
const WITHOUT_TERMINAL = 160

/** A stream for people whose terminal shows ASCII only. */
function asciiStream(stream: Stream): Stream {
  const { isTTY, columns } = stream
  return {
    write: (text) => stream.write(inAscii(text)),
    ...(isTTY === undefined ? {} : { isTTY }),
    ...(columns === undefined ? {} : { columns }),
  }
}

/**
 * An entry as `--json` writes it: one line, with the moment it was written. The final one has the
 * exit code too.
 */
export function jsonLine(entry: (Result | AppLogEntry) & { readonly exit?: number }): string {
  return `${JSON.stringify({ at: new Date().toISOString(), ...entry })}\n`
}

/** How often progress is written where it cannot be redrawn. */
const HEARTBEAT_MS = 10_000

interface Steps {
  /** Writes a line that stays; with `once`, only the first time for these words. */
  note(text: string, once?: string): void
  /** Gathers equal steps in a row into one line, which is written before anything that follows. */
  gather(told: Told, together: NonNullable<Told['together']>): void
  /** Redraws the progress line on a terminal; elsewhere writes it now and then. */
  progress(text: string): void
  clear(): void
}

/**
 * Steps and progress on stderr: a line below the steps is redrawn, and removed before the next one.
 */
function createSteps(
  { stderr, isJson, isQuiet, call }: OutputOptions,
  style: Output['style'],
): Steps {
  const isSilent = isJson || isQuiet
  const noted = new Set<string>()
  let hasProgress = false
  let lastBeatAt = Date.now()
  let gathered: { told: Told; say: string; names: string[] } | undefined
  const clear = () => {
    writeGathered()
    if (!hasProgress) return
    stderr.write('\r\u001B[2K')
    hasProgress = false
  }
  const note = (text: string, once?: string) => {
    if (isSilent || (once !== undefined && noted.has(once))) return
    if (once !== undefined) noted.add(once)
    clear()
    stderr.write(`${asTyped(text, call)}\n`)
  }
  const writeGathered = () => {
    if (gathered === undefined) return
    const { told, say, names } = gathered
    gathered = undefined
    const text = names.length === 1 ? told.text : `${listSome(names)} ${say}`
    note(formatStep({ ...told, text }, style))
  }
  return {
    clear,
    note,
    gather(told, { name, say }) {
      if (gathered?.say === say) {
        gathered.names.push(name)
        return
      }
      writeGathered()
      gathered = { told, say, names: [name] }
      // Stages log such steps without a pause in between, so a step never waits for long.
      queueMicrotask(writeGathered)
    },
    progress(text) {
      if (isSilent) return
      writeGathered()
      if (stderr.isTTY === true) {
        stderr.write(`\r\u001B[2K  ${text.slice(0, (stderr.columns ?? 80) - 3)}`)
        hasProgress = true
      } else if (Date.now() - lastBeatAt >= HEARTBEAT_MS) {
        lastBeatAt = Date.now()
        stderr.write(`  ${text}\n`)
      }
    },
  }
}

/** `a, b and c`, or the first three and how many more. */
function listSome(names: readonly string[]): string {
  const shown = names.length > 3 ? names.slice(0, 3) : names.slice(0, -1)
  const rest = names.length > 3 ? `${formatCount(names.length - 3)} more` : names.at(-1)
  return `${shown.join(', ')} and ${rest}`
}

function formatStep({ text, style: name, next }: Told, style: Output['style']): string {
  const line = name === undefined ? `  ${text}` : style(name, `  ${text}`)
  return next === undefined ? line : `${line}\n  ${next}`
}

/** Explains an error from the operating system: this machine is at fault. Undefined for others. */
function explainSystemError(error: unknown): TidemarkError | undefined {
  const { errno, syscall, message } = error as NodeJS.ErrnoException
  if (typeof errno !== 'number' || syscall === undefined) return undefined
  return new ConfigError(`This machine refused to ${syscall}: ${message}`, {
    code: 'SYSTEM',
    hint: 'check that the disk has space and that this user may use the files named; then run again',
    cause: error,
  })
}

/** `✓ what                     0.6 s   more`, aligned. */
export function stepLine(
  output: Output,
  { what, durationMs, more = '' }: { what: string; durationMs?: number; more?: string },
): string {
  const took = durationMs === undefined ? '' : formatDuration(durationMs)
  return `  ${output.style('green', '✓')} ${what.padEnd(48)} ${took.padStart(7)}   ${more}`.trimEnd()
}
