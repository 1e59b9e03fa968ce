import { stripVTControlCharacters, styleText } from 'node:util'
import { ConfigError, TidemarkError } from '../../platform/errors.ts'
import type { Log, LogEntry } from '../../platform/log.ts'
import { formatCount, formatDuration, formatNumber } from '../format.ts'

export interface Stream {
  write(text: string): unknown
  readonly isTTY?: boolean
  readonly columns?: number
}

export interface OutputOptions {
  readonly stdout: Stream
  readonly stderr: Stream
  readonly isJson: boolean
  readonly isQuiet: boolean
  /** Neither NO_COLOR nor a pipe. */
  readonly isColored: boolean
}

type Style = 'green' | 'red' | 'yellow' | 'dim' | 'bold' | 'cyan'

/**
 * The one place that writes to the terminal. stdout is data: results, or with `--json` one object
 * a line. stderr is progress and errors. Progress is redrawn in place on a terminal only.
 */
export interface Output {
  readonly log: Log
  readonly isJson: boolean
  style(style: Style, text: string): string
  /** A result for people; nothing with `--json`. */
  print(text: string): void
  /** A step that is done, for people; nothing with `--json` or `--quiet`. */
  note(text: string): void
  /** A result for machines; nothing without `--json`. */
  emit(entry: LogEntry): void
  /** An error in full: what happened, what is safe, what to type next. */
  fail(error: unknown): void
  /** Removes the progress line, if there is one. */
  clear(): void
}

export function createOutput(options: OutputOptions): Output {
  const { stdout, stderr, isJson, isQuiet } = options
  const style = (name: Style, text: string) =>
    options.isColored ? styleText(name, text, { validateStream: false }) : text
  let hasProgress = false
  let lastBeatAt = Date.now()
  const noted = new Set<string>()

  const clear = () => {
    if (!hasProgress) return
    stderr.write('\r\u001B[2K')
    hasProgress = false
  }
  const emit = (entry: LogEntry) => {
    if (isJson) stdout.write(`${JSON.stringify({ at: new Date().toISOString(), ...entry })}\n`)
  }
  const note = (text: string) => {
    if (isJson || isQuiet) return
    clear()
    stderr.write(`${text}\n`)
  }
  /** For failures without which runs go on: they are noted once, not every five seconds. */
  const noteOnce = (what: string, lines: readonly string[]) => {
    if (!noted.has(what)) note(lines.join('\n'))
    noted.add(what)
  }
  const progress = (text: string) => {
    if (isJson || isQuiet) return
    if (stderr.isTTY === true) {
      stderr.write(`\r\u001B[2K  ${text.slice(0, (stderr.columns ?? 80) - 3)}`)
      hasProgress = true
    } else if (Date.now() - lastBeatAt >= 10_000) {
      lastBeatAt = Date.now()
      stderr.write(`  ${text}\n`)
    }
  }

  return {
    isJson,
    style,
    emit,
    note,
    clear,
    log(entry) {
      emit(entry)
      if (entry.level === 'alert') note(style('red', `  ! ${describeAlert(entry)}`))
      else if (entry.event === 'rows_read') {
        progress(`reading ${String(entry['table'])}: ${formatCount(Number(entry['rows']))} rows`)
      } else if (entry.event === 'table_captured' && Number(entry['read']) >= 100_000) {
        note(`  ✓ ${String(entry['table'])}: ${formatCount(Number(entry['read']))} rows read`)
      } else if (entry.event === 'table_compared_whole') {
        note(style('dim', `  ${String(entry['table'])} is compared whole: ${String(entry['why'])}`))
      } else if (entry.event === 'table_failed') {
        const table = String(entry['table'])
        const why = String(entry['message']).replace(`Table ${table}: `, '')
        noteOnce(`${table} ${String(entry['code'])}`, [
          style('yellow', `  ${table}: ${why}`),
          ...(typeof entry['hint'] === 'string' ? [`  Next: ${entry['hint']}`] : []),
        ])
      } else if (entry.event === 'table_released') {
        note(`  ✓ ${String(entry['table'])} is no longer held back`)
      } else if (entry.event === 'shape_changed') {
        note(style('dim', `  ${String(entry['table'])} has another shape: tidemark catalog`))
      } else if (entry.event === 'table_ignored') {
        note(style('dim', `  ${String(entry['relation'])} is in no contract and is left alone`))
      } else if (entry.event === 'feed_unreachable') {
        noteOnce(`${String(entry['table'])} ${String(entry['code'])}`, [
          style('yellow', `  ${String(entry['reason'])}; what is known already is used`),
        ])
      } else if (entry.event === 'reader_unbounded') {
        const what = `  The warehouse's reader: ${String(entry['what'])}.`
        note(style('yellow', `${what} An administrator can change that: ${String(entry['fix'])}`))
      } else if (entry.event === 'table_verified') {
        progress(`comparing ${String(entry['table'])} (${String(entry['where'])})`)
      }
    },
    print(text) {
      if (isJson) return
      clear()
      stdout.write(`${options.isColored ? text : stripVTControlCharacters(text)}\n`)
    },
    fail(error) {
      clear()
      const known = error instanceof TidemarkError ? error : explainSystemError(error)
      const message = known?.message ?? (error instanceof Error ? error.message : String(error))
      const code = known?.code ?? 'UNEXPECTED'
      emit({ event: 'failed', code, message, hint: known?.hint })
      if (isJson) return
      stderr.write(`${style('red', '✕')} ${message}   ${style('dim', code)}\n`)
      if (known?.hint !== undefined) stderr.write(`  Next: ${known.hint}\n`)
      if (known === undefined && error instanceof Error) {
        stderr.write(
          `${style('dim', error.stack ?? '')}\n  This is a bug in Tidemark; nothing was half-published.\n`,
        )
      }
    },
  }
}

