import { html } from 'hono/html'
import type { Answer } from '../../../platform/presentation/answer.ts'
import type { Question } from '../../../platform/presentation/question.ts'
import { type TimeStep, TIME_STEPS } from '../../../platform/project/chart.ts'
import type { Page } from '../../../platform/project/dashboard.ts'
import { formatNumber } from '../../format.ts'
import { tableOf } from '../charts/answer-table.ts'
import { everyStep } from '../charts/every-step.ts'
import type { DrawnChart } from '../charts/plot-of-answer.ts'
import type { Markup } from '../markup.ts'
import { linkTo, type Selection } from './selection.ts'

/** The filter that names the step of time of a chart. */
const BY = 'by'

/** The most steps that a line shows, and that bars show: four years of days, ten years of weeks. */
const MAX_STEPS = { lines: 1500, bars: 530 } as const

/** The page that a chart is drawn for. */
interface StepContext {
  readonly question: Pick<Question, 'filters'>
  readonly selection: Selection
  readonly page: Page
}

/** The step that the filter names, if the question knows that filter. */
export function stepAsked(
  question: Pick<Question, 'filters'>,
  { filters }: Selection,
): TimeStep | undefined {
  const step = TIME_STEPS.find((each) => each === filters[BY])
  return question.filters.includes(BY) ? step : undefined
}

/** The chart with the step that the filter names, if its question knows that filter. */
export function withStep(chart: DrawnChart, { question, selection }: StepContext): DrawnChart {
  const step = stepAsked(question, selection)
  return step !== undefined && 'step' in chart ? { ...chart, step } : chart
}

function stepOf(chart: DrawnChart): TimeStep | undefined {
  return 'step' in chart ? chart.step : undefined
}

/**
 * Whether a chart has more steps than can be told apart, or lacks some because its answer was cut
 * off. Throws what `AnswerTable` throws.
 */
export function isCrowded(chart: DrawnChart, answer: Answer): boolean {
  const steps = countSteps(chart, answer)
  const isCut = answer.isTruncated && !('limit' in chart && chart.limit !== undefined)
  return steps > MAX_STEPS[chart.kind === 'lines' ? 'lines' : 'bars'] || (steps > 0 && isCut)
}

/** The number of steps that a chart draws from an answer, 0 for a chart without any. */
function countSteps(chart: DrawnChart, answer: Answer): number {
  const step = stepOf(chart)
  if (step === undefined) return 0
  const column = 'x' in chart ? chart.x : chart.kind === 'diverging' ? chart.label : undefined
  if (column === undefined) return 0
  const { rows, text } = tableOf(answer)
  const starts = [...new Set(rows.map((row) => text(row, column)))]
  return chart.kind === 'stacked' ? everyStep(starts, step).length : starts.length
}

/** Says that there are too many steps to draw, with a link for each longer one. */
export function renderCrowded(
  chart: DrawnChart,
  { question, selection, page, answer }: StepContext & { readonly answer: Answer },
): Markup {
  const step = stepOf(chart) ?? 'day'
  const longer = question.filters.includes(BY) ? TIME_STEPS.slice(TIME_STEPS.indexOf(step) + 1) : []
  const count = formatNumber(countSteps(chart, answer), step)
  return html`<p class="empty">
    ${answer.isTruncated ? 'More than ' : ''}${count} are too many to draw. The CSV has them all.
    ${longer.map(
      (each) =>
        html` <a href="${linkTo(page.path, selection.params, { [BY]: each })}">Draw by ${each}</a>`,
    )}
  </p>`
}
