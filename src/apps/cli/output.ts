import { stripVTControlCharacters, styleText } from 'node:util'
import { ConfigError, TidemarkError } from '../../platform/errors.ts'
import { formatCount, formatDuration, formatNumber } from '../format.ts'
import { APP_EVENTS, type AppLog, type AppLogEntry } from '../log.ts'
import type { Result } from './results.ts'

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
  readonly log: AppLog
  readonly isJson: boolean
  style(style: Style, text: string): string
  /** A result for people; nothing with `--json`. */
  print(text: string): void
  /** A step that is done, for people; nothing with `--json` or `--quiet`. */
  note(text: string): void
  /** A result for machines; nothing without `--json`. */
  emit(result: Result): void
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
  const emit = (entry: Result | AppLogEntry) => {
    if (isJson) stdout.write(jsonLine(entry))
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
        progress(`reading ${entry.table}: ${formatCount(entry.rows)} rows`)
      } else if (entry.event === 'table_captured' && entry.read >= 100_000) {
        note(`  ✓ ${entry.table}: ${formatCount(entry.read)} rows read`)
      } else if (entry.event === 'table_compared_whole') {
        note(style('dim', `  ${entry.table} is compared whole: ${entry.why}`))
      } else if (entry.event === 'table_failed') {
        const { table, code, message, hint } = entry
        const why = message.replace(`Table ${table}: `, '')
        noteOnce(`${table} ${code}`, [
          style('yellow', `  ${table}: ${why}`),
          ...(hint === undefined ? [] : [`  Next: ${hint}`]),
        ])
      } else if (entry.event === 'table_released') {
        note(`  ✓ ${entry.table} is no longer held back`)
      } else if (entry.event === 'shape_changed') {
        note(style('dim', `  ${entry.table} has another shape: tidemark catalog`))
      } else if (entry.event === 'table_ignored') {
        note(style('dim', `  ${entry.relation} is in no contract and is left alone`))
      } else if (entry.event === 'feed_unreachable') {
        noteOnce(`${entry.table} ${entry.code}`, [
          style('yellow', `  ${entry.reason}; what is known already is used`),
        ])
      } else if (entry.event === 'reader_unbounded') {
        const what = `  The warehouse's reader: ${entry.what}.`
        note(style('yellow', `${what} An administrator can change that: ${entry.fix}`))
      } else if (entry.event === 'table_verified') {
        progress(`comparing ${entry.table} (${entry.where})`)
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

/** An entry as `--json` writes it: one line, with the moment it was written. */
export function jsonLine(entry: Result | AppLogEntry): string {
  return `${JSON.stringify({ at: new Date().toISOString(), ...entry })}\n`
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

function describeAlert(entry: AppLogEntry): string {
  if (entry.event === 'deletes_held') {
    const { table, deletes, rows } = entry
    return (
      `${table}: ${formatCount(deletes)} of ${formatNumber(rows, 'row')} are gone from the source; ` +
      `the deletions are held back. If that is right: tidemark run --confirm-deletes ${table}`
    )
  }
  if (entry.event === 'rows_quarantined') {
    const { table, rows, batch, reasons } = entry
    return (
      `${table}: ${formatNumber(rows, 'row')} of batch ${batch} went to quarantine ` +
      `(${reasons.join(',')}). See them: tidemark quarantine list`
    )
  }
  if (entry.event === 'table_held') {
    return (
      `${entry.table} is held back: ${entry.detail}. All other tables go on; once that ` +
      'is fixed, the next run brings everything that happened meanwhile.'
    )
  }
  if (entry.event === 'warehouse_restored') {
    return (
      `the warehouse had lost ${entry.relations.join(',')}: they were made again from the rest. ` +
      'Compare them: tidemark verify'
    )
  }
  return APP_EVENTS[entry.event].says
}

/** `✓ what                     0.6 s   more`, aligned. */
export function stepLine(
  output: Output,
  { what, durationMs, more = '' }: { what: string; durationMs?: number; more?: string },
): string {
  const took = durationMs === undefined ? '' : formatDuration(durationMs)
  return `  ${output.style('green', '✓')} ${what.padEnd(48)} ${took.padStart(7)}   ${more}`.trimEnd()
}
