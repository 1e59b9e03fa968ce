import { type Contender, excess, isMissed } from './measure.ts'
import type { Figure, PerformanceFile } from './figures.ts'
import { formatBar, formatFigure, formatValue } from './report.ts'

/**
 * `docs/performance.md`: the template with every missed bar in place of `<!-- missed -->` and all
 * figures, by the size of the source, in place of `<!-- figures -->`.
 */
export function renderPage({ figures }: PerformanceFile, template: string): string {
  return template
    .replace('<!-- missed -->', () => renderMissed(figures))
    .replace('<!-- figures -->', () => renderSizes(figures))
}

/** Every missed bar, the worst first. */
function renderMissed(figures: readonly Figure[]): string {
  const missed = figures.filter(isMissed).toSorted((a, b) => (excess(b) ?? 0) - (excess(a) ?? 0))
  if (missed.length === 0) return 'Every bar that was measured is held.'
  return table(
    ['missed', 'sales orders', 'found', 'bar', 'by', 'measured'],
    missed.map((figure) => [
      figure.title,
      formatOrders(figure),
      formatValue(figure.value, figure.unit),
      formatBar(figure),
      formatExcess(figure),
      figure.date,
    ]),
  )
}

function renderSizes(figures: readonly Figure[]): string {
  const sizes = [...new Set(figures.map(({ orders }) => orders))]
  return sizes
    .map((size) => renderSize(figures.filter(({ orders }) => orders === size)))
    .join('\n\n')
}

function renderSize(figures: readonly Figure[]): string {
  const [first] = figures
  const orders = first === undefined ? '' : formatOrders(first)
  return [
    `### ${orders === '' ? 'Whatever the size of the source' : `${orders} sales orders`}`,
    table(
      ['figure', 'found', 'bar', '', 'made of', 'measured'],
      figures.map((figure) => [
        figure.title,
        formatValue(figure.value, figure.unit),
        [formatBar(figure), figure.goal === undefined ? '' : `goal ${figure.goal}`]
          .filter((text) => text !== '')
          .join(', '),
        formatVerdict(figure),
        Object.entries(figure.parts ?? {})
          .map(([name, part]) => `${name} ${formatFigure(part)}`)
          .join(', '),
        `${figure.date}, ${figure.commit}`,
      ]),
    ),
    ...figures.flatMap(({ title, contenders }) =>
      contenders === undefined ? [] : [`${capital(title)}:`, contenderTable(contenders)],
    ),
    table(
      ['measured', 'on'],
      [...new Set(figures.map(({ date, commit, machine }) => `${date}, ${commit}|${machine}`))].map(
        (one) => one.split('|'),
      ),
    ),
  ].join('\n\n')
}

function contenderTable(contenders: readonly Contender[]): string {
  const seconds = (value: number | undefined) => (value === undefined ? '–' : formatSeconds(value))
  const megabytes = (value: number | undefined) =>
    value === undefined ? '–' : `${formatFigure(value)} MB`
  return table(
    ['', 'ratio', 'wall', 'CPU', 'own · source · warehouse', 'memory', 'WAL', 'files'],
    contenders.map((one) => [
      one.title,
      `${one.ratio.toFixed(2)} ×`,
      formatSeconds(one.wallMs / 1000),
      seconds(one.cpuS),
      [one.processCpuS, one.sourceCpuS, one.warehouseCpuS].map(seconds).join(' · '),
      megabytes(one.maxRssMb),
      megabytes(one.walMb),
      megabytes(one.bytesMb),
    ]),
  )
}

function formatSeconds(value: number): string {
  return `${value.toFixed(1)} s`
}

function formatOrders({ orders }: Figure): string {
  return orders === undefined ? '' : orders.toLocaleString('en-US')
}

function formatVerdict(figure: Figure): string {
  if (figure.bar === undefined) return ''
  const by = formatExcess(figure)
  return `${isMissed(figure) ? '**missed**' : 'held'}${by === '' ? '' : ` by ${by}`}`
}

/** By how much of the bar a figure lies beyond it or short of it; nothing where it is all of it. */
function formatExcess(figure: Figure): string {
  const share = excess(figure)
  if (share === undefined || !Number.isFinite(share) || share === -1) return ''
  return `${Math.round(Math.abs(share) * 100).toLocaleString('en-US')} %`
}

function capital(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1)
}

function table(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const row = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [row(headings), `|${'---|'.repeat(headings.length)}`, ...rows.map(row)].join('\n')
}
