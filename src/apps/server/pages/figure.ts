import type { Answer } from '../../../platform/presentation/answer.ts'
import type { Row } from '../../../platform/presentation/cursor.ts'
import type {
  BarsChart,
  CardsChart,
  Chart,
  ConversionChart,
  TableChart,
} from '../../../platform/project/dashboard.ts'
import type { BarSeries, Figure, Plot, Shape } from '../figure.ts'
import { formatRatio, roundNumber, roundRate } from './format.ts'

/** Charts that are drawn; cards and tables are text. */
export type DrawnChart = Exclude<Chart, CardsChart | ConversionChart | TableChart>

type Labels = (column: string) => string

/**
 * What a chart draws of an answer: rows put together, cut to the chart's limit, and each plot said
 * in a sentence. Sums are exact to the cent; only what is drawn becomes a floating number.
 * Throws when the chart names a column that the question does not have.
 */
export function figureOf(chart: DrawnChart, answer: Answer, labels: Labels): Figure {
  const table = tableOf(answer)
  const split = 'split' in chart ? chart.split : undefined
  const groups = split === undefined ? [{ name: '', table }] : groupBy(table, split)
  const limit = chart.kind === 'lines' ? (chart.limit ?? groups.length) : groups.length
  const plots = groups.slice(0, limit).map(({ name, table: own }): Plot => {
    const { shape, aside, sentence, heightPx } = shapeOf(chart, own, labels)
    const color = /^[A-Z]{3}$/.test(name) ? `--currency-${name.toLowerCase()}` : '--accent'
    const whole = name === '' ? capitalise(sentence) : `${name}: ${sentence}`
    return { name, color, aside, sentence: whole, heightPx, shape }
  })
  return { plots }
}

/** An answer by names of its columns. */
export interface Table {
  readonly rows: readonly Row[]
  text(row: Row, column: string): string
  number(row: Row, column: string): number
}

export function tableOf({ columns, rows }: Pick<Answer, 'columns' | 'rows'>): Table {
  const places = new Map(columns.map(({ name }, place) => [name, place]))
  const placeOf = (column: string): number => {
    const place = places.get(column)
    if (place === undefined) throw new TypeError(`there is no column ${column}`)
    return place
  }
  return {
    rows,
    text: (row, column) => row[placeOf(column)] ?? '',
    number: (row, column) => Number(row[placeOf(column)] ?? 0),
  }
}

function groupBy(table: Table, column: string): { name: string; table: Table }[] {
  const groups = new Map<string, Row[]>()
  for (const row of table.rows) {
    const name = table.text(row, column)
    groups.set(name, [...(groups.get(name) ?? []), row])
  }
  return [...groups].map(([name, rows]) => ({ name, table: { ...table, rows } }))
}

/** The sum of decimal numbers as a decimal number: no digit is lost. */
export function addDecimals(numbers: readonly string[]): string {
  const scale = Math.max(0, ...numbers.map((text) => text.split('.')[1]?.length ?? 0))
  const sum = numbers.reduce((total, text) => {
    const [whole = '0', rest = ''] = text.split('.')
    return total + BigInt(whole + rest.padEnd(scale, '0'))
  }, 0n)
  if (scale === 0) return String(sum)
  const digits = String(sum < 0n ? -sum : sum).padStart(scale + 1, '0')
  return `${sum < 0n ? '-' : ''}${digits.slice(0, -scale)}.${digits.slice(-scale)}`
}

interface Drawn {
  readonly shape: Shape
  readonly aside: string
  readonly sentence: string
  readonly heightPx: number
}

const STANDING_PX = 210
const lyingPx = (bars: number, pxEach = 26): number => Math.max(bars, 2) * pxEach + 34

