import { describe, expect, it } from 'vitest'
import { addDecimals } from './answer-table.ts'

describe('addDecimals()', () => {
  it('loses no digit', () => {
    expect(addDecimals(['0.10', '0.2', '99999999999999999.99'])).toBe('100000000000000000.29')
    expect(addDecimals(['-1.05', '1'])).toBe('-0.05')
    expect(addDecimals(['2', '3'])).toBe('5')
    expect(addDecimals([])).toBe('0')
  })
})
