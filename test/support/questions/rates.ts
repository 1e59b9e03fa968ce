import type { TestRate } from '../rates.ts'

/**
 * Exchange rates on weekdays, with a gap of a week: dollars in pounds, directly and later than others; pounds in
 * euro; and in francs what euro and dollars cost, which crosses the two.
 */
export const RATES: readonly TestRate[] = Array.from({ length: 65 }, (_, n) => {
  const day = new Date(Date.UTC(2026, 7, 31 + n))
  return { day: day.toISOString().slice(0, 10), weekday: day.getUTCDay(), n }
}).flatMap(({ day, weekday, n }): TestRate[] => {
  const isGap = day >= '2026-10-19' && day <= '2026-10-26'
  if (weekday % 6 === 0 || isGap) return []
  const rate = (base: string, quote: string, tenThousandths: number, source: string): TestRate => {
    return { base, quote, day, rate: `${(tenThousandths / 10_000).toFixed(4)}13`, source }
  }
  return [
    ...(day < '2026-10-15' ? [] : [rate('USD', 'GBP', 7901 + n, 'a bank')]),
    rate('GBP', 'EUR', 11_502 + 3 * n, 'another bank'),
    rate('CHF', 'EUR', 10_411 + n, 'a third'),
    rate('CHF', 'USD', 11_207 + 2 * n, 'a third'),
  ]
})
