import { describe, expect, it } from 'vitest'
import type { Answer } from '../../../platform/presentation/answer.ts'
import { salesByCurrency, salesInOneCurrency } from '../../../totesys/presentation/panels/sales.ts'
import { renderCards, renderConversion } from './cards.ts'

/** An answer of one row. Columns that are not given are null. */
function answerOf(columns: readonly string[], row: Readonly<Record<string, string>>): Answer {
  return {
    columns: columns.map((name) => ({ name, kind: 'text' })),
    rows: [columns.map((name) => row[name] ?? null)],
    isTruncated: false,
  } as unknown as Answer
}

/** The text that people read, with single blanks. */
function textOf(markup: unknown): string {
  return String(markup)
    .replaceAll(/<[^>]*>/g, ' ')
    .replaceAll(/\s+/g, ' ')
}

const labels = (column: string): string => column
const SINCE = { data_since: '2026-05-29' }

describe('renderCards()', () => {
  const columns = 'currency_code orders units amount amount_before data_since'.split(' ')
  const render = (row: Record<string, string>, hasFirstDay: boolean, against?: string): string => {
    const known = { currency_code: 'GBP', orders: '1', units: '2', amount: '30.00', ...row }
    const answer = answerOf(columns, known)
    return textOf(renderCards(salesByCurrency.chart, answer, { labels, hasFirstDay, against }))
  }

  it('says with which period it compares if the page chooses another, or none', () => {
    const row = { ...SINCE, amount_before: '20.00' }
    const lastYear = 'the same period last year'
    expect(render(row, true, lastYear)).toContain(`+50 % against ${lastYear}, 20.00`)
    expect(render(SINCE, true, lastYear)).toContain('no comparison: the data begin on 29 May 2026')
    expect(render(SINCE, true, '')).not.toMatch(/comparison|against|earlier/)
    expect(render(SINCE, false, '')).not.toMatch(/comparison|against|earlier/)
  })

  it('says from when the data are if they do not cover the period before', () => {
    const text = render(SINCE, true)
    expect(text).toContain('no comparison: the data begin on 29 May 2026')
    expect(text).not.toContain('no earlier period')
  })

  it('says that there is no earlier period if the period has no first day', () => {
    expect(render(SINCE, false)).toContain('no earlier period to compare with')
  })

  it('compares with a period that the data cover', () => {
    const text = render({ ...SINCE, amount_before: '20.00' }, true)
    expect(text).toContain('+50 % against the period before, 20.00')
    expect(text).not.toContain('the data begin')
  })
})

describe('renderConversion()', () => {
  const columns = [
    'in_currency currency_code orders orders_unconverted amount orders_before',
    'orders_unconverted_before amount_before rate rate_date is_filled days_old source data_since',
  ].flatMap((names) => names.split(' '))
  const render = (row: Record<string, string>, hasFirstDay = true, against?: string): string => {
    const known = { in_currency: 'GBP', currency_code: 'USD', amount: '30.00', ...SINCE, ...row }
    const answer = answerOf(columns, known)
    const options = { labels, hasFirstDay, against }
    return textOf(renderConversion(salesInOneCurrency.chart, answer, options))
  }

  it('says with which period it compares if the page chooses another, or none', () => {
    const row = { amount_before: '20.00', orders_unconverted_before: '3' }
    const text = render(row, true, 'the same period last year')
    expect(text).toContain('against the same period last year, 20.00')
    expect(text).toContain('3 orders of the same period last year not converted')
    expect(render({}, true, '')).not.toMatch(/comparison|against|earlier/)
  })

  it('says from when the data are if they do not cover the period before', () => {
    expect(render({})).toContain('no comparison: the data begin on 29 May 2026')
    expect(render({}, false)).toContain('no earlier period to compare with')
  })

  it('does not blame the data for a period before without a rate', () => {
    const text = render({ orders_before: '3', orders_unconverted_before: '3' })
    expect(text).toContain('no comparison: no rate for the period before')
    expect(text).toContain('3 orders of the period before not converted: no rate')
    expect(text).not.toContain('the data begin')
  })
})
