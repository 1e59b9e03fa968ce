/** How pages write values from the warehouse. Only the functions named `round…` round. */

const MONTHS = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ')

/** An ISO day as `19 Nov 2026`. Any other text stays as it is. */
export function formatDay(text: string): string {
  const [, year = '', month = '', day = ''] = /^(\d{4})-(\d\d)-(\d\d)$/.exec(text) ?? []
  const name = MONTHS[Number(month) - 1]
  return name === undefined ? text : `${Number(day)} ${name} ${year}`
}

/** A week's Monday as `3 Aug`, or a month as `Aug 26`. */
export function formatShortDay(day: string, step: 'week' | 'month'): string {
  const [year = '', month = '', date = ''] = day.split('-')
  const name = MONTHS[Number(month) - 1] ?? month
  return step === 'week' ? `${Number(date)} ${name}` : `${name} ${year.slice(2)}`
}

/** A decimal number as `1,234,567.80`: groups the digits and keeps every one of them. */
export function formatDecimal(text: string): string {
  const { sign, whole, rest } = /^(?<sign>-?)(?<whole>\d+)(?<rest>\.\d+)?$/.exec(text)?.groups ?? {}
  if (whole === undefined) return text
  return `${sign === '-' ? '−' : ''}${whole.replace(/\B(?=(\d{3})+$)/g, ',')}${rest ?? ''}`
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

/** A rate as `0.79123`, rounded to five significant digits. */
export function roundRate(value: number): string {
  return value.toLocaleString('en-GB', { maximumSignificantDigits: 5 })
}

/** A ratio as a signed percentage: 0.123 as `+12 %`, 0.0123 as `+1.2 %`. */
export function formatRatio(ratio: number): string {
  const percent = Math.abs(ratio * 100)
  const sign = ratio > 0 ? '+' : ratio < 0 ? '−' : ''
  return `${sign}${percent.toLocaleString('en-GB', { maximumFractionDigits: percent < 10 ? 1 : 0 })} %`
}
