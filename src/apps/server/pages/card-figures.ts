import type { Answer } from '../../../platform/presentation/answer.ts'
import { addDecimals } from '../../../platform/presentation/decimal.ts'
import type { Row } from '../../../platform/presentation/cursor.ts'
import type { CardsChart, ConversionChart } from '../../../platform/project/chart.ts'
import { formatCount, formatDay, formatDecimal, formatRatio } from '../../format.ts'
import { type AnswerTable, tableOf } from '../charts/answer-table.ts'

/** What cards say beside the answer. */
export interface CardsOptions {
  /** What people call a column. */
  readonly labels: (column: string) => string
  /** Whether the period has a first day. Without one there is no period before. */
  readonly hasFirstDay: boolean
  /** What the page compares with, instead of what the chart says. Empty if it compares nothing. */
  readonly against?: string | undefined
  /** The address that a card of these rows leads to. Undefined if it leads nowhere. */
  readonly leadOf?: ((rows: readonly Row[]) => string) | undefined
}

/** A value of an answer with what is said about it, in words. */
export interface Card {
  /** Whose value it is. */
  readonly name: string
  /** The address of the rows behind it. */
  readonly href: string | undefined
  readonly says: string | undefined
  /** A decimal number. */
  readonly value: string
  /** Undefined for a card that is compared with nothing. */
  readonly delta: Delta | undefined
  /** How many rows were added up, if the card adds. */
  readonly count: string | undefined
  /** Lines below the value. */
  readonly more: readonly string[]
}

/** How a value compares with an earlier one. */
export interface Delta {
  /** `▲`, `▼` or `=`; empty if there is no comparison. */
  readonly mark: string
  /** The change as a percentage, or `new`. Empty if there is none. */
  readonly change: string
  /** What it is compared with, or why it is not. */
  readonly says: string
  readonly tone: 'up' | 'down' | ''
}

/** A card for each value of `by`, in alphabetical order. */
export function cardsOf(
  chart: CardsChart,
  answer: Answer,
  { labels, hasFirstDay, leadOf, against = chart.against }: CardsOptions,
): Card[] {
  const table = tableOf(answer)
  const names = [...new Set(answer.rows.map((row) => table.text(row, chart.by)))].toSorted()
  return names.map((name) => {
    const rows = answer.rows.filter((row) => table.text(row, chart.by) === name)
    const [row = []] = rows
    const add = (column: string): string =>
      addDecimals(rows.map((each) => table.text(each, column) || '0'))
    const value = chart.sum === true ? add(chart.value) : table.text(row, chart.value)
    const since = hasFirstDay && chart.since !== undefined ? table.text(row, chart.since) : ''
    return {
      name,
      href: leadOf?.(rows),
      says: chart.says,
      value,
      delta:
        chart.before === undefined || against === ''
          ? undefined
          : deltaOf({ ...chart, against }, value, { before: table.text(row, chart.before), since }),
      count: chart.sum === true ? `${formatCount(rows.length)} in all` : undefined,
      more: (chart.more ?? []).map(
        (column) => `${labels(column)} ${formatDecimal(table.text(row, column))}`,
      ),
    }
  })
}

/** Amounts that were converted into one currency and added. */
export interface Conversion {
  readonly into: string
  /** A decimal number; empty if there is no amount with a rate. */
  readonly value: string
  /** Undefined if the page compares nothing. */
  readonly delta: Delta | undefined
  readonly more: readonly string[]
  /** What is left out, because there is no rate. */
  readonly missing: readonly string[]
  readonly rates: readonly { readonly pair: string; readonly from: string }[]
}

/** The sum of all rows of a conversion, with the newest rate from each currency. */
export function conversionOf(
  chart: ConversionChart,
  { columns, rows }: Answer,
  { labels, hasFirstDay, against = chart.against }: CardsOptions,
): Conversion {
  const table = tableOf({ columns, rows })
  const [row = []] = rows
  const into = table.text(row, chart.into)
  const add = (column: string): string => {
    const found = rows.map((each) => table.text(each, column)).filter((text) => text !== '')
    return found.length === 0 ? '' : addDecimals(found)
  }
  const value = add(chart.value)
  const rates = rows.filter(
    (each) => table.text(each, chart.rate) !== '' && table.text(each, chart.currency) !== into,
  )
  const unconvertedBefore = add(chart.unconvertedBefore)
  const missing = [
    { count: add(chart.unconverted), when: '' },
    { count: unconvertedBefore, when: ` of ${against}` },
  ].filter(({ count }) => count !== '' && count !== '0')
  return {
    into,
    value,
    delta:
      against === ''
        ? undefined
        : deltaOf({ ...chart, against }, value, {
            before: add(chart.before),
            since: hasFirstDay && chart.since !== undefined ? table.text(row, chart.since) : '',
            isWithoutRate: unconvertedBefore !== '',
          }),
    more: (chart.more ?? []).map(
      (column) => `${labels(column)} ${formatDecimal(add(column)) || '–'}`,
    ),
    missing: missing.map(({ count, when }) => {
      const things = count === '1' ? chart.things.replace(/s$/, '') : chart.things
      return `${formatDecimal(count)} ${things}${when} not converted: no rate`
    }),
    rates: rates.map((each) => rateOf(chart, table, each)),
  }
}

/** A rate as `USD→GBP 0.7912`, from `from 19 Nov 2026 (last known, 2 days old) · source ECB`. */
function rateOf(
  chart: ConversionChart,
  { text }: AnswerTable,
  row: Row,
): Conversion['rates'][number] {
  const days = text(row, chart.daysOld)
  const age = `${days} ${days === '1' ? 'day' : 'days'} old`
  const rate = text(row, chart.rate).replace(/\.?0+$/, '')
  const filled = text(row, chart.isFilled) === 't' ? ` (last known, ${age})` : ''
  return {
    pair: `${text(row, chart.currency)}→${text(row, chart.into)} ${rate}`,
    from: `from ${formatDay(text(row, chart.rateDate))}${filled} · source ${text(row, chart.source)}`,
  }
}

interface Compared {
  readonly against?: string | undefined
  readonly moreIsBetter?: boolean
}

/** What a value is compared with. */
interface Earlier {
  /** The earlier value, empty if it is unknown. */
  readonly before: string
  /** The first day of the data, empty if no earlier period was asked for. */
  readonly since: string
  /** Whether an unknown value is unknown only because no amount has a rate. */
  readonly isWithoutRate?: boolean
}

function deltaOf(
  { against, moreIsBetter = false }: Compared,
  value: string,
  { before, since, isWithoutRate = false }: Earlier,
): Delta {
  if (before === '') {
    const says = isWithoutRate
      ? `no comparison: no rate for ${against}`
      : since === ''
        ? 'no earlier period to compare with'
        : `no comparison: the data begin on ${formatDay(since)}`
    return { mark: '', change: '', says, tone: '' }
  }
  const was = Number(before)
  const change = Number(value) - was
  if (change === 0) return { mark: '=', change: '', says: `same as ${against}`, tone: '' }
  const ratio = was === 0 ? '' : formatRatio(change / was)
  return {
    mark: change > 0 ? '▲' : '▼',
    change: ratio === '' ? 'new' : ratio,
    says: `against ${against}, ${formatDecimal(before)}`,
    tone: moreIsBetter ? (change > 0 ? 'up' : 'down') : '',
  }
}
