import { describe, expect, it } from 'vitest'
import { stepFor } from './changes-over-time.ts'

describe('stepFor()', () => {
  it.each([
    [0, 1],
    [50, 1],
    [600, 15],
    [3600, 300],
    [86_400, 3600],
    [30 * 86_400, 86_400],
    [365 * 86_400, 604_800],
    [100 * 365 * 86_400, 31_536_000],
  ])('shows a span of %i seconds in steps of %i', (span, step) => {
    expect(stepFor(1_700_000_000, 1_700_000_000 + span)).toBe(step)
  })
})
