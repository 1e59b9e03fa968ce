import type { EChartsOption } from 'echarts'
import type {
  BarSeries,
  BarsShape,
  BoxesShape,
  DivergingShape,
  DumbbellShape,
  HeatmapShape,
  HistogramShape,
  LinesShape,
  ParetoShape,
  Plot,
  StackedShape,
  WaterfallShape,
} from '../figure.ts'
import { roundNumber, roundRate } from '../pages/format.ts'
import {
  amountAxis,
  besideOrBelow,
  decalOf,
  frame,
  legend,
  type Look,
  lying,
  mix,
  money,
  shortNumber,
  stripes,
  timeAxis,
  tooltip,
  words,
} from './look.ts'

/**
 * A plot as an ECharts option: quiet axes from zero, no smoothing, values at the ends of lines and
 * bars so that colour says nothing alone, and stripes on what goes out.
 */
export function optionOf({ shape }: Plot, look: Look): EChartsOption {
  switch (shape.kind) {
    case 'lines':
      return linesOption(shape, look)
    case 'bars':
      return barsOption(shape, look)
    case 'stacked':
      return stackedOption(shape, look)
    case 'dumbbell':
      return dumbbellOption(shape, look)
    case 'pareto':
      return paretoOption(shape, look)
    case 'heatmap':
      return heatmapOption(shape, look)
    case 'boxes':
      return boxesOption(shape, look)
    case 'histogram':
      return histogramOption(shape, look)
    case 'waterfall':
      return waterfallOption(shape, look)
    case 'diverging':
    default:
      return divergingOption(shape, look)
  }
}

function linesOption(shape: LinesShape, look: Look): EChartsOption {
  const { labels, values, complete, isRate = false } = shape
  const amounts = amountAxis(look)
  const isDashed = (place: number): boolean =>
    complete[place] === false ||
    (complete[place + 1] === false && complete[place] === true) ||
    (place > 0 && complete[place - 1] === false)
  const last = complete.lastIndexOf(true)
  const hasRunning = complete.includes(false)
  return {
    ...frame(look),
    grid: { left: 4, right: 14, top: 20, bottom: 2, containLabel: true },
    xAxis: timeAxis(labels, look),
    ...(isRate
      ? {
          tooltip: { ...tooltip(look), valueFormatter: (value) => roundRate(Number(value)) },
          yAxis: {
            ...amounts,
            scale: true,
            axisLabel: { ...amounts.axisLabel, formatter: (value: number) => roundRate(value) },
          },
        }
      : { yAxis: amounts }),
    series: [
      {
        type: 'line',
        name: 'whole',
        data: values.map((value, place) =>
          complete[place] !== true
            ? '-'
            : place === last
              ? {
                  value,
                  symbolSize: 7,
                  label: endLabel(look, values, { place, round: isRate ? roundRate : roundNumber }),
                }
              : value,
        ),
        symbol: 'circle',
        symbolSize: labels.length > 30 ? 0 : 3,
        lineStyle: { width: 2, color: look.main },
        itemStyle: { color: look.main },
      },
      ...(hasRunning
        ? [
            {
              type: 'line' as const,
              name: 'running',
              data: values.map((value, place) => (isDashed(place) ? value : '-')),
              symbol: 'emptyCircle',
              symbolSize: (_: unknown, { dataIndex }: { dataIndex: number }) =>
                complete[dataIndex] === false ? 5 : 0,
              lineStyle: { width: 1.5, color: look.main, type: [3, 4] },
              itemStyle: { color: look.main },
              tooltip: { show: false },
            },
          ]
        : []),
    ],
  }
}

function barsOption(shape: BarsShape, look: Look): EChartsOption {
  return {
    ...frame(look),
    ...lying(shape.labels, look, shape.series.length > 1),
    series: shape.series.map((series, place) => bar(series, shape.series, { look, place })),
  }
}

function stackedOption(shape: StackedShape, look: Look): EChartsOption {
  return {
    ...frame(look),
    ...besideOrBelow(
      shape.series.map(({ name }) => name),
      look,
    ),
    xAxis: {
      ...timeAxis(
        shape.labels.map((label, place) =>
          shape.complete[place] === true ? label : `${label}, running`,
        ),
        look,
      ),
      boundaryGap: true,
    },
    yAxis: { ...amountAxis(look), minInterval: 1 },
    series: shape.series.map(({ name, values }, place) => ({
      type: 'bar' as const,
      name,
      stack: 'all',
      barMaxWidth: 56,
      data: values.map((value, at) => ({
        value,
        itemStyle: { opacity: shape.complete[at] === true ? 1 : 0.75 },
      })),
      itemStyle: {
        color: look.series[place % look.series.length] ?? look.main,
        borderColor: look.paper,
        borderWidth: 1,
        ...decalOf(place, look),
      },
    })),
  }
}

