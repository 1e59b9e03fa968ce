import { expect, it } from 'vitest'
import {
  formatBytes,
  formatCount,
  formatDay,
  formatDecimal,
  formatDuration,
  formatMoment,
  formatMomentUtc,
  formatNumber,
  formatRatio,
  formatShortDay,
  formatStep,
  formatTable,
  parseDuration,
  roundNumber,
  roundRate,
  shorten,
} from './format.ts'

it('formatDuration() says a time as people do', () => {
  const said = [-5, 0, 420, 12_300, 99_400, 180_000, 7_500_000, 300_000_000].map(formatDuration)
  expect(said).toEqual([
    '0.0 s',
    '0.0 s',
    '0.4 s',
    '12 s',
    '99 s',
    '3 min',
    '2 h 5 min',
    '3 d 11 h',
  ])
})

it('shorten() cuts a long key, so that it does not widen a whole list', () => {
  expect(shorten('GBP, USD, 2026-01-02')).toBe('GBP, USD, 2026-01-02')
  expect(shorten('x'.repeat(60))).toBe('x'.repeat(60))
  expect(shorten('x'.repeat(3_000_000))).toBe(`${'x'.repeat(59)}…`)
})

it('parseDuration() takes units and refuses any other text', () => {
  expect(['5s', '500ms', '2m', '1.5h', '7', '3min'].map(parseDuration)).toEqual([
    5000, 500, 120_000, 5_400_000, 7000, 180_000,
  ])
  for (const text of ['', 's', '-1s', '0', '5 weeks', '1e3', '25h']) {
    expect(parseDuration(text), text).toBeUndefined()
  }
})

it('formatCount() groups thousands and formatNumber() adds the noun', () => {
  expect(formatCount(1_234_567)).toBe('1,234,567')
  expect([formatNumber(1, 'row'), formatNumber(0, 'row')]).toEqual(['1 row', '0 rows'])
  expect(formatNumber(2, 'batch', 'batches')).toBe('2 batches')
})

it('formatMoment() leaves the zone out and formatMomentUtc() names it', () => {
  const moments = ['2026-11-20T10:41:05.123456Z', '2026-11-21 10:40:05.123+00', '2026-11-21T10:40Z']
  expect(moments.map(formatMoment)).toEqual([
    '2026-11-20 10:41:05',
    '2026-11-21 10:40:05',
    '2026-11-21 10:40',
  ])
  expect(moments.map(formatMomentUtc)).toEqual([
    '2026-11-20 10:41:05 UTC',
    '2026-11-21 10:40:05 UTC',
    '2026-11-21 10:40 UTC',
  ])
  expect([formatMoment('infinity'), formatMomentUtc('infinity')]).toEqual(['infinity', 'infinity'])
})

it('formatTable() aligns negative numbers and percentages right', () => {
  const rows = [
    ['−6,952.86', '8.7 %'],
    ['400.48', '−24 %'],
    ['–', '–'],
  ]
  expect(formatTable(['Difference', 'Change'], rows)).toBe(
    'Difference  Change\n −6,952.86   8.7 %\n    400.48   −24 %\n         –       –',
  )
})

it('formatTable() aligns text left and numbers right', () => {
  expect(
    formatTable(
      ['table', 'rows'],
      [
        ['a', '1,000'],
        ['long', '7'],
      ],
    ),
  ).toBe('table   rows\na      1,000\nlong       7')
})

it.each([
  [0, '0 B'],
  [999, '999 B'],
  [1000, '1.0 kB'],
  [128_400_000, '128 MB'],
  [9.2e15, '9200 TB'],
])('formatBytes(%d) is %s', (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text)
})

it('formatDecimal() groups digits and changes none', () => {
  expect(formatDecimal('-1234567.80')).toBe('−1,234,567.80')
  expect(formatDecimal('0.000001')).toBe('0.000001')
  expect(formatDecimal('123')).toBe('123')
  expect(formatDecimal('NaN')).toBe('NaN')
})

it('formatDay() names the month, and leaves any other text alone', () => {
  expect(formatDay('2026-11-09')).toBe('9 Nov 2026')
  expect(formatDay('2026-13-09')).toBe('2026-13-09')
  expect(formatDay('')).toBe('')
})

it('formatStep() says when, as people say it', () => {
  expect(formatStep('2026-08-03', 'day')).toBe('on 3 Aug 2026')
  expect(formatStep('2026-08-03', 'week')).toBe('in the week of 2026-08-03')
  expect(formatStep('2026-03-01', 'month')).toBe('in March 2026')
  expect(formatStep('2026-07-01', 'quarter')).toBe('in Q3 2026')
  expect(formatStep('2026-10-01', 'quarter')).toBe('in Q4 2026')
  expect(formatStep('2026-01-01', 'year')).toBe('in 2026')
})

it('formatShortDay() names a day by its month, a quarter by its number and a year by itself', () => {
  expect(formatShortDay('2026-08-04', 'day')).toBe('4 Aug')
  expect(formatShortDay('2026-01-01', 'quarter')).toBe('Q1 2026')
  expect(formatShortDay('2026-12-01', 'quarter')).toBe('Q4 2026')
  expect(formatShortDay('2026-01-01', 'year')).toBe('2026')
})

it('formatShortDay() names a week by its Monday and a month by its year', () => {
  expect(formatShortDay('2026-08-03', 'week')).toBe('3 Aug')
  expect(formatShortDay('2026-08-01', 'month')).toBe('Aug 2026')
})

it('roundRate() keeps five digits', () => {
  expect([0.791234, 1.2, 163.5012, 0.0000123456].map(roundRate)).toEqual([
    '0.79123',
    '1.2',
    '163.5',
    '0.000012346',
  ])
})

it('roundNumber() keeps three digits', () => {
  const texts = [0, 12.345, 999.4, 999.9, 1000, 123_456, 1_234_567, -9_996_000, 2.5e9].map(
    roundNumber,
  )
  expect(texts).toEqual([
    '0',
    '12.35',
    '999.4',
    '1.00 k',
    '1.00 k',
    '123 k',
    '1.23 m',
    '−10.0 m',
    '2.50 bn',
  ])
})

it('formatRatio() signs, and rounds what is large', () => {
  expect([0.0123, -0.123, 0, 12.3].map(formatRatio)).toEqual(['+1.2 %', '−12 %', '0 %', '+1,230 %'])
})