/** An error from the operating system: a fault of this machine, not a bug. Undefined for others. */
function explainSystemError(error: unknown): TidemarkError | undefined {
  const { errno, syscall, message } = error as NodeJS.ErrnoException
  if (typeof errno !== 'number' || syscall === undefined) return undefined
  return new ConfigError(`This machine refused to ${syscall}: ${message}`, {
    code: 'SYSTEM',
    hint: 'check that the disk has space, and that this user may use the files named; then run again',
    cause: error,
  })
}

function describeAlert(entry: LogEntry): string {
  const table = String(entry['table'])
  const rows = formatNumber(Number(entry['rows']), 'row')
  switch (entry.event) {
    case 'deletes_held':
      return (
        `${table}: ${formatCount(Number(entry['deletes']))} of ${rows} are gone from the source; ` +
        `the deletions are held back. If that is right: tidemark run --confirm-deletes ${table}`
      )
    case 'rows_quarantined':
      return (
        `${table}: ${rows} of batch ${String(entry['batch'])} went to quarantine ` +
        `(${String(entry['reasons'])}). See them: tidemark quarantine list`
      )
    case 'table_held':
      return (
        `${table} is held back: ${String(entry['detail'])}. All other tables go on; once that ` +
        'is fixed, the next run brings everything that happened meanwhile.'
      )
    case 'warehouse_restored':
      return (
        `the warehouse had lost ${String(entry['relations'])}: they were made again from the rest. ` +
        'Compare them: tidemark verify'
      )
    default:
      return entry.event
  }
}

/** `✓ what                     0.6 s   more`, aligned. */
export function stepLine(
  output: Output,
  { what, durationMs, more = '' }: { what: string; durationMs?: number; more?: string },
): string {
  const took = durationMs === undefined ? '' : formatDuration(durationMs)
  return `  ${output.style('green', '✓')} ${what.padEnd(48)} ${took.padStart(7)}   ${more}`.trimEnd()
}