function dumbbellOption(shape: DumbbellShape, look: Look): EChartsOption {
  const { labels, from, to, names } = shape
  const ends = from.map((value, place) => [value, to[place] ?? 0] as const)
  return {
    ...frame(look),
    ...lying(labels, look, true),
    series: [
      {
        type: 'bar',
        name: 'base',
        stack: 'way',
        silent: true,
        data: ends.map(([a, b]) => Math.min(a, b)),
        itemStyle: { color: 'transparent' },
        tooltip: { show: false },
      },
      {
        type: 'bar',
        name: 'way',
        stack: 'way',
        silent: true,
        barWidth: 3,
        data: ends.map(([a, b]) => ({
          value: Math.abs(b - a),
          itemStyle: { color: b >= a ? look.up : look.down, opacity: 0.55 },
        })),
        tooltip: { show: false },
      },
      {
        type: 'scatter',
        name: names[0],
        symbolSize: 8,
        data: ends.map(([a], place) => [a, place]),
        itemStyle: { color: look.paper, borderColor: look.muted, borderWidth: 1.5 },
      },
      {
        type: 'scatter',
        name: names[1],
        symbolSize: 10,
        data: ends.map(([a, b], place) => ({
          value: [b, place],
          itemStyle: { color: b >= a ? look.up : look.down },
        })),
        itemStyle: { color: look.muted },
      },
      {
        type: 'scatter',
        name: 'change',
        silent: true,
        symbolSize: 10,
        data: ends.map(([a, b], place) => ({
          value: [Math.max(a, b), place],
          label: {
            show: true,
            position: 'right' as const,
            formatter: `${b >= a ? '▲' : '▼'} ${roundNumber(Math.abs(b - a))}`,
            ...words(look, look.ink),
          },
        })),
        itemStyle: { color: 'transparent' },
        tooltip: { show: false },
      },
    ],
    legend: { ...legend(look), top: 0, left: 0, data: [...names] },
  }
}

function paretoOption(shape: ParetoShape, look: Look): EChartsOption {
  const { labels, values, cumulative } = shape
  const base = lying(labels, look, true)
  return {
    ...frame(look),
    ...base,
    grid: { ...base.grid, right: 52 },
    legend: { ...base.legend, data: ['amount', 'share so far'] },
    xAxis: [
      base.xAxis,
      {
        type: 'value',
        position: 'bottom',
        min: 0,
        max: 1,
        interval: 0.25,
        axisLine: { show: false },
        axisTick: { show: false },
        splitLine: { lineStyle: { color: look.line } },
        axisLabel: {
          ...words(look),
          hideOverlap: true,
          formatter: (value: number) => `${Math.round(value * 100)} %`,
        },
      },
    ],
    series: [
      {
        type: 'bar',
        name: 'amount',
        barMaxWidth: 18,
        data: [...values],
        itemStyle: { color: mix(look.paper, look.main, 0.4) },
        label: {
          show: true,
          position: 'right',
          formatter: ({ value }) => roundNumber(Number(value)),
          ...words(look, look.ink),
        },
      },
      {
        type: 'line',
        name: 'share so far',
        xAxisIndex: 1,
        symbol: 'circle',
        symbolSize: 6,
        data: cumulative.map((share, place) => [share, place]),
        lineStyle: { width: 1.5, color: look.ink },
        itemStyle: { color: look.ink },
        tooltip: {
          valueFormatter: (value) =>
            `${(Number(Array.isArray(value) ? value[0] : value) * 100).toFixed(1)} %`,
        },
      },
    ],
  }
}

