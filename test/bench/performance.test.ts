import { readFileSync, writeFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { costRatio, excess, isMissed, type Measurement, quantile } from '../../bench/measure.ts'
import { renderPage } from '../../bench/performance-page.ts'
import { type Circumstances, mergeFigures } from '../../bench/figures.ts'
import { makePage, PERFORMANCE_PAGE } from '../../bench/record.ts'

const today: Circumstances = { date: '2026-01-02', commit: 'abc1234', machine: 'a machine' }
const earlier: Circumstances = { date: '2026-01-01', commit: '1234abc', machine: 'a machine' }

function figure(name: string, more: Partial<Measurement> = {}): Measurement {
  return { name, title: `the figure ${name}`, value: 1, unit: '×', ...more }
}

function record(...measurements: Measurement[]) {
  return mergeFigures({ figures: [] }, { measurements, circumstances: earlier })
}

it('docs/performance.md is what the bench makes of docs/performance.json', () => {
  const page = makePage()
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(PERFORMANCE_PAGE, page)
  expect(readFileSync(PERFORMANCE_PAGE, 'utf8')).toBe(page)
})

describe('a bar', () => {
  it('of at most is held by itself, and missed beyond it', () => {
    expect(isMissed({ value: 1.5, bar: { atMost: 1.5 } })).toBe(false)
    expect(isMissed({ value: 1.51, bar: { atMost: 1.5 } })).toBe(true)
  })

  it('of below is missed by itself', () => {
    expect(isMissed({ value: 449, bar: { below: 450 } })).toBe(false)
    expect(isMissed({ value: 450, bar: { below: 450 } })).toBe(true)
  })

  it('of at least is held by itself, and missed short of it', () => {
    expect(isMissed({ value: 0.5, bar: { atLeast: 0.5 } })).toBe(false)
    expect(isMissed({ value: 0.49, bar: { atLeast: 0.5 } })).toBe(true)
  })

  it('is missed by what could not be measured, and no figure without one misses', () => {
    expect(isMissed({ value: Number.NaN, bar: { below: 450 } })).toBe(true)
    expect(isMissed(figure('free', { value: 1e9 }))).toBe(false)
  })

  it('is exceeded by a share of it, whichever way it points', () => {
    expect(excess({ value: 3, bar: { atMost: 1.5 } })).toBe(1)
    expect(excess({ value: 0.25, bar: { atLeast: 0.5 } })).toBe(1)
    expect(excess({ value: 45, bar: { below: 90 } })).toBe(-0.5)
    expect(excess(figure('free'))).toBeUndefined()
  })
})

describe('mergeFigures()', () => {
  it('replaces a figure of the same name and size, in its place, with its own circumstances', () => {
    const known = record(figure('a', { orders: 10 }), figure('b', { orders: 10 }))
    const { figures } = mergeFigures(known, {
      measurements: [figure('a', { orders: 10, value: 2 })],
      circumstances: today,
    })
    expect(figures).toEqual([
      { ...figure('a', { orders: 10, value: 2 }), ...today },
      { ...figure('b', { orders: 10 }), ...earlier },
    ])
  })

  it('keeps a figure of another size, and of no size, each among its own', () => {
    const known = record(figure('feed'), figure('a', { orders: 20 }))
    const { figures } = mergeFigures(known, {
      measurements: [figure('a', { orders: 10 }), figure('a', { orders: 20, value: 3 })],
      circumstances: today,
    })
    expect(figures.map(({ name, orders, value }) => [name, orders, value])).toEqual([
      ['a', 10, 1],
      ['a', 20, 3],
      ['feed', undefined, 1],
    ])
  })

  it('keeps four digits of a value, of its parts and of its contenders', () => {
    const contender = {
      name: 'raw',
      title: 'by hand',
      wallMs: 1234.5678,
      cpuS: 1.234567,
      processCpuS: undefined,
      sourceCpuS: undefined,
      warehouseCpuS: undefined,
      maxRssMb: undefined,
      walMb: 0.0012345,
      bytesMb: undefined,
      ratio: 1,
    }
    const { figures } = record(
      figure('a', { value: 2.345678, parts: { rows: 123456.7 }, contenders: [contender] }),
    )
    expect(figures[0]).toMatchObject({
      value: 2.346,
      parts: { rows: 123457 },
      contenders: [{ name: 'raw', wallMs: 1235, cpuS: 1.235, walMb: 0.001234 }],
    })
  })
})

describe('renderPage()', () => {
  const template = 'Above\n\n<!-- missed -->\n\n<!-- figures -->\n\nBelow'

  it('lists every missed bar before the figures, the worst first, and by how much', () => {
    const page = renderPage(
      record(
        figure('little', { orders: 1000, value: 1.8, bar: { atMost: 1.5 } }),
        figure('much', { value: 0.1, unit: '× speed', bar: { atLeast: 0.5 } }),
        figure('held', { orders: 1000, value: 1.2, bar: { atMost: 1.5 } }),
      ),
      template,
    )
    const lines = page.split('\n').filter((line) => line.startsWith('|'))
    expect(lines.slice(2, 4)).toEqual([
      '| the figure much |  | 0.10 × speed | ≥ 0.5 | 400 % | 2026-01-01 |',
      '| the figure little | 1,000 | 1.80 × | ≤ 1.5 | 20 % | 2026-01-01 |',
    ])
    expect(page.split('## ')[0]).not.toContain('the figure held')
    expect(page).toMatch(/^Above\n[^]*\nBelow$/)
  })

  it('says that every bar is held if it is', () => {
    const held = record(figure('held', { value: 1, bar: { atMost: 1.5 } }))
    expect(renderPage(held, template)).toContain('Every bar that was measured is held.')
  })

  it('gives each size its own tables, with bar, goal, verdict, parts and where it was measured', () => {
    const page = renderPage(
      record(
        figure('a', {
          orders: 1_000_000,
          value: 1.2,
          bar: { atMost: 1.5 },
          goal: 1.1,
          parts: { rows: 4225970 },
        }),
        figure('b', { orders: 5_000_000 }),
        figure('c'),
      ),
      template,
    )
    expect(page.match(/^### .*$/gm)).toEqual([
      '### 1,000,000 sales orders',
      '### 5,000,000 sales orders',
      '### Whatever the size of the source',
    ])
    expect(page).toContain(
      '| the figure a | 1.20 × | ≤ 1.5, goal 1.1 | held by 20 % | rows 4,225,970 | 2026-01-01, 1234abc |',
    )
    expect(page).toContain('| 2026-01-01, 1234abc | a machine |')
  })

  it('shows what each contender took, and a dash for what the system does not tell', () => {
    const contender = {
      name: 'raw',
      title: 'by hand',
      wallMs: 1500,
      cpuS: undefined,
      processCpuS: undefined,
      sourceCpuS: 1,
      warehouseCpuS: 2,
      maxRssMb: 70,
      walMb: 213,
      bytesMb: undefined,
      ratio: 1,
    }
    const page = renderPage(record(figure('a', { contenders: [contender] })), template)
    expect(page).toContain(
      '| by hand | 1.00 × | 1.5 s | – | – · 1.0 s · 2.0 s | 70 MB | 213 MB | – |',
    )
  })
})

it('costRatio() is the median of the ratios of each round, not the ratio of medians', () => {
  expect(costRatio([2, 30, 4], [1, 10, 1])).toBe(3)
})

it('quantile() lies between its neighbours', () => {
  expect(quantile([4, 1, 3, 2], 0.5)).toBe(2.5)
  expect(quantile([1, 2, 3, 4, 5], 0.99)).toBeCloseTo(4.96)
  expect(quantile([7], 0.99)).toBe(7)
})
