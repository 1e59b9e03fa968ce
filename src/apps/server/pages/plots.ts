import { html, raw } from 'hono/html'
import type { Plot } from '../charts/plot-of-answer.ts'
import type { Markup } from '../markup.ts'

/**
 * The places of a chart's plots, each with its sentence, and the plots as JSON for the script that
 * draws them. Without a script the sentences are shown instead. `title` begins each description.
 */
export function renderPlots(
  plots: readonly Plot[],
  { title = '' }: { title?: string } = {},
): Markup {
  const places = plots.length === 1 ? 'single' : plots.every(isStanding) ? 'standing' : ''
  return html`<div class="chart ${places}" data-plots>
    ${plots.map(
      ({ name, aside, sentence, heightPx, color }) =>
        html`<div class="plot">
          ${
            name === '' && aside === ''
              ? ''
              : html`<h3 style="--card: var(${color})">
                  <span>${name}</span> <small>${aside}</small>
                </h3>`
          }
          <div
            class="drawing"
            role="img"
            aria-label="${title === '' ? sentence : `${title} ${sentence}`}"
            data-sentence="${sentence}"
            style="height: ${heightPx}px"
          ></div>
        </div>`,
    )}
    <script type="application/json">
      ${raw(jsonOf(plots))}
    </script>
  </div>`
}

/** Whether a plot has no names to its left, so that it may be narrow. */
function isStanding(plot: Plot): boolean {
  return plot.kind === 'diverging'
    ? plot.complete !== undefined
    : plot.kind === 'lines' || plot.kind === 'waterfall'
}

/** JSON that cannot end the element around it. */
function jsonOf(value: unknown): string {
  return JSON.stringify(value)
    .replaceAll('<', '\\u003c')
    .replaceAll('\u2028', '\\u2028')
    .replaceAll('\u2029', '\\u2029')
}
