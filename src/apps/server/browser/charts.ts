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
import type { Plot } from '../charts/plot-of-answer.ts'
import type { Theme } from '../charts/theme.ts'
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

/** A chart on the page, and how to draw it again. */
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

/** Draws every chart of the page, in place of those drawn before. */
export function drawAll({ isStill }: { isStill: boolean }): void {
  resized.disconnect()
  for (const { chart } of drawings) chart.dispose()
  drawings = [...document.querySelectorAll<HTMLElement>('[data-plots]')].flatMap(openChart)
  for (const drawing of drawings) {
    drawing.draw(isStill)
    resized.observe(drawing.element)
  }
}

/**
 * Lays the page out as wide as paper, in light, and draws its charts for that width. If the paper has
 * another width, the drawings shrink or grow with it, because they have a view box.
 */
export function drawForPaper(): void {
  document.documentElement.classList.add('paper')
  resizeAll()
  for (const { chart, element } of drawings) {
    const box = `0 0 ${chart.getWidth()} ${chart.getHeight()}`
    element.querySelector('svg')?.setAttribute('viewBox', box)
  }
}

/** Undoes what `drawForPaper` did. */
export function drawForScreen(): void {
  document.documentElement.classList.remove('paper')
  for (const { element } of drawings) element.querySelector('svg')?.removeAttribute('viewBox')
  resizeAll()
}

/** Fits every chart to its place at once: nobody waits for the next frame before printing. */
function resizeAll(): void {
  for (const { chart, draw } of drawings) {
    chart.resize()
    draw(true)
    chart.getZr().flush()
  }
}

/** Draws the same charts again, in the colours of the page as they are now. */
export function redrawAll(): void {
  for (const { draw } of drawings) draw(true)
}

function openChart(place: HTMLElement): Drawing[] {
  const json = place.querySelector('script[type="application/json"]')?.textContent ?? ''
  const plots = JSON.parse(json) as readonly Plot[]
  const elements = place.querySelectorAll<HTMLElement>('.drawing')
  return plots.flatMap((plot, at) => {
    const element = elements[at]
    if (element === undefined) return []
    const chart = init(element, undefined, { renderer: 'svg' })
    const draw = (isStill: boolean): void =>
      chart.setOption(optionOf(plot, readTheme(plot.color, element, isStill)), { notMerge: true })
    addLeads(chart, plot.leads ?? [])
    return [{ element, chart, draw }]
  })
}

/**
 * Lets a click on a mark, or beside it at the same place of the axis, go where the mark leads. The
 * table under the chart has the same links for the keyboard.
 */
function addLeads(chart: EChartsType, leads: readonly string[]): void {
  if (leads.length === 0) return
  const leadAt = ({ offsetX, offsetY }: { offsetX: number; offsetY: number }): string => {
    const point = [offsetX, offsetY]
    if (!chart.containPixel({ gridIndex: 0 }, point)) return ''
    const { xAxis } = chart.getOption() as { xAxis: readonly { type?: string }[] }
    const [across = 0, down = 0] = chart.convertFromPixel({ seriesIndex: 0 }, point)
    const place = Math.round(xAxis[0]?.type === 'category' ? across : down)
    return (leads.length === 1 ? leads[0] : leads[place]) ?? ''
  }
  const surface = chart.getZr()
  surface.on('mousemove', (event) => {
    surface.setCursorStyle(leadAt(event) === '' ? 'default' : 'pointer')
  })
  surface.on('click', (event) => {
    const lead = leadAt(event)
    if (lead !== '') location.assign(lead)
  })
}

function readTheme(color: string, element: HTMLElement, isStill: boolean): Theme {
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

/** A colour for a currency without one of its own. It is the same on every page. */
function otherCurrency(name: string, series: readonly string[]): string {
  const sum = Array.from(name, (letter) => letter.codePointAt(0) ?? 0).reduce((a, b) => a + b, 0)
  return series[3 + (sum % 3)] ?? '#808080'
}