function heatmapOption(shape: HeatmapShape, look: Look): EChartsOption {
  const most = Math.max(...shape.cells.map(([, , value]) => value))
  return {
    ...frame(look),
    tooltip: {
      ...tooltip(look),
      trigger: 'item',
      formatter: (params) => {
        const [x = 0, y = 0, value = 0] = (params as { value: number[] }).value
        return `${shape.ys[y]} ${shape.xs[x]}:00, ${value} ${shape.unit}`
      },
    },
    grid: { left: 4, right: 4, top: 4, bottom: 2, containLabel: true },
    xAxis: {
      type: 'category',
      data: [...shape.xs],
      axisLine: { show: false },
      axisTick: { show: false },
      axisLabel: words(look),
    },
    yAxis: {
      type: 'category',
      inverse: true,
      data: [...shape.ys],
      axisLine: { show: false },
      axisTick: { show: false },
      axisLabel: words(look, look.ink),
    },
    visualMap: {
      show: false,
      type: 'continuous',
      min: 0,
      max: most,
      inRange: { color: [mix(look.paper, look.main, 0.06), look.main] },
    },
    series: [
      {
        type: 'heatmap',
        data: shape.cells.map(([x, y, value]) => ({
          value: [x, y, value],
          label: {
            color: value > most * 0.5 ? look.paper : look.ink,
          },
        })),
        label: {
          show: look.widthPx > 420,
          formatter: (params) => String((params.value as number[])[2] ?? ''),
          fontFamily: look.font,
          fontSize: 10,
        },
        itemStyle: { borderColor: look.paper, borderWidth: 2, borderRadius: 3 },
      },
    ],
  }
}

function boxesOption(shape: BoxesShape, look: Look): EChartsOption {
  return {
    ...frame(look),
    ...lying(shape.labels, look, false),
    grid: { left: 2, right: 14, top: 4, bottom: 2, containLabel: true },
    xAxis: { ...amountAxis(look), scale: true },
    tooltip: { ...tooltip(look), trigger: 'item', valueFormatter: (value) => money(value) },
    series: [
      {
        type: 'boxplot',
        layout: 'vertical',
        boxWidth: [8, 13],
        data: shape.fives.map((five) => [...five]),
        itemStyle: {
          color: mix(look.paper, look.main, 0.18),
          borderColor: look.main,
          borderWidth: 1.4,
        },
      },
    ],
  }
}

function histogramOption(shape: HistogramShape, look: Look): EChartsOption {
  const most = Math.max(...shape.values)
  return {
    ...frame(look),
    grid: { left: 4, right: 8, top: 22, bottom: 22, containLabel: true },
    xAxis: {
      type: 'category',
      data: [...shape.labels],
      name: shape.axis,
      nameLocation: 'middle',
      nameGap: 26,
      nameTextStyle: words(look),
      axisLine: { lineStyle: { color: look.line } },
      axisTick: { show: false },
      axisLabel: { ...words(look), hideOverlap: true },
    },
    yAxis: { ...amountAxis(look), minInterval: 1 },
    series: [
      {
        type: 'bar',
        barCategoryGap: '20%',
        barMaxWidth: 64,
        data: shape.values.map((value, place) => ({
          value,
          itemStyle: Number.isNaN(Number(shape.labels[place]))
            ? { color: mix(look.paper, look.down, 0.75), decal: stripes(look) }
            : { color: look.main },
        })),
        label: {
          show: shape.values.length <= 16,
          position: 'top',
          formatter: ({ value }) => (value === 0 ? '' : roundNumber(Number(value))),
          ...words(look, look.ink),
        },
        ...(most === 0 ? { showBackground: false } : {}),
      },
    ],
  }
}

function waterfallOption(shape: WaterfallShape, look: Look): EChartsOption {
  const { labels, values } = shape
  const lastPlace = values.length - 1
  const tops: { base: number; height: number }[] = []
  let level = 0
  for (const [place, value] of values.entries()) {
    const isTotal = place === 0 || place === lastPlace
    const start = isTotal ? 0 : level
    const end = isTotal ? value : level + value
    tops.push({ base: Math.min(start, end), height: Math.abs(end - start) })
    level = end
  }
  const levels = tops.slice(1, -1).flatMap(({ base, height }) => [base, base + height])
  const low = Math.min(...levels, values[lastPlace] ?? 0)
  const high = Math.max(...levels, values[0] ?? 0)
  const ground = Math.max(0, low - Math.max((high - low) * 1.2, high * 0.001))
  return {
    ...frame(look),
    grid: { left: 4, right: 4, top: 24, bottom: 2, containLabel: true },
    xAxis: {
      type: 'category',
      data: [...labels],
      axisLine: { lineStyle: { color: look.line } },
      axisTick: { show: false },
      axisLabel: { ...words(look), interval: 0 },
    },
    yAxis: { ...amountAxis(look), show: false, min: ground, max: high },
    series: [
      {
        type: 'bar',
        stack: 'steps',
        silent: true,
        data: tops.map(({ base }) => base),
        itemStyle: { color: 'transparent' },
        tooltip: { show: false },
      },
      {
        type: 'bar',
        name: 'amount',
        stack: 'steps',
        barCategoryGap: '22%',
        data: tops.map(({ height }, place) => {
          const value = values[place] ?? 0
          const isTotal = place === 0 || place === lastPlace
          return {
            value: height,
            itemStyle: {
              color: isTotal ? look.main : value >= 0 ? look.up : look.down,
              ...(value < 0 ? { decal: stripes(look) } : {}),
            },
            label: {
              show: true,
              position: 'top' as const,
              formatter: isTotal
                ? totalNumber(value)
                : `${value > 0 ? '+' : ''}${roundNumber(value)}`,
              ...words(look, look.ink),
            },
          }
        }),
        tooltip: { show: false },
      },
    ],
  }
}