function shapeOf(chart: DrawnChart, table: Table, labels: Labels): Drawn {
  const { rows, text, number } = table
  switch (chart.kind) {
    case 'lines': {
      const shape: Shape = {
        kind: 'lines',
        labels: rows.map((row) => shortDay(text(row, chart.x), chart.step)),
        values: rows.map((row) => number(row, chart.y)),
        complete: rows.map((row) => text(row, chart.complete) === 't'),
        ...(chart.isRate === true ? { isRate: true } : {}),
      }
      const round = chart.isRate === true ? roundRate : roundNumber
      const whole = shape.values.flatMap((_, place) => (shape.complete[place] ? [place] : []))
      const first = whole[0]
      const last = whole.at(-1)
      if (first === undefined || last === undefined) {
        const sentence = `no whole ${chart.step} yet; the running one stands at ${round(shape.values.at(-1) ?? 0)}`
        return { shape, aside: `no whole ${chart.step} yet`, sentence, heightPx: STANDING_PX }
      }
      const say = (place: number): string =>
        `${round(shape.values[place] ?? 0)} in the ${chart.step} of ${text(rows[place] ?? [], chart.x)}`
      const peak = whole.reduce((best, place) =>
        (shape.values[place] ?? 0) > (shape.values[best] ?? 0) ? place : best,
      )
      const sentence = `${labels(chart.y).toLowerCase()} by ${chart.step}, from ${say(first)} to ${say(last)}; the most was ${say(peak)}.`
      const aside = `${round(shape.values[last] ?? 0)} last whole ${chart.step}`
      return { shape, aside, sentence, heightPx: STANDING_PX }
    }
    case 'bars':
      return barsOf(chart, table, labels)
    case 'stacked': {
      const xs = unique(rows.map((row) => text(row, chart.x)))
      const counts = new Map<string, number>()
      for (const row of rows) {
        const name = text(row, chart.stack)
        counts.set(name, (counts.get(name) ?? 0) + number(row, chart.value))
      }
      const names = [...counts].toSorted((a, b) => b[1] - a[1]).map(([name]) => name)
      const found = (x: string, name: string) =>
        rows.find((row) => text(row, chart.x) === x && text(row, chart.stack) === name)
      const shape: Shape = {
        kind: 'stacked',
        labels: xs.map((x) => shortDay(x, 'month')),
        series: names.map((name) => ({
          name: inWords(name),
          values: xs.map((x) => {
            const row = found(x, name)
            return row === undefined ? 0 : number(row, chart.value)
          }),
        })),
        complete: xs.map((x) =>
          rows.some((row) => text(row, chart.x) === x && text(row, chart.complete) === 't'),
        ),
      }
      const total = [...counts.values()].reduce((sum, count) => sum + count, 0)
      const [most = ''] = names
      const sentence = `${roundNumber(total)} ${labels(chart.value).toLowerCase()} in ${xs.length} ${xs.length === 1 ? 'month' : 'months'}, most of them of ${inWords(most)} (${roundNumber(counts.get(most) ?? 0)}).`
      return { shape, aside: '', sentence, heightPx: 60 + Math.max(names.length * 22, 200) }
    }
    case 'dumbbell': {
      const changes = rows.map((row) => number(row, chart.to) - number(row, chart.from))
      const rising = rows.filter((_, place) => (changes[place] ?? 0) > 0).slice(0, chart.limit)
      const falling = rows.filter((_, place) => (changes[place] ?? 0) < 0).slice(-chart.limit)
      const shown = [...rising, ...falling]
      const shape: Shape = {
        kind: 'dumbbell',
        labels: shown.map((row) => labelOf(table, row, chart.label)),
        from: shown.map((row) => number(row, chart.from)),
        to: shown.map((row) => number(row, chart.to)),
        names: [labels(chart.from), labels(chart.to)],
      }
      const say = (row: Row | undefined): string =>
        row === undefined
          ? 'none'
          : `${labelOf(table, row, chart.label)} from ${roundNumber(number(row, chart.from))} to ${roundNumber(number(row, chart.to))}`
      const sentence = `the greatest rise is ${say(rising[0])}, the greatest fall ${say(falling.at(-1))}.`
      return { shape, aside: '', sentence, heightPx: lyingPx(shown.length, 24) + 26 }
    }
    case 'pareto': {
      const shown = rows.slice(0, chart.limit)
      const shape: Shape = {
        kind: 'pareto',
        labels: shown.map((row) => text(row, chart.label)),
        values: shown.map((row) => number(row, chart.value)),
        cumulative: shown.map((row) => number(row, chart.cumulative)),
      }
      const third = shape.cumulative[Math.min(2, shown.length - 1)] ?? 0
      const share = formatRatio(third).replace('+', '')
      const sentence = `the biggest of ${rows.length} is ${shape.labels[0] ?? 'none'} with ${roundNumber(shape.values[0] ?? 0)}; the first three make up ${share} of it all.`
      const heightPx = lyingPx(shown.length) + 44
      return { shape, aside: `first three: ${share}`, sentence, heightPx }
    }
    case 'heatmap': {
      const ys = unique(
        rows
          .toSorted((a, b) => number(a, chart.y) - number(b, chart.y))
          .map((row) => text(row, chart.yLabel)),
      )
      const hours = rows.map((row) => number(row, chart.x))
      const first = Math.min(...hours)
      const xs = Array.from({ length: Math.max(...hours) - first + 1 }, (_, at) => first + at)
      const shape: Shape = {
        kind: 'heatmap',
        xs: xs.map((hour) => String(hour).padStart(2, '0')),
        ys,
        cells: rows.map((row) => [
          number(row, chart.x) - first,
          ys.indexOf(text(row, chart.yLabel)),
          number(row, chart.value),
        ]),
        unit: labels(chart.value).toLowerCase(),
      }
      const [x, y, most] = shape.cells.reduce((best, cell) => (cell[2] > best[2] ? cell : best))
      const sentence = `${shape.unit} by ${labels(chart.y).toLowerCase()} and ${labels(chart.x).toLowerCase().replace('utc', 'UTC')}; the most, ${roundNumber(most)}, on ${ys[y]} at ${shape.xs[x]}:00.`
      return { shape, aside: '', sentence, heightPx: ys.length * 34 + 60 }
    }
    case 'boxes': {
      const shown = rows.slice(0, chart.limit)
      const shape: Shape = {
        kind: 'boxes',
        labels: shown.map((row) => labelOf(table, row, chart.label)),
        fives: shown.map((row) => chart.five.map((column) => number(row, column))),
      }
      const [, , median] = chart.five
      const medians = shown.map((row) => number(row, median)).toSorted((a, b) => a - b)
      const sentence = `of ${shown.length} designs the median price lies between ${medians[0]?.toFixed(2)} and ${medians.at(-1)?.toFixed(2)}.`
      return { shape, aside: 'price of one', sentence, heightPx: lyingPx(shown.length) }
    }
    case 'histogram': {
      const counted = rows.filter((row) => text(row, chart.x) !== '')
      const days = counted.map((row) => number(row, chart.x))
      const first = Math.min(...days)
      const last = Math.min(Math.max(...days), first + 60)
      const at = (day: number) => counted.find((row) => number(row, chart.x) === day)
      const bars = Array.from({ length: counted.length === 0 ? 0 : last - first + 1 }, (_, n) => {
        const row = at(first + n)
        return { label: String(first + n), value: row === undefined ? 0 : number(row, chart.value) }
      })
      const other = rows.find((row) => text(row, chart.x) === '')
      if (other !== undefined && chart.other !== undefined) {
        bars.push({ label: chart.other, value: number(other, chart.value) })
      }
      const shape: Shape = {
        kind: 'histogram',
        labels: bars.map(({ label }) => label),
        values: bars.map(({ value }) => value),
        axis: labels(chart.x).toLowerCase(),
      }
      const most = bars.reduce((best, bar) => (bar.value > best.value ? bar : best))
      const total = bars.reduce((sum, bar) => sum + bar.value, 0)
      const sentence = `${roundNumber(total)} ${labels(chart.value).toLowerCase()} by ${shape.axis}; the most, ${roundNumber(most.value)}, at ${most.label}.`
      return { shape, aside: '', sentence, heightPx: 240 }
    }
    case 'waterfall': {
      const [row = []] = rows
      const shape: Shape = {
        kind: 'waterfall',
        labels: chart.steps.map(labels),
        values: chart.steps.map((column) => number(row, column)),
      }
      const parts = shape.labels.map(
        (label, place) => `${label.toLowerCase()} ${roundNumber(shape.values[place] ?? 0)}`,
      )
      const aside = `${roundNumber(shape.values.at(-1) ?? 0)} now`
      return { shape, aside, sentence: `${parts.join(', ')}.`, heightPx: 230 }
    }
    case 'diverging':
    default: {
      const shown = rows.slice(0, chart.limit)
      const isWeeks = chart.step === 'week'
      const names: readonly [string, string] = [labels(chart.in), labels(chart.out)]
      const shape: Shape = {
        kind: 'diverging',
        labels: shown.map((row) =>
          isWeeks ? shortDay(text(row, chart.label), 'week') : text(row, chart.label),
        ),
        in: shown.map((row) => number(row, chart.in)),
        out: shown.map((row) => number(row, chart.out)),
        names,
        ...(chart.complete === undefined
          ? {}
          : { complete: shown.map((row) => text(row, chart.complete ?? '') === 't') }),
      }
      const sum = (values: readonly number[]): string =>
        roundNumber(values.reduce((total, value) => total + value, 0))
      const sentence = `${names[0].toLowerCase()} ${sum(shape.in)}, ${names[1].toLowerCase()} ${sum(shape.out)}, in ${shown.length} ${isWeeks ? 'weeks' : 'rows'}.`
      const aside = `${names[0].toLowerCase()} ${sum(shape.in)} · ${names[1].toLowerCase()} ${sum(shape.out)}`
      const heightPx = isWeeks ? 240 : lyingPx(shown.length)
      return { shape, aside, sentence, heightPx }
    }
  }
}

