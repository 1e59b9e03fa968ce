import { describe, expect, it } from 'vitest'
import type { Dashboard, Page } from '../../../platform/project/dashboard.ts'
import { renderFilters } from './filters.ts'
import { linkTo, parseDay, parseMoment, readSelection } from './selection.ts'

const dashboard: Dashboard = {
  questions: [],
  pages: [],
  labels: {},
  links: {},
  filters: [
    { kind: 'period', name: 'period', label: 'Period' },
    { kind: 'choice', name: 'shop', label: 'Shop', options: 'shops', all: 'All shops' },
    { kind: 'choice', name: 'in', label: 'In', options: 'ins', all: '–', adds: 'There is none' },
    {
      kind: 'option',
      name: 'by',
      label: 'Draw by',
      values: ['week', 'month'].map((value) => ({ value, label: `Every ${value}` })),
      standard: { value: 'week', label: 'Each week' },
    },
    { kind: 'moment', name: 'as_of', label: 'As of', options: 'moments', standard: 'none' },
    { kind: 'moment', name: 'then', label: 'Then', options: 'moments', standard: 'day-ago' },
  ],
}
const page: Page = {
  path: '/p',
  title: 'P',
  summary: '',
  filters: ['period', 'shop', 'as_of'],
  panels: [],
}
// A Wednesday.
const now = new Date('2026-11-18T12:00:00Z')
const choices = new Map([
  ['shop', [{ value: '7', label: 'Corner' }]],
  [
    'then',
    ['2026-11-18T11:00:00Z', '2026-11-17T11:59:00Z', '2026-11-16T00:00:00Z'].map((value) => ({
      value,
      label: '',
    })),
  ],
])
const read = (query: Record<string, string>, filters = page.filters) =>
  readSelection(query, { page: { ...page, filters }, dashboard, choices, now })

describe('readSelection()', () => {
  it('shows twelve whole weeks and the running one unless told otherwise', () => {
    const { filters, params, faults } = read({})
    expect(filters).toEqual({ today: '2026-11-18', from: '2026-08-24' })
    expect([params, faults]).toEqual([{}, {}])
  })

  it('begins every preset of weeks on a Monday', () => {
    for (const [period, from] of Object.entries({
      '4w': '2026-10-19',
      '26w': '2026-05-18',
      '52w': '2025-11-17',
      year: '2026-01-01',
      all: undefined,
    })) {
      expect(read({ period }).filters['from'], period).toBe(from)
    }
  })

  it('takes dates before a preset', () => {
    const { filters, params } = read({ period: '4w', from: '2026-01-02', to: '2026-01-03' })
    expect(filters).toEqual({ today: '2026-11-18', from: '2026-01-02', to: '2026-01-03' })
    expect(params).toEqual({ from: '2026-01-02', to: '2026-01-03' })
  })

  it('reports a value that is not valid, and leaves it out', () => {
    const { filters, params, faults } = read({
      from: '2026-02-30',
      to: 'x',
      shop: '8',
      as_of: 'soon',
      period: '3w',
    })
    expect(Object.keys(faults).toSorted()).toEqual(['as_of', 'from', 'period', 'shop', 'to'])
    expect(filters).toEqual({ today: '2026-11-18', from: '2026-08-24' })
    expect(params).toEqual({})
  })

  it('refuses a last day before the first', () => {
    const { filters, faults } = read({ from: '2026-02-02', to: '2026-02-01' })
    expect(filters['to']).toBeUndefined()
    expect(faults['to']?.why).toContain('2026-02-02')
  })

  it('reads a page as of a moment as it would have read on that day', () => {
    const { filters } = read({ as_of: '2026-10-07 18:00', shop: '7' })
    expect(filters).toEqual({
      as_of: '2026-10-07T18:00:00Z',
      today: '2026-10-07',
      shop: '7',
      from: '2026-07-13',
    })
  })

  it('compares with the newest moment that is a day old, or with the oldest', () => {
    expect(read({}, ['then']).filters['then']).toBe('2026-11-17T11:59:00Z')
    const young = new Map([['then', [{ value: '2026-11-18T11:00:00Z', label: '' }]]])
    const options = { page: { ...page, filters: ['then'] }, dashboard, now }
    expect(readSelection({}, { ...options, choices: young }).filters['then']).toBe(
      '2026-11-18T11:00:00Z',
    )
    expect(readSelection({}, { ...options, choices: new Map() }).filters['then']).toBeUndefined()
  })

  it('offers a filter that only adds panels once it has a choice, and says why not', async () => {
    const own = { ...page, filters: ['shop', 'in'] }
    const of = async (values: string[]) => {
      const found = new Map([['in', values.map((value) => ({ value, label: value }))]])
      const options = { page: own, dashboard, choices: found }
      const selection = readSelection({ in: 'GBP' }, { ...options, now })
      return { ...selection, text: String(await renderFilters(selection, options)) }
    }
    const none = await of([])
    expect(none.params).toEqual({})
    expect(none.faults['in']?.why).toBe('There is none')
    expect(none.text).not.toContain('<select name="in">')
    const some = await of(['GBP'])
    expect(some.params).toEqual({ in: 'GBP' })
    expect(some.text).toContain('<select name="in">')
  })

  it('takes one of the fixed values of an option, and its standard for none', async () => {
    const own = { ...page, filters: ['by'] }
    const options = { page: own, dashboard, choices }
    const textOf = async (query: Record<string, string>) =>
      String(await renderFilters(readSelection(query, { ...options, now }), options))
    for (const query of [{}, { by: 'week' }]) {
      expect(read(query, ['by'])).toMatchObject({ filters: {}, params: {}, faults: {} })
      expect(await textOf(query)).not.toContain('class="chip"')
    }
    expect(await textOf({})).toContain('<option value="">Each week</option>')
    expect(await textOf({})).not.toContain('<option value="week"')
    expect(read({ by: 'month' }, ['by'])).toMatchObject({
      filters: { by: 'month' },
      params: { by: 'month' },
    })
    expect(await textOf({ by: 'month' })).toMatch(
      /class="chip" href="\/p"[^<]*>Draw by: Every month/,
    )
    const bad = read({ by: 'decade' }, ['by'])
    expect(bad.filters['by']).toBeUndefined()
    expect(bad.faults['by']?.why).toBe('“Draw by” takes one of these: week, month')
  })

  it('ignores filters the page does not offer', () => {
    expect(read({ shop: '7', other: '1' }, ['period']).params).toEqual({})
  })
})

describe('parseDay() and parseMoment()', () => {
  it('accept only days and moments that exist', () => {
    expect(parseDay('2024-02-29')).toBe('2024-02-29')
    for (const text of ['2023-02-29', '2026-1-1', '1026-01-01', '', "'"]) {
      expect(parseDay(text), text).toBeUndefined()
    }
    expect(parseMoment('2026-01-02')).toBe('2026-01-02T23:59:59Z')
    expect(parseMoment('2026-01-02T03:04:05.678Z')).toBe('2026-01-02T03:04:05.678Z')
    for (const text of ['2026-01-02 25:00', '2026-13-02 01:00', 'now', '2026-01-02 03']) {
      expect(parseMoment(text), text).toBeUndefined()
    }
  })
})

describe('linkTo()', () => {
  it('keeps, changes and drops filters', () => {
    expect(linkTo('/p', { a: '1', b: 'x y' }, { a: undefined, c: '&' })).toBe('/p?b=x+y&c=%26')
    expect(linkTo('/p', {})).toBe('/p')
  })
})