/** `121.24 m`: digits enough for a small step between two totals to be seen. */
function totalNumber(value: number): string {
  return value >= 1e6 ? `${(value / 1e6).toFixed(2)} m` : roundNumber(value)
}

function divergingOption(shape: DivergingShape, look: Look): EChartsOption {
  const { labels, names, complete } = shape
  const isWeeks = complete !== undefined
  const opacityAt = (place: number): number => (complete?.[place] === false ? 0.5 : 1)
  const own = (values: readonly number[], sign: 1 | -1) =>
    values.map((value, place) => ({
      value: value * sign,
      itemStyle: { opacity: opacityAt(place) },
    }))
  const series = [
    {
      type: 'bar' as const,
      name: names[0],
      stack: 'both',
      barCategoryGap: '25%',
      data: own(shape.in, 1),
      itemStyle: { color: look.main },
    },
    {
      type: 'bar' as const,
      name: names[1],
      stack: 'both',
      data: own(shape.out, -1),
      itemStyle: {
        color: mix(look.paper, look.main, 0.3),
        borderColor: look.main,
        borderWidth: 1,
        decal: stripes(look),
      },
    },
  ]
  const unsigned = (value: unknown): string => money(Math.abs(Number(value)))
  const axis = {
    ...amountAxis(look),
    axisLabel: {
      ...words(look),
      hideOverlap: true,
      formatter: (value: number) => shortNumber(Math.abs(value)),
    },
  }
  const shared = {
    ...frame(look),
    tooltip: { ...tooltip(look), valueFormatter: unsigned },
    legend: { ...legend(look), top: 0, left: 0, data: [...names] },
    series,
  }
  return isWeeks
    ? {
        ...shared,
        grid: { left: 4, right: 8, top: 32, bottom: 2, containLabel: true },
        xAxis: { ...timeAxis(labels, look), boundaryGap: true },
        yAxis: axis,
      }
    : {
        ...shared,
        ...lying(labels, look, true),
        grid: { left: 2, right: 14, top: 26, bottom: 2, containLabel: true },
        xAxis: axis,
      }
}

function bar(
  series: BarSeries,
  all: readonly BarSeries[],
  { look, place }: { look: Look; place: number },
) {
  const { name, values, isHatched = false, isPale = false } = series
  const isStack = all.some(({ isStacked }) => isStacked === true)
  const isLast = place === all.length - 1
  const totals = values.map((value, at) =>
    isStack ? all.reduce((sum, each) => sum + (each.values[at] ?? 0), 0) : value,
  )
  return {
    type: 'bar' as const,
    name,
    barMaxWidth: 18,
    barGap: '15%',
    ...(isStack ? { stack: 'all' } : {}),
    data: [...values],
    itemStyle: {
      color: isHatched || isPale ? mix(look.paper, look.main, isHatched ? 0.3 : 0.35) : look.main,
      ...(isHatched ? { decal: stripes(look), borderColor: look.main, borderWidth: 1 } : {}),
    },
    label: {
      show: !isStack || isLast,
      position: 'right' as const,
      formatter: ({ dataIndex }: { dataIndex: number }) => roundNumber(totals[dataIndex] ?? 0),
      ...words(look, look.ink),
    },
  }
}

/** Out of the way of the line: beneath a value with a higher neighbour. */
function endLabel(
  look: Look,
  values: readonly number[],
  { place, round }: { place: number; round: (value: number) => string },
) {
  const value = values[place] ?? 0
  const isLower = [values[place - 1], values[place + 1]].some((other = 0) => other > value)
  return {
    show: true,
    position: isLower ? ('bottom' as const) : ('top' as const),
    formatter: round(value),
    ...words(look, look.ink),
    fontWeight: 600 as const,
  }
}
