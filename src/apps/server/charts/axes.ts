import type { EChartsOption } from 'echarts'
import { roundNumber } from '../../format.ts'
import { textStyle, type Theme } from './theme.ts'
import { formatInUnit } from './units.ts'

/** More than the width of a usual letter or digit, at the size of `textStyle`. */
const LETTER_PX = 7

/** What every drawing starts from: font, animation and tooltip. */
export function baseOption(theme: Theme, { unit }: { unit?: string } = {}): EChartsOption {
  return {
    animation: !theme.isStill,
    animationDuration: 350,
    textStyle: { fontFamily: theme.font, color: theme.ink },
    tooltip: { ...tooltip(theme), valueFormatter: (value) => formatInUnit(value, unit) },
  }
}

/** The tooltip over a place on the axis, in the colours of the page. */
export function tooltip(theme: Theme) {
  return {
    trigger: 'axis' as const,
    confine: true,
    transitionDuration: 0,
    axisPointer: { type: 'shadow' as const, shadowStyle: { color: theme.line, opacity: 0.45 } },
    backgroundColor: theme.paper,
    borderColor: theme.line,
    padding: [7, 10],
    textStyle: { color: theme.ink, fontFamily: theme.font, fontSize: 12 },
  }
}

/** `8 m`: a number for an axis, without zeros at the end. */
export function shortNumber(value: number): string {
  return roundNumber(value)
    .replace(/(\.\d*?)0+(?= )/, '$1')
    .replace(/\.(?= )/, '')
}

/** A legend that explains the colours and switches nothing off. */
export function legend(theme: Theme) {
  return {
    itemWidth: 14,
    itemHeight: 10,
    itemGap: 14,
    // The texts are higher than the marks.
    padding: [3, 0, 0, 0],
    selectedMode: false,
    textStyle: { ...textStyle(theme, theme.ink), fontSize: 12 },
  }
}

/** The place for a legend of many names: to the right if there is room, else beneath. */
export function legendBesideOrBelow(names: readonly string[], theme: Theme) {
  const data = [...names]
  const grid = { left: 4, top: 10, containLabel: true }
  return theme.widthPx > 560
    ? {
        grid: { ...grid, right: 240, bottom: 2 },
        legend: {
          ...legend(theme),
          orient: 'vertical' as const,
          right: 0,
          top: 8,
          width: 210,
          data,
        },
      }
    : {
        grid: { ...grid, right: 8, bottom: legendRows(names, theme) * LEGEND_ROW_PX + 14 },
        legend: { ...legend(theme), bottom: 4, left: 0, data },
      }
}

const LEGEND_ROW_PX = 26

/** Maximum number of rows in which a horizontal legend is laid out. */
function legendRows(names: readonly string[], { widthPx }: Theme): number {
  let [rows, usedPx] = [1, 0]
  for (const { length } of names) {
    const wantedPx = length * LETTER_PX + 34
    if (usedPx > 0 && usedPx + wantedPx > widthPx) [rows, usedPx] = [rows + 1, 0]
    usedPx += wantedPx
  }
  return rows
}

/** An axis of steps of time, from left to right. */
export function timeAxis(labels: readonly string[], theme: Theme) {
  return {
    type: 'category' as const,
    data: [...labels],
    boundaryGap: false,
    axisLine: { lineStyle: { color: theme.line } },
    axisTick: { show: false },
    axisLabel: { ...textStyle(theme), hideOverlap: true, showMinLabel: true },
  }
}

/** An axis of amounts with three quiet lines, from zero. */
export function amountAxis(theme: Theme) {
  return {
    type: 'value' as const,
    splitNumber: 3,
    axisLine: { show: false },
    axisTick: { show: false },
    splitLine: { lineStyle: { color: theme.line } },
    axisLabel: {
      ...textStyle(theme),
      hideOverlap: true,
      formatter: (value: number) => shortNumber(value),
    },
  }
}

/** The room that the longest of the texts needs at the end of a bar or a line. */
export function endRoomPx(texts: readonly string[]): number {
  return Math.max(0, ...texts.map(({ length }) => length)) * LETTER_PX + 14
}

/**
 * Axes for lying bars: rows from the top, with their names to the left and room for the texts at
 * their ends.
 */
export function lyingAxes(
  labels: readonly string[],
  { theme, hasLegend, ends = [] }: { theme: Theme; hasLegend: boolean; ends?: readonly string[] },
) {
  return {
    grid: {
      left: 2,
      right: endRoomPx(ends),
      top: hasLegend ? 26 : 4,
      bottom: 2,
      containLabel: true,
    },
    legend: hasLegend ? { ...legend(theme), top: 0, left: 0 } : { show: false },
    xAxis: {
      ...amountAxis(theme),
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
        ...textStyle(theme, theme.ink),
        fontSize: 12,
        width: Math.min(170, theme.widthPx * 0.4),
        overflow: 'truncate' as const,
      },
    },
  }
}
