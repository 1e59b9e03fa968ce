/** How the command line and the pages write values. Only the functions named `round…` round. */

import type { TimeStep } from '../platform/project/chart.ts'

/** Before every third digit from the end, except the first digit. */
const THOUSANDS = /\B(?=(\d{3})+$)/g

/** A whole number with its thousands grouped: `12,345`. */
export function formatCount(count: number): string {
  // Not by its locale: the first number would cost 20 ms, a tenth of `tidemark status`.
  return String(count).replace(THOUSANDS, ',')
}

/** A number of things: `1 row`, `2 rows`. Pass the plural if it is not the noun with an s. */
export function formatNumber(count: number, noun: string, plural = `${noun}s`): string {
  return `${formatCount(count)} ${count === 1 ? noun : plural}`
}

const MAX_CELL_CHARS = 60

/** Cuts text that is longer than a cell of a list, or than `maxChars`, and ends it in `…`. */
export function shorten(text: string, maxChars = MAX_CELL_CHARS): string {
  return text.length <= maxChars ? text : `${text.slice(0, maxChars - 1)}…`
}

/** Milliseconds as people say them: `0.4 s`, `12 s`, `3 min`, `2 h 5 min`, `3 d 4 h`. */
export function formatDuration(durationMs: number): string {
  const seconds = Math.max(0, durationMs) / 1000
  if (seconds < 10) return `${seconds.toFixed(1)} s`
  if (seconds < 100) return `${Math.round(seconds)} s`
  const minutes = Math.round(seconds / 60)
  if (minutes < 120) return `${minutes} min`
  const hours = Math.floor(minutes / 60)
  if (hours < 48) return `${hours} h ${minutes % 60} min`
  return `${Math.floor(hours / 24)} d ${hours % 24} h`
}

/** Bytes as people say them: `812 B`, `4.2 kB`, `128 MB`. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  let [size, unit] = [bytes, 0]
  while (size >= 999.5 && unit < units.length - 1) [size, unit] = [size / 1000, unit + 1]
  return `${size < 10 && unit > 0 ? size.toFixed(1) : Math.round(size)} ${units[unit]}`
}

/**
 * A moment in UTC as `2026-11-20 10:41:05`, from what Postgres or ISO 8601 writes; the zone is said
 * elsewhere. Seconds are shown if they are given. Any other text stays unchanged.
 */
export function formatMoment(text: string): string {
  const { day, time } = momentParts(text)
  return day === undefined ? text : `${day} ${time}`
}

/** The same with its zone: `2026-11-20 10:41:05 UTC`. */
export function formatMomentUtc(text: string): string {
  const { day, time } = momentParts(text)
  return day === undefined ? text : `${day} ${time} UTC`
}

function momentParts(text: string): { day?: string; time?: string } {
  const parts = /^(?<day>\d{4,}-\d\d-\d\d)[ T](?<time>\d\d:\d\d(:\d\d)?)/.exec(text)
  return parts?.groups ?? {}
}

const MONTHS = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ')
const LONG_MONTHS =
  'January February March April May June July August September October November December'.split(' ')

/** An ISO day as `19 Nov 2026`. Any other text stays unchanged. */
export function formatDay(text: string): string {
  const [, year = '', month = '', day = ''] = /^(\d{4})-(\d\d)-(\d\d)$/.exec(text) ?? []
  const name = MONTHS[Number(month) - 1]
  return name === undefined ? text : `${Number(day)} ${name} ${year}`
}

/**
 * A step of time by its first day, for an axis: a day or a week as `3 Aug`, a month as
 * `Aug 2026`, a quarter as `Q3 2026`, a year as `2026`.
 */
export function formatShortDay(day: string, step: TimeStep): string {
  const [year = '', month = '', date = ''] = day.split('-')
  const name = MONTHS[Number(month) - 1] ?? month
  if (step === 'year') return year
  if (step === 'quarter') return `${quarterOf(month)} ${year}`
  return step === 'month' ? `${name} ${year}` : `${Number(date)} ${name}`
}

/**
 * A step of time by its first day, in a sentence: `on 3 Aug 2026`, `in the week of 2026-08-03`,
 * `in August 2026`, `in Q3 2026`, `in 2026`.
 */
