import type { AskedRows } from '../../../../platform/presentation/ask.ts'
import type { Figure, Plot, Shape } from '../../figure.ts'
import { roundNumber } from '../format.ts'

/** Columns of numbers that get a drawing of their own, and rows each of them draws. */
const MAX_PLOTS = 4
const MAX_ROWS = { bars: 50, lines: 400 } as const

/**
 * What can be drawn of an answer nobody knows beforehand: the first column of texts or days against
 * each column of numbers, ids left out. Each has axes of its own: nobody knows their units either.
 * Undefined where there is no such column, or no row.
 */
export function chartOf(
  { columns, rows }: Pick<AskedRows, 'columns' | 'rows'>,
  kind: 'bars' | 'lines',
): Figure | undefined {
  const label = columns.findIndex((column) => /^(text|date|moment)$/.test(column.kind))
  const plots = columns.flatMap(({ name, kind: type }, place): Plot[] => {
    if (type !== 'number' || /(^|_)id$/.test(name) || label < 0) return []
    const points = rows.flatMap((row) => {
      const value = Number(row[place] ?? Number.NaN)
      return Number.isFinite(value) ? [{ label: row[label] ?? '∅', value }] : []
    })
    return points.length === 0 ? [] : [plotOf(points, { name, kind })]
  })
  return plots.length === 0 ? undefined : { plots: plots.slice(0, MAX_PLOTS) }
}

function plotOf(
  points: readonly { readonly label: string; readonly value: number }[],
  { name, kind }: { name: string; kind: 'bars' | 'lines' },
): Plot {
  const shown = points.slice(0, MAX_ROWS[kind])
  const labels = shown.map((point) => point.label)
  const values = shown.map((point) => point.value)
  const shape: Shape =
    kind === 'bars'
      ? { kind, labels, series: [{ name, values }] }
      : { kind, labels, values, complete: values.map(() => true) }
  const most = shown.reduce((best, point) => (point.value > best.value ? point : best))
  return {
    name,
    color: '--accent',
    aside: shown.length < points.length ? `first ${shown.length} of ${points.length}` : '',
    sentence: `${name} of ${shown.length} rows; the most is ${roundNumber(most.value)} at ${most.label}.`,
    heightPx: kind === 'bars' ? Math.max(2, shown.length) * 26 + 34 : 240,
    shape,
  }
}
