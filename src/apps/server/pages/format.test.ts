import { describe, expect, it } from 'vitest'
import {
  formatDay,
  formatShortDay,
  formatDecimal,
  formatRatio,
  roundNumber,
  roundRate,
} from './format.ts'

describe('values on pages', () => {
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

  it('formatShortDay() names a week by its Monday and a month by its year', () => {
    expect(formatShortDay('2026-08-03', 'week')).toBe('3 Aug')
    expect(formatShortDay('2026-08-01', 'month')).toBe('Aug 26')
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
    expect([0.0123, -0.123, 0, 12.3].map(formatRatio)).toEqual([
      '+1.2 %',
      '−12 %',
      '0 %',
      '+1,230 %',
    ])
  })
})