export function formatStep(day: string, step: TimeStep): string {
  const [year = '', month = ''] = day.split('-')
  if (step === 'day') return `on ${formatDay(day)}`
  if (step === 'week') return `in the week of ${day}`
  if (step === 'month') return `in ${LONG_MONTHS[Number(month) - 1] ?? month} ${year}`
  return step === 'quarter' ? `in ${quarterOf(month)} ${year}` : `in ${year}`
}

function quarterOf(month: string): string {
  return `Q${Math.ceil(Number(month) / 3)}`
}

/** A decimal number as `1,234,567.80`: groups the digits and keeps every one of them. */
export function formatDecimal(text: string): string {
  const { sign, whole, rest } = /^(?<sign>-?)(?<whole>\d+)(?<rest>\.\d+)?$/.exec(text)?.groups ?? {}
  if (whole === undefined) return text
  return `${sign === '-' ? '−' : ''}${whole.replace(THOUSANDS, ',')}${rest ?? ''}`
}

/** A number as `1.23 m`, rounded to about three digits, for a card or an axis. */
export function roundNumber(value: number): string {
  const size = Math.abs(value)
  const sign = value < 0 ? '−' : ''
  const steps = [
    [1e9, ' bn'],
    [1e6, ' m'],
    [1e3, ' k'],
  ] as const
  for (const [unit, word] of steps) {
    if (size < unit * 0.9995) continue
    const scaled = size / unit
    return `${sign}${scaled.toFixed(scaled < 9.995 ? 2 : scaled < 99.95 ? 1 : 0)}${word}`
  }
  return `${sign}${size.toLocaleString('en-GB', { maximumFractionDigits: 2 })}`
}

/** Money as `1.23 m`; below a thousand with its cents: `17.10`. */
export function roundMoney(value: number): string {
  return Math.abs(value) < 999.5 ? value.toFixed(2).replace('-', '−') : roundNumber(value)
}

/** A rate as `0.79123`, rounded to five significant digits. */
export function roundRate(value: number): string {
  return value.toLocaleString('en-GB', { maximumSignificantDigits: 5 })
}

/** A share as a percentage: 0.1234 as `12.3 %`. Any other text stays unchanged. */
export function formatShare(text: string): string {
  const percent = Number(text) * 100
  if (text === '' || Number.isNaN(percent)) return text
  const digits = percent.toLocaleString('en-GB', { maximumFractionDigits: 1 })
  return `${digits.replace('-', '−')} %`
}

/** A ratio as a signed percentage: 0.123 as `+12 %`, 0.0123 as `+1.2 %`. */
export function formatRatio(ratio: number): string {
  const percent = Math.abs(ratio * 100)
  const sign = ratio > 0 ? '+' : ratio < 0 ? '−' : ''
  return `${sign}${percent.toLocaleString('en-GB', { maximumFractionDigits: percent < 10 ? 1 : 0 })} %`
}

/**
 * Milliseconds from `5s`, `2m`, `1h`, `500ms` or bare seconds. Undefined for any other text, for
 * zero and for more than a day.
 */
export function parseDuration(text: string): number | undefined {
  const found = /^(\d+(?:\.\d+)?)\s*(ms|s|m|min|h)?$/.exec(text.trim())
  if (found === null) return undefined
  const units: Record<string, number> = { ms: 1, s: 1000, m: 60_000, min: 60_000, h: 3_600_000 }
  const milliseconds = Number(found[1]) * (units[found[2] ?? 's'] ?? 1000)
  return milliseconds > 0 && milliseconds <= 86_400_000 ? milliseconds : undefined
}

/**
 * A header and rows as aligned columns of text. Columns that hold only numbers are aligned right.
 */
export function formatTable(
  header: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const all = [header, ...rows]
  const widths = header.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)))
  const isNumeric = header.map((_, column) =>
    rows.every((row) => /^[\d,.–−-]*( %)?$/.test(row[column] ?? '')),
  )
  return all
    .map((row) =>
      row
        .map((cell, column) =>
          isNumeric[column] === true
            ? cell.padStart(widths[column] ?? 0)
            : cell.padEnd(widths[column] ?? 0),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}