function barsOf(chart: BarsChart, table: Table, labels: Labels): Drawn {
  const { rows, text, number } = table
  const sums = new Map<string, Row[]>()
  for (const [place, row] of rows.entries()) {
    const label = labelOf(table, row, chart.label)
    const key = chart.sum === true || chart.side !== undefined ? label : `${place} ${label}`
    sums.set(key, [...(sums.get(key) ?? []), row])
  }
  const bars = [...sums.values()].map((own) => ({
    label: labelOf(table, own[0] ?? [], chart.label),
    own,
    total: Number(addDecimals(own.map((row) => text(row, chart.value) || '0'))),
  }))
  const shown = bars.slice(0, chart.limit)
  const { part, side } = chart
  const sideOf = (name: string): number[] =>
    shown.map(({ own }) => {
      const row = own.find((each) => text(each, side?.column ?? '') === name)
      return row === undefined ? 0 : number(row, chart.value)
    })
  let series: BarSeries[] = [{ name: labels(chart.value), values: shown.map(({ total }) => total) }]
  if (side !== undefined) {
    const names = unique(rows.map((row) => text(row, side.column))).toSorted()
    series = names.map((name) => ({
      name: labels(`${chart.value}_${name}`),
      values: sideOf(name),
      isHatched: name === side.hatched,
    }))
  } else if (part !== undefined) {
    const parts = shown.map(({ own }) => own.reduce((sum, row) => sum + number(row, part), 0))
    series = [
      { name: labels(part), values: parts },
      {
        name: `${labels(chart.value)}, later`,
        values: shown.map(({ total }, place) => total - (parts[place] ?? 0)),
        isPale: true,
        isStacked: true,
      },
    ]
  }
  const shape: Shape = { kind: 'bars', labels: shown.map(({ label }) => label), series }
  const most = bars.reduce((best, bar) => (bar.total > best.total ? bar : best), {
    label: 'none',
    total: 0,
  })
  const sentence =
    side === undefined
      ? `the longest of ${bars.length} bars is ${most.label} with ${roundNumber(most.total)}.`
      : series
          .map(
            ({ name, values }) =>
              `${name.toLowerCase()} ${values.map((value, place) => `${roundNumber(value)} at ${shape.labels[place]}`).join(', ')}`,
          )
          .join('; ')
          .concat('.')
  const aside = shown.length < bars.length ? `first ${shown.length} of ${bars.length}` : ''
  const thickness = side === undefined ? 26 : 44
  const legendPx = series.length > 1 ? 24 : 0
  return { shape, aside, sentence, heightPx: lyingPx(shown.length, thickness) + legendPx }
}

function labelOf(table: Table, row: Row, columns: readonly string[]): string {
  return columns.map((column) => table.text(row, column)).join(' ')
}

function unique(texts: readonly string[]): string[] {
  return [...new Set(texts)]
}

function capitalise(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}

function inWords(name: string): string {
  return name.replace(/_id$/, '').replaceAll('_', ' ')
}

const MONTHS = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ')

/** `3 Aug` for a week's Monday, `Aug 26` for a month. */
function shortDay(day: string, step: 'week' | 'month'): string {
  const [year = '', month = '', date = ''] = day.split('-')
  const name = MONTHS[Number(month) - 1] ?? month
  return step === 'week' ? `${Number(date)} ${name}` : `${name} ${year.slice(2)}`
}
