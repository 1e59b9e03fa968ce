import type { AskedRows } from '../../../../platform/presentation/ask.ts'
import { roundNumber } from '../../../format.ts'
import type { Plot } from '../../charts/plot-of-answer.ts'
import { rowsHeightPx } from '../../charts/plot.ts'

/** The most columns of numbers that get a plot, and the most rows in each plot. */
const MAX_PLOTS = 4
const MAX_ROWS = { bars: 50, lines: 400 } as const

/**
 * Plots an answer whose columns are not known beforehand: its first column of texts or days against
 * each column of numbers that is not an id. Each plot has its own axes, because the units are not
 * known either. Returns no plots if the answer has no such column, or no row.
 */
export function plotsOfRows(
  { columns, rows }: Pick<AskedRows, 'columns' | 'rows'>,
  kind: 'bars' | 'lines',
): readonly Plot[] {
  const label = columns.findIndex((column) => /^(text|date|moment)$/.test(column.kind))
  const plots = columns.flatMap(({ name, kind: type }, place): Plot[] => {
    if (type !== 'number' || /(^|_)id$/.test(name) || label < 0) return []
    const points = rows.flatMap((row) => {
      const value = Number(row[place] ?? Number.NaN)
      return Number.isFinite(value) ? [{ label: row[label] ?? '∅', value }] : []
    })
    return points.length === 0 ? [] : [plotPoints(points, { name, kind })]
  })
  return plots.slice(0, MAX_PLOTS)
}

function plotPoints(
  points: readonly { readonly label: string; readonly value: number }[],
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
        complete: values.map(() => true),
        isRate: false,
        heightPx: 240,
      }
}
