/** Texts for people from what Postgres prints. Nothing is rounded here unless its name says so. */

/** `2026-11-21 10:40 UTC` from a moment as Postgres or ISO 8601 writes it, seconds kept if given. */
export function formatMoment(text: string): string {
  const { day, time } =
    /^(?<day>\d{4,}-\d\d-\d\d)[ T](?<time>\d\d:\d\d(:\d\d)?)/.exec(text)?.groups ?? {}
  return day === undefined ? text : `${day} ${time} UTC`
}

const MONTHS = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ')

/** `19 Nov 2026` from a day as ISO 8601 writes it. */
export function formatDay(text: string): string {
  const [, year = '', month = '', day = ''] = /^(\d{4})-(\d\d)-(\d\d)$/.exec(text) ?? []
  const name = MONTHS[Number(month) - 1]
  return name === undefined ? text : `${Number(day)} ${name} ${year}`
}

/** `1,234,567.80`: the digits as they are, grouped. */
export function formatNumber(text: string): string {
  const { sign, whole, rest } = /^(?<sign>-?)(?<whole>\d+)(?<rest>\.\d+)?$/.exec(text)?.groups ?? {}
  if (whole === undefined) return text
  return `${sign === '-' ? '−' : ''}${whole.replace(/\B(?=(\d{3})+$)/g, ',')}${rest ?? ''}`
}

/** `1.23 m`: three figures or so, for a card or an axis. */
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

/** `0.79123`: five figures, for a rate. */
export function roundRate(value: number): string {
  return value.toLocaleString('en-GB', { maximumSignificantDigits: 5 })
}

/** `+12.3 %` from 0.123. */
export function formatRatio(ratio: number): string {
  const percent = Math.abs(ratio * 100)
  const sign = ratio > 0 ? '+' : ratio < 0 ? '−' : ''
  return `${sign}${percent.toLocaleString('en-GB', { maximumFractionDigits: percent < 10 ? 1 : 0 })} %`
}
