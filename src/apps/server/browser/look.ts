import type { EChartsOption } from 'echarts'
import { roundNumber } from '../pages/format.ts'

/** Colours and type as the style sheet has them just now, light or dark. */
export interface Look {
  readonly paper: string
  readonly ink: string
  readonly muted: string
  readonly line: string
  /** Of the plot. */
  readonly main: string
  readonly series: readonly string[]
  readonly up: string
  readonly down: string
  readonly font: string
  readonly isStill: boolean
  /** Of the drawing, to leave out what does not fit. */
  readonly widthPx: number
}

export function frame(look: Look): EChartsOption {
  return {
    animation: !look.isStill,
    animationDuration: 350,
    textStyle: { fontFamily: look.font, color: look.ink },
    tooltip: { ...tooltip(look), valueFormatter: money },
  }
}

export function tooltip(look: Look) {
  return {
    trigger: 'axis' as const,
    confine: true,
    transitionDuration: 0,
    axisPointer: { type: 'shadow' as const, shadowStyle: { color: look.line, opacity: 0.45 } },
    backgroundColor: look.paper,
    borderColor: look.line,
    padding: [7, 10],
    textStyle: { color: look.ink, fontFamily: look.font, fontSize: 12 },
  }
}

export function money(value: unknown): string {
  const number = Number(value)
  return Number.isFinite(number)
    ? number.toLocaleString('en-GB', { maximumFractionDigits: 2 })
    : String(value)
}

/** `8 m`: for an axis, whose numbers are round. */
export function shortNumber(value: number): string {
  return roundNumber(value)
    .replace(/(\.\d*?)0+(?= )/, '$1')
    .replace(/\.(?= )/, '')
}

export function words(look: Look, color = look.muted) {
  return { color, fontFamily: look.font, fontSize: 11 }
}

export function legend(look: Look) {
  return {
    itemWidth: 14,
    itemHeight: 10,
    itemGap: 14,
    padding: 0,
    selectedMode: false,
    textStyle: { ...words(look, look.ink), fontSize: 12 },
  }
}

/** A legend to the right where there is room, else beneath. */
export function besideOrBelow(names: readonly string[], look: Look) {
  const data = [...names]
  const grid = { left: 4, top: 10, containLabel: true }
  return look.widthPx > 560
    ? {
        grid: { ...grid, right: 240, bottom: 2 },
        legend: {
          ...legend(look),
          orient: 'vertical' as const,
          right: 0,
          top: 8,
          width: 210,
          data,
        },
      }
    : {
        grid: { ...grid, right: 8, bottom: names.length * 12 + 26 },
        legend: { ...legend(look), bottom: 0, left: 0, data },
      }
}

export function timeAxis(labels: readonly string[], look: Look) {
  return {
    type: 'category' as const,
    data: [...labels],
    boundaryGap: false,
    axisLine: { lineStyle: { color: look.line } },
    axisTick: { show: false },
    axisLabel: { ...words(look), hideOverlap: true, showMinLabel: true },
  }
}

export function amountAxis(look: Look) {
  return {
    type: 'value' as const,
    splitNumber: 3,
    axisLine: { show: false },
    axisTick: { show: false },
    splitLine: { lineStyle: { color: look.line } },
    axisLabel: {
      ...words(look),
      hideOverlap: true,
      formatter: (value: number) => shortNumber(value),
    },
  }
}

/** Rows from the top, names to the left, values to the right of each. */
export function lying(labels: readonly string[], look: Look, hasLegend: boolean) {
  return {
    grid: { left: 2, right: 62, top: hasLegend ? 26 : 4, bottom: 2, containLabel: true },
    legend: hasLegend ? { ...legend(look), top: 0, left: 0 } : { show: false },
    xAxis: {
      ...amountAxis(look),
      max: 'dataMax' as const,
      axisLabel: { show: false },
      splitLine: { show: false },
    },
    yAxis: {
      type: 'category' as const,
      inverse: true,
      data: [...labels],
      axisLine: { show: false },
      axisTick: { show: false },
      axisLabel: {
        ...words(look, look.ink),
        fontSize: 12,
        width: Math.min(170, look.widthPx * 0.4),
        overflow: 'truncate' as const,
      },
    },
  }
}

/** What goes out or away is striped, whatever its colour. */
export function stripes({ paper }: Look) {
  return { symbol: 'rect', color: paper, dashArrayX: [1, 0], dashArrayY: [2, 4], rotation: -0.785 }
}

/** A pattern for a place in a stack; the first has none. */
export function decalOf(place: number, { paper }: Look) {
  const patterns = [
    undefined,
    { symbol: 'rect', dashArrayX: [1, 0], dashArrayY: [2, 5], rotation: -0.785 },
    {
      symbol: 'circle',
      dashArrayX: [
        [6, 6],
        [0, 6, 6, 0],
      ],
      dashArrayY: [6, 0],
      symbolSize: 0.6,
    },
    { symbol: 'rect', dashArrayX: [1, 0], dashArrayY: [2, 5], rotation: 0.785 },
    { symbol: 'rect', dashArrayX: [1, 0], dashArrayY: [3, 6], rotation: 0 },
    { symbol: 'rect', dashArrayX: [1, 0], dashArrayY: [3, 6], rotation: 1.571 },
  ]
  const pattern = patterns[place % patterns.length]
  return pattern === undefined ? {} : { decal: { ...pattern, color: fade(paper, 0.55) } }
}

function channels(color: string): number[] {
  const hex = color.trim().replace('#', '')
  return [0, 2, 4].map((at) => Number.parseInt(hex.slice(at, at + 2), 16))
}

/** So much of the second colour in the first; both as `#rrggbb`. */
export function mix(first: string, second: string, share: number): string {
  const other = channels(second)
  const parts = channels(first).map((part, at) =>
    Math.round(part + ((other[at] ?? 0) - part) * share)
      .toString(16)
      .padStart(2, '0'),
  )
  return `#${parts.join('')}`
}

function fade(color: string, alpha: number): string {
  return `rgba(${channels(color).join(', ')}, ${alpha})`
}
