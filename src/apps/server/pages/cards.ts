import { html } from 'hono/html'
import type { Answer } from '../../../platform/presentation/answer.ts'
import type { CardsChart, ConversionChart } from '../../../platform/project/chart.ts'
import { formatDecimal } from '../../format.ts'
import type { Markup } from '../markup.ts'
import { type CardsOptions, cardsOf, conversionOf, type Delta } from './card-figures.ts'

/** Renders a card for each value of `by`, in alphabetical order. */
export function renderCards(chart: CardsChart, answer: Answer, options: CardsOptions): Markup {
  return html`<ul class="cards">
    ${cardsOf(chart, answer, options).map(
      ({ name, href, says, value, delta, count, more }) =>
        html`<li class="card" style="--card: var(--currency-${name.toLowerCase()}, var(--accent))">
          <p class="card-name">
            ${href === undefined ? name : html`<a href="${href}">${name}</a>`}${says === undefined ? '' : html` <span>${says}</span>`}
          </p>
          ${renderAmount(value)} ${delta === undefined ? '' : renderDelta(delta)}
          ${count === undefined ? '' : html`<p class="card-more">${count}</p>`}
          ${more.map((line) => html`<p class="card-more">${line}</p>`)}
        </li>`,
    )}
  </ul>`
}

/**
 * Renders one card of amounts in one currency. Amounts without a rate are left out and counted
 * beneath. If there is no amount with a rate, the card shows a dash.
 */
export function renderConversion(
  chart: ConversionChart,
  answer: Answer,
  options: CardsOptions,
): Markup {
  const { into, value, delta, more, missing, rates } = conversionOf(chart, answer, options)
  return html`<ul class="cards">
    <li class="card" style="--card: var(--currency-${into.toLowerCase()}, var(--accent))">
      <p class="card-name">
        All in ${into}${chart.says === undefined ? '' : html` <span>${chart.says}</span>`}
      </p>
      ${
        value === ''
          ? html`<p class="figure">–</p>`
          : html`${renderAmount(value)} ${delta === undefined ? '' : renderDelta(delta)}`
      }
      ${more.map((line) => html`<p class="card-more">${line}</p>`)}
      ${missing.map(
        (line) => html`<p class="card-more"><span class="tag warn">left out</span> ${line}</p>`,
      )}
      ${
        rates.length === 0
          ? ''
          : html`<p class="card-more">At each day’s rate. The newest:</p>
              <ul class="rates">
                ${rates.map(
                  ({ pair, from }) => html`<li class="card-more"><b>${pair}</b> ${from}</li>`,
                )}
              </ul>`
      }
    </li>
  </ul>`
}

function renderAmount(value: string): Markup {
  const [whole = '', cents] = formatDecimal(value).split('.')
  return html`<p class="figure">
    ${whole}${cents === undefined ? '' : html`<small>.${cents}</small>`}
  </p>`
}

function renderDelta({ mark, change, says, tone }: Delta): Markup {
  if (mark === '') return html`<p class="delta">${says}</p>`
  if (change === '') return html`<p class="delta"><b>${mark}</b> ${says}</p>`
  return html`<p class="delta ${tone}">
    <b><span aria-hidden="true">${mark}</span> ${change}</b> ${says}
  </p>`
}
