import { BarChart, BoxplotChart, HeatmapChart, LineChart, ScatterChart } from 'echarts/charts'
import {
  AriaComponent,
  GridComponent,
  LegendPlainComponent,
  TooltipComponent,
  VisualMapContinuousComponent,
} from 'echarts/components'
import { type EChartsType, init, use } from 'echarts/core'
import { SVGRenderer } from 'echarts/renderers'
import type { Figure } from '../figure.ts'
import type { Look } from './look.ts'
import { optionOf } from './options.ts'

use([
  BarChart,
  BoxplotChart,
  HeatmapChart,
  LineChart,
  ScatterChart,
  AriaComponent,
  GridComponent,
  LegendPlainComponent,
  TooltipComponent,
  VisualMapContinuousComponent,
  SVGRenderer,
])

interface Drawing {
  readonly element: HTMLElement
  readonly chart: EChartsType
  draw(isStill: boolean): void
}

let drawings: readonly Drawing[] = []

const resized = new ResizeObserver((entries) => {
  for (const { target, contentRect } of entries) {
    const drawing = drawings.find(({ element }) => element === target)
    if (drawing === undefined || Math.abs(drawing.chart.getWidth() - contentRect.width) < 1)
      continue
    drawing.chart.resize()
    drawing.draw(true)
  }
})

/** Draws every figure of the page, in place of those drawn before. */
export function drawAll({ isStill }: { isStill: boolean }): void {
  resized.disconnect()
  for (const { chart } of drawings) chart.dispose()
  drawings = [...document.querySelectorAll<HTMLElement>('[data-figure]')].flatMap(openFigure)
  for (const drawing of drawings) {
    drawing.draw(isStill)
    resized.observe(drawing.element)
  }
}

/** The same figures in the colours there are now. */
export function redrawAll(): void {
  for (const { draw } of drawings) draw(true)
}

function openFigure(figure: HTMLElement): Drawing[] {
  const json = figure.querySelector('script[type="application/json"]')?.textContent ?? ''
  const { plots } = JSON.parse(json) as Figure
  const elements = figure.querySelectorAll<HTMLElement>('.drawing')
  return plots.flatMap((plot, place) => {
    const element = elements[place]
    if (element === undefined) return []
    const chart = init(element, undefined, { renderer: 'svg' })
    const draw = (isStill: boolean): void =>
      chart.setOption(optionOf(plot, readLook(plot.color, element, isStill)), { notMerge: true })
    return [{ element, chart, draw }]
  })
}

function readLook(color: string, element: HTMLElement, isStill: boolean): Look {
  const style = getComputedStyle(document.documentElement)
  const read = (name: string): string => style.getPropertyValue(name).trim()
  const series = [1, 2, 3, 4, 5, 6].map((number) => read(`--series-${number}`))
  return {
    paper: read('--paper'),
    ink: read('--ink'),
    muted: read('--ink-muted'),
    line: read('--line'),
    main: read(color) || otherCurrency(color, series),
    series,
    up: read('--ok'),
    down: read('--bad'),
    font: read('--font'),
    isStill: isStill || matchMedia('(prefers-reduced-motion: reduce)').matches,
    widthPx: element.clientWidth,
  }
}

/** A currency without a colour of its own has the same one everywhere all the same. */
function otherCurrency(name: string, series: readonly string[]): string {
  const sum = Array.from(name, (letter) => letter.codePointAt(0) ?? 0).reduce((a, b) => a + b, 0)
  return series[3 + (sum % 3)] ?? '#808080'
}
