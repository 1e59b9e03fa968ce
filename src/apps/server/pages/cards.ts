import { html } from 'hono/html'
import type { Answer } from '../../../platform/presentation/answer.ts'
import { addDecimals } from '../../../platform/presentation/decimal.ts'
import type { Row } from '../../../platform/presentation/cursor.ts'
import type { CardsChart, ConversionChart } from '../../../platform/project/dashboard.ts'
import { formatCount, formatDay, formatDecimal, formatRatio } from '../../format.ts'
import { type AnswerTable, tableOf } from '../charts/answer-table.ts'
import type { Markup } from '../markup.ts'

/** What people call a column. */
type Labels = (column: string) => string

/** What cards say beside the answer. */
export interface CardsOptions {
  readonly labels: Labels
  /** Whether the period has a first day. Without one there is no period before. */
  readonly hasFirstDay: boolean
  /** The address that a card of these rows leads to. Undefined if it leads nowhere. */
  readonly leadOf?: ((rows: readonly Row[]) => string) | undefined
}

/** Renders a card for each value of `by`, in alphabetical order. */
export function renderCards(
  chart: CardsChart,
  answer: Answer,
  { labels, hasFirstDay, leadOf }: CardsOptions,
): Markup {
  const table = tableOf(answer)
  const names = [...new Set(answer.rows.map((row) => table.text(row, chart.by)))].toSorted()
  return html`<ul class="cards">
    ${names.map((name) => {
      const rows = answer.rows.filter((row) => table.text(row, chart.by) === name)
      const [row = []] = rows
      const add = (column: string): string =>
        addDecimals(rows.map((each) => table.text(each, column) || '0'))
      const value = chart.sum === true ? add(chart.value) : table.text(row, chart.value)
      return html`<li
        class="card"
        style="--card: var(--currency-${name.toLowerCase()}, var(--accent))"
      >
        <p class="card-name">
          ${leadOf === undefined ? name : html`<a href="${leadOf(rows)}">${name}</a>`}${chart.says === undefined ? '' : html` <span>${chart.says}</span>`}
        </p>
        ${renderAmount(value)}
        ${
          chart.before === undefined
            ? ''
            : renderDelta(chart, value, {
                before: table.text(row, chart.before),
                since: hasFirstDay && chart.since !== undefined ? table.text(row, chart.since) : '',
              })
        }
        ${
          chart.sum === true
            ? html`<p class="card-more">${formatCount(rows.length)} in all</p>`
            : ''
        }
        ${(chart.more ?? []).map(
          (column) =>
            html`<p class="card-more">
              ${labels(column)} ${formatDecimal(table.text(row, column))}
            </p>`,
        )}
      </li>`
    })}
  </ul>`
}

/**
 * Renders one card of amounts in one currency. Amounts without a rate are left out and counted
 * beneath. If there is no amount with a rate, the card shows a dash.
 */
export function renderConversion(
  chart: ConversionChart,
  { columns, rows }: Answer,
  { labels, hasFirstDay }: CardsOptions,
): Markup {
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
  const earlier = {
    before: add(chart.before),
    since: hasFirstDay && chart.since !== undefined ? table.text(row, chart.since) : '',
    isWithoutRate: unconvertedBefore !== '',
  }
  const missing = [
    { count: add(chart.unconverted), when: '' },
    { count: unconvertedBefore, when: ` of ${chart.against}` },
  ].filter(({ count }) => count !== '' && count !== '0')
  return html`<ul class="cards">
    <li class="card" style="--card: var(--currency-${into.toLowerCase()}, var(--accent))">
      <p class="card-name">
        All in ${into}${chart.says === undefined ? '' : html` <span>${chart.says}</span>`}
      </p>
      ${
        value === ''
          ? html`<p class="figure">–</p>`
          : html`${renderAmount(value)} ${renderDelta(chart, value, earlier)}`
      }
      ${(chart.more ?? []).map(
        (column) =>
          html`<p class="card-more">${labels(column)} ${formatDecimal(add(column)) || '–'}</p>`,
      )}
      ${missing.map(({ count, when }) => {
        const things = count === '1' ? chart.things.replace(/s$/, '') : chart.things
        return html`<p class="card-more">
          <span class="tag warn">left out</span> ${formatDecimal(count)} ${things}${when} not
          converted: no rate
        </p>`
      })}
      ${
        rates.length === 0
          ? ''
          : html`<p class="card-more">At each day’s rate. The newest:</p>
              <ul class="rates">
                ${rates.map((each) => renderRate(chart, table, each))}
              </ul>`
      }
    </li>
  </ul>`
}

/** A rate as `USD→GBP 0.7912 from 19 Nov 2026 (last known, 2 days old) · source ECB`. */
function renderRate(chart: ConversionChart, { text }: AnswerTable, row: Row): Markup {
  const days = text(row, chart.daysOld)
  const age = `${days} ${days === '1' ? 'day' : 'days'} old`
  const rate = text(row, chart.rate).replace(/\.?0+$/, '')
  return html`<li class="card-more">
    <b>${text(row, chart.currency)}→${text(row, chart.into)} ${rate}</b> from
    ${formatDay(text(row, chart.rateDate))}
    ${text(row, chart.isFilled) === 't' ? html`(last known, ${age})` : ''} · source
    ${text(row, chart.source)}
  </li>`
}

function renderAmount(value: string): Markup {
  const [whole = '', cents] = formatDecimal(value).split('.')
  return html`<p class="figure">
    ${whole}${cents === undefined ? '' : html`<small>.${cents}</small>`}
  </p>`
}

interface Compared {
  readonly against?: string
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

function renderDelta(
  { against, moreIsBetter = false }: Compared,
  value: string,
  { before, since, isWithoutRate = false }: Earlier,
): Markup {
  if (before === '') {
    const why = isWithoutRate
      ? `no comparison: no rate for ${against}`
      : since === ''
        ? 'no earlier period to compare with'
        : `no comparison: the data begin on ${formatDay(since)}`
    return html`<p class="delta">${why}</p>`
  }
  const was = Number(before)
  const change = Number(value) - was
  if (change === 0) return html`<p class="delta"><b>=</b> same as ${against}</p>`
  const ratio = was === 0 ? '' : formatRatio(change / was)
  const mark = change > 0 ? '▲' : '▼'
  const tone = moreIsBetter ? (change > 0 ? 'up' : 'down') : ''
  return html`<p class="delta ${tone}">
    <b><span aria-hidden="true">${mark}</span> ${ratio === '' ? 'new' : ratio}</b> against
    ${against}, ${formatDecimal(before)}
  </p>`
}
