import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ConfigError } from '../errors.ts'
import { bindStatement, filtersOf, limitRows, parseQuestion, readQuestions } from './question.ts'

const SQL = `-- s01_sales: How much did we sell,
-- and to whom?
-- Grain: one row per currency;
-- none without sales.
-- Unit: money
-- Filters: from, as_of
select * from fact_sale_current as f where f.sold_on >= nullif(:'from', '')::date
`

describe('parseQuestion()', () => {
  it('reads the header, including entries over several lines', () => {
    expect(parseQuestion(SQL)).toEqual({
      access: undefined,
      chart: 'auto',
      name: 's01_sales',
      title: 'How much did we sell, and to whom?',
      grain: 'one row per currency; none without sales.',
      unit: 'money',
      filters: ['from', 'as_of'],
      sql: SQL,
    })
    const plain = parseQuestion('-- o01: How?\n-- Grain: one row\n-- Filters: none\nselect 1')
    expect(plain).toMatchObject({ filters: [], unit: undefined })
  })

  it.each([
    ['select 1', /first line/],
    ['-- q: Why?\nselect 1', /no line `-- Grain/],
    [`-- q: Why?\n-- Grain: g\nselect :'from'`, /does not name the filter from/],
    [`-- q: Why?\n-- Grain: g\nselect :'as_of'`, /does not name the filter as_of/],
    ['-- q: Why?\n-- Grain: g\n-- Filters: from\nselect 1', /does not use its filter from/],
    ['-- q: Why?\n-- Grain: g\n-- Filters: as_of\nselect 1', /does not use its filter as_of/],
    ['-- q: Why?\n-- Grain: g\n-- Chart: pie\nselect 1', /chart must be one of auto, none, bars/],
    ['-- q: Why?\n-- Grain: g\n-- Filters: from and to\nselect 1', /is not a name for a filter/],
  ])('refuses %j', (sql, message) => {
    expect(() => parseQuestion(sql)).toThrow(ConfigError)
    expect(() => parseQuestion(sql)).toThrow(message)
  })
})

describe('readQuestions()', () => {
  it('finds the questions in a folder and skips other SQL', () => {
    const folder = mkdtempSync(join(tmpdir(), 'tidemark-questions-'))
    try {
      writeFileSync(join(folder, 's01_sales.sql'), SQL)
      writeFileSync(join(folder, 'headline.sql'), '-- One line.\nselect 1')
      const url = pathToFileURL(`${folder}/`)
      expect([...readQuestions(url).keys()]).toEqual(['s01_sales'])
      writeFileSync(join(folder, 'other.sql'), SQL)
      expect(() => readQuestions(url)).toThrow(/other.sql .*calls it s01_sales/)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})

describe('filtersOf()', () => {
  it('keeps filters that the question knows and that have a value', () => {
    const question = parseQuestion(SQL)
    expect(filtersOf(question, { from: '2024-01-01', as_of: '', other: 'x' })).toEqual({
      from: '2024-01-01',
    })
    expect(filtersOf({ ...question, filters: ['constructor'] }, {})).toEqual({})
  })
})

describe('limitRows()', () => {
  it.each([
    ['select 1', 'select 1'],
    ['select 1 -- one', 'select 1 -- one'],
    ['select 1;\n', 'select 1'],
    ['select 1 ; ; -- ; the end\n/* of /* it; */ all */', 'select 1 '],
    [`select ';' -- ;`, `select ';' -- ;`],
    [`select $$;$$, e'\\';', ";"; -- '`, `select $$;$$, e'\\';', ";"`],
    ['select 1; select 2', 'select 1; select 2'],
  ])('makes a subquery of %j, without the semicolon that ends it', (sql, inner) => {
    expect(limitRows(sql, 6)).toBe(`select * from (\n${inner}\n) as answer limit 6`)
  })
})

describe('bindStatement()', () => {
  it('makes one text parameter of each filter, null when it is absent or empty', () => {
    expect(bindStatement(`select :'a', :'b'::int, :'a', :'c'`, { a: 'x', c: '' })).toEqual({
      text: 'select $1::text, $2::text::int, $1::text, $3::text',
      values: ['x', null, null],
    })
    expect(bindStatement(`select :'constructor'`, {}).values).toEqual([null])
  })

  it.each([
    `select 'it''s :''a''', ':'`,
    `select E'\\' :\\'a\\' '`,
    `select "x:'a'"`,
    `select 1 -- :'a' fact_sale_current`,
    `select /* /* :'a' */ fact_sale_current */ 1`,
    `select /* :'a'`,
    `select $$ :'a' $$, $t$ $$ :'a' fact_sale_current $t$`,
    `select x::text, a[1:2], y::'a'`,
    `select "fact_sale_current", my_fact_sale_current, fact_sale_currently`,
  ])('leaves %j unchanged', (sql) => {
    expect(bindStatement(sql, { a: 'x', as_of: '2024-01-01' })).toEqual({ text: sql, values: [] })
  })

  it('reads facts as they were known when asked as of a moment', () => {
    const sql = `select fact_sale_current.units from fact_sale_current
      join public.fact_order_line_current as l using (id) where :'from' < l.day`
    const filters = { from: '2024-01-01', as_of: '2024-02-01' }
    expect(bindStatement(sql, filters)).toEqual({
      text: `select fact_sale_as_of.units from fact_sale_as_of($1::timestamptz)
      join public.fact_order_line_as_of($1::timestamptz) as l using (id) where $2::text < l.day`,
      values: ['2024-02-01', '2024-01-01'],
    })
    expect(bindStatement(sql, { as_of: '' }).text).toContain('from fact_sale_current')
  })

  it('never makes a value part of the SQL', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (from, asOf) => {
        const { text } = bindStatement(SQL, { from, as_of: asOf })
        const other = bindStatement(SQL, { from: 'x', as_of: asOf === '' ? '' : 'y' })
        expect(text).toBe(other.text)
      }),
    )
  })
})
