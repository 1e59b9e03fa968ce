import { html } from 'hono/html'
import type {
  ChangeCounts,
  ChangeStep,
  ChangesOverTime,
} from '../../../../platform/presentation/changes-over-time.ts'
import { formatCount, formatDuration, formatMomentUtc, formatNumber } from '../../../format.ts'
import type { Markup } from '../../markup.ts'
import { renderTable } from '../operations/table.ts'

const KINDS = [
  { name: 'inserted', word: 'inserted' },
  { name: 'updated', word: 'updated' },
  { name: 'deleted', word: 'deleted' },
] as const satisfies readonly { name: keyof ChangeCounts; word: string }[]

const HEIGHT = 60
/** Room for the two moments below the bars, in rem. */
const MIN_WIDTH = 24

/** What changed when, as a small chart of bars with a legend, and the same as a table. */
export function renderChanges(changes: ChangesOverTime | undefined, about: string): Markup {
  const steps = changes?.steps ?? []
  const sums = KINDS.map(({ name }) => steps.reduce((sum, step) => sum + step[name], 0))
  const isEmpty = sums.every((sum) => sum === 0)
  return html`<section class="panel wide" aria-labelledby="h-changes">
    <h2 id="h-changes">What changed when</h2>
    ${
      changes === undefined || isEmpty
        ? html`<p class="empty">
            Nothing has changed since the first batch. A bar appears here with the first change.
          </p>`
        : html`${renderBars(changes, about)} ${renderLegend(sums)} ${renderSteps(changes)}`
    }
  </section>`
}

function renderBars({ steps, stepMs, batches }: ChangesOverTime, about: string): Markup {
  const totals = steps.map((step) => totalOf(step))
  const top = Math.max(...totals, 1)
  const most = steps[totals.indexOf(top)]
  // A few bars would be as wide as they are tall.
  const width = `max-width: ${Math.max(steps.length * 2, MIN_WIDTH)}rem`
  const sentence =
    `${about} in the last ${batches === 1 ? 'batch' : `${formatCount(batches)} batches`}, in steps of ` +
    `${formatStep(stepMs)}; the most, ${formatNumber(top, 'row')}, ` +
    `${most === undefined ? '' : `from ${sayMoment(most.at)}`}.`
  return html`<svg
      class="strip changes"
      viewBox="0 0 ${steps.length * 10} ${HEIGHT}"
      preserveAspectRatio="none"
      style="${width}"
      role="img"
      aria-label="${sentence}"
    >
      ${steps.map((step, index) => renderBar(step, { index, top }))}
    </svg>
    <p class="axis muted" aria-hidden="true" style="${width}">
      <span>${sayMoment(steps[0]?.at ?? 0)}</span>
      <span>${sayMoment((steps.at(-1)?.at ?? 0) + stepMs)}</span>
    </p>
    <p class="muted">${sentence}</p>`
}

function renderBar(step: ChangeStep, { index, top }: { index: number; top: number }): Markup {
  let base = HEIGHT
  return html`<g>
    <title>${sayMoment(step.at)}: ${sayCounts(step)}</title>
    ${KINDS.map(({ name }) => {
      if (step[name] === 0) return ''
      const height = Math.max(1.5, (step[name] / top) * (HEIGHT - 4))
      base -= height
      return html`<rect
        class="${name}"
        x="${index * 10 + 1}"
        y="${base.toFixed(1)}"
        width="8"
        height="${height.toFixed(1)}"
      ></rect>`
    })}
  </g>`
}

function renderLegend(sums: readonly number[]): Markup {
  return html`<ul class="legend">
    ${KINDS.map(
      ({ name, word }, index) =>
        html`<li>
          <span class="swatch ${name}" aria-hidden="true"></span> ${formatCount(sums[index] ?? 0)}
          ${word}
        </li>`,
    )}
  </ul>`
}

function renderSteps({ steps }: ChangesOverTime): Markup {
  return html`<details id="t-changes">
    <summary>Show as table</summary>
    ${renderTable({
      label: 'What changed when',
      header: ['From', 'Inserted', 'Updated', 'Deleted'],
      numeric: [1, 2, 3],
      rows: steps
        .filter((step) => totalOf(step) > 0)
        .toReversed()
        .map((step) => [sayMoment(step.at), ...KINDS.map(({ name }) => formatCount(step[name]))]),
    })}
  </details>`
}

function totalOf({ inserted, updated, deleted }: ChangeCounts): number {
  return inserted + updated + deleted
}

/** Counts in words, without those that are 0: `3 inserted, 1 deleted`. */
export function sayCounts(counts: ChangeCounts): string {
  const parts = KINDS.filter(({ name }) => counts[name] > 0).map(
    ({ name, word }) => `${formatCount(counts[name])} ${word}`,
  )
  return parts.length === 0 ? 'nothing' : parts.join(', ')
}

function sayMoment(at: number): string {
  return formatMomentUtc(new Date(at).toISOString())
}

/** A length of time without a fraction: `15 s`, `1 h`, `7 d`. */
function formatStep(stepMs: number): string {
  if (stepMs < 100_000) return `${stepMs / 1000} s`
  return formatDuration(stepMs).replace(/ 0 (min|h)$/, '')
}
