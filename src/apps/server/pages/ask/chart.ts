import { html } from 'hono/html'
import type { AskedRows } from '../../../../platform/presentation/ask.ts'
import type { ResultColumn, Row } from '../../../../platform/presentation/cursor.ts'
import type { SavedChart } from '../../../../platform/presentation/saved-questions.ts'
import { formatDecimal, roundNumber } from '../../../format.ts'
import type { Plot } from '../../charts/plot-of-answer.ts'
import { rowsHeightPx, STANDING_PX } from '../../charts/plot.ts'
import type { Markup } from '../../markup.ts'
import { isQuantity } from '../answer-rows.ts'
import { renderPlots } from '../plots.ts'

type Rows = Pick<AskedRows, 'columns' | 'rows'>
type Form = 'figures' | 'bars' | 'lines'

/** The most plots of an answer, and the most rows in each. */
const MAX_PLOTS = 6
const MAX_ROWS = { bars: 50, lines: 400 } as const
/** The most figures of an answer with one row. */
const MAX_FIGURES = 8

/** Draws an answer as chosen, or says what it would need. Draws nothing for a table alone. */
export function renderChart(answer: Rows, choice: SavedChart): Markup {
  if (choice === 'none') return html``
  const form = choice === 'auto' ? formOf(answer) : choice
  if (form === undefined) return html``
  if (form === 'figures') return renderFigures(answer)
  const plots = plotsOfRows(answer, form)
  if (plots.length > 0) return renderPlots(plots)
  return html`<p class="note">
    No chart: it needs a column of texts or days, and a column of numbers that are not ids.
  </p>`
}

/** Whether an answer is drawn if this is chosen. */
export function isDrawn(answer: Rows, choice: SavedChart): boolean {
  if (choice === 'auto') return formOf(answer) !== undefined
  return choice !== 'none' && plotsOfRows(answer, choice).length > 0
}

/**
 * The form that shows an answer best: one row of numbers as figures, numbers over time as lines,
 * numbers by name as bars. Undefined if it is read best as a table: it has no numbers, too many rows
 * for bars, or several rows of one name.
 */
export function formOf({ columns, rows }: Rows): Form | undefined {
  const quantities = placesOf(columns, ({ name, kind }) => isQuantity(name, kind))
  const times = placesOf(columns, ({ kind }) => kind === 'date' || kind === 'moment')
  const names = placesOf(columns, ({ kind }) => kind === 'text')
  if (quantities.length === 0 || rows.length === 0) return undefined
  if (rows.length === 1 && quantities.length === columns.length) {
    return columns.length <= MAX_FIGURES ? 'figures' : undefined
  }
  if (rows.length === 1) return undefined
  const [time] = times
  if (time !== undefined) {
    const series = seriesOf(rows, { label: time, names })
    return series === undefined || series.size > MAX_PLOTS ? undefined : 'lines'
  }
  const [name] = names
  const isKey = name !== undefined && new Set(rows.map((row) => row[name])).size === rows.length
  return isKey && rows.length <= MAX_ROWS.bars ? 'bars' : undefined
}

function placesOf(
  columns: readonly ResultColumn[],
  isWanted: (column: ResultColumn) => boolean,
): number[] {
  return columns.flatMap((column, place) => (isWanted(column) ? [place] : []))
}

/** Rows by the value of one column of names, or all in one group without a name. */
type Series = ReadonlyMap<string, readonly Row[]>

/**
 * Divides rows so that each label comes once in each group: not at all if it does already, otherwise
 * by the first column of names that makes it so. Undefined if none does.
 */
function seriesOf(
  rows: readonly Row[],
  { label, names }: { label: number; names: readonly number[] },
): Series | undefined {
  const others: readonly (number | undefined)[] = [undefined, ...names]
  return others
    .map((place) => groupRows(rows, place))
    .find((groups) =>
      [...groups.values()].every(
        (own) => new Set(own.map((row) => row[label])).size === own.length,
      ),
    )
}

function groupRows(rows: readonly Row[], place: number | undefined): Series {
  const groups = new Map<string, Row[]>()
  for (const row of rows) {
    const key = place === undefined ? '' : (row[place] ?? '∅')
    const own = groups.get(key)
    if (own === undefined) groups.set(key, [row])
    else own.push(row)
  }
  return groups
}

/** Each number of one row, with its name above it. */
function renderFigures({ columns, rows }: Rows): Markup {
  return html`<ul class="cards">
    ${columns.map(({ name }, place) => {
      const value = rows[0]?.[place]
      return html`<li class="card">
        <p class="card-name">${name}</p>
        <p class="figure">${value === null || value === undefined ? '∅' : formatDecimal(value)}</p>
      </li>`
    })}
  </ul>`
}

/**
 * Plots an answer whose columns are not known beforehand: its first column of days or moments, else of
 * texts, against each column of numbers that is not an id. Lines are divided by a column of names if
 * that keeps their days apart, and are dashed where a column `is_complete` says no. Each plot has its
 * own axes, because the units are not known. Returns no plots without such columns or rows.
 */
export function plotsOfRows({ columns, rows }: Rows, kind: 'bars' | 'lines'): readonly Plot[] {
  const times = placesOf(columns, (column) => column.kind === 'date' || column.kind === 'moment')
  const names = placesOf(columns, (column) => column.kind === 'text')
  const label = kind === 'lines' ? (times[0] ?? names[0]) : (names[0] ?? times[0])
  if (label === undefined) return []
  const series = kind === 'lines' ? seriesOf(rows, { label, names }) : undefined
  const complete = columns.findIndex((column) => column.name === 'is_complete')
  const groups: Series = series ?? new Map([['', rows]])
  const plots = placesOf(columns, ({ name, kind: type }) => isQuantity(name, type)).flatMap(
    (place) => {
      const column = columns[place]?.name ?? ''
      return [...groups].flatMap(([group, own]): Plot[] => {
        const points = pointsOf(own, { label, place, complete, isTime: times.includes(label) })
        const name = group === '' ? column : `${group} · ${column}`
        return points.length === 0 ? [] : [plotPoints(points, { name, kind })]
      })
    },
  )
  return plots.slice(0, MAX_PLOTS)
}

interface Point {
  readonly label: string
  readonly value: number
  readonly isComplete: boolean
}

/** The points of a column of numbers, times in their order. */
function pointsOf(
  rows: readonly Row[],
  {
    label,
    place,
    complete,
    isTime,
  }: { label: number; place: number; complete: number; isTime: boolean },
): readonly Point[] {
  const points = rows.flatMap((row): Point[] => {
    const value = Number(row[place] ?? Number.NaN)
    if (!Number.isFinite(value)) return []
    return [{ label: row[label] ?? '∅', value, isComplete: row[complete] !== 'f' }]
  })
  return isTime ? points.toSorted((a, b) => (a.label < b.label ? -1 : 1)) : points
}

function plotPoints(
  points: readonly Point[],
  { name, kind }: { name: string; kind: 'bars' | 'lines' },
): Plot {
  const shown = points.slice(0, MAX_ROWS[kind])
  const labels = shown.map((point) => point.label)
  const values = shown.map((point) => point.value)
  const most = shown.reduce((best, point) => (point.value > best.value ? point : best))
  const described = {
    name,
    color: '--accent',
    aside: shown.length < points.length ? `first ${shown.length} of ${points.length}` : '',
    sentence: `${name} of ${shown.length} rows; the most is ${roundNumber(most.value)} at ${most.label}.`,
  }
  return kind === 'bars'
    ? {
        ...described,
        kind,
        labels,
        series: [{ name, values }],
        heightPx: rowsHeightPx(shown.length),
      }
    : {
        ...described,
        kind,
        labels,
        values,
        complete: shown.map((point) => point.isComplete),
        isRate: false,
        heightPx: STANDING_PX,
      }
}
