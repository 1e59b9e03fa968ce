import { describe, expect, it } from 'vitest'
import { isLandmark, nextPlanned, planBetween, planDay } from './day-plan.ts'
import { isWorkday, workingDayMs, workingTime } from './working-time.ts'

const year = { after: new Date('2024-01-01'), until: new Date('2025-01-01') }
const weekdays = 262

describe('planDay()', () => {
  const planned = planBetween(3, year.after, year.until)
  const perDay = (isOne: (event: (typeof planned)[number]) => boolean): number =>
    planned.filter(isOne).length / weekdays

  it('plans as many events a weekday as the real source has', () => {
    expect(perDay(({ kind }) => kind === 'payments')).toBe(1)
    expect(perDay(({ kind }) => kind === 'sale')).toBeCloseTo(21, 0)
    expect(perDay(({ kind }) => kind === 'purchase')).toBeCloseTo(9, 0)
    expect(perDay(({ kind }) => kind === 'design')).toBeCloseTo(1, 0)
    expect(perDay(({ kind }) => kind === 'deletion')).toBeCloseTo(0.2, 1)
    for (const table of ['sales_order', 'purchase_order']) {
      const rate = perDay(({ change }) => change?.table === table)
      expect(rate).toBeGreaterThan(0.3)
      expect(rate).toBeLessThan(0.5)
    }
    expect(perDay(({ change }) => change?.table === 'design')).toBeCloseTo(0.15, 1)
  })

  it('plans nothing at weekends, and all but the payments in working hours', () => {
    expect(planDay(3, new Date('2024-08-24T12:00:00Z'))).toEqual([])
    for (const { at, kind } of planned) {
      expect(isWorkday(at)).toBe(true)
      const time = at.toISOString().slice(11, 19)
      const isPunctual =
        kind === 'payments' ? time === '07:55:11' : time >= '08:00:00' && time < '19:00:00'
      expect(isPunctual, `${kind} at ${time}`).toBe(true)
    }
  })

  it('is in order of time, ends a day with an order, and is the same every time', () => {
    const day = planDay(3, new Date('2024-08-22T23:59:59Z'))
    expect(day).toEqual(planDay(3, new Date('2024-08-22')))
    expect(day).not.toEqual(planDay(4, new Date('2024-08-22')))
    expect(isLandmark(day.at(-1)!)).toBe(true)
    const times = planned.map(({ at }) => at.getTime())
    expect(times).toEqual(times.toSorted((a, b) => a - b))
  })

  it('plans from after one moment up to and including another', () => {
    const [first, second, third] = planDay(3, new Date('2024-08-22'))
    expect(planBetween(3, first!.at, third!.at)).toEqual([second, third])
    expect(planBetween(3, third!.at, first!.at)).toEqual([])
    expect(nextPlanned(3, new Date('2024-08-23T19:00:00Z')).toISOString()).toMatch(
      /^2024-08-26T07:55:11/,
    )
  })
})

describe('workingTime()', () => {
  it('counts only working hours', () => {
    const monday = workingTime(new Date('2024-08-19T08:00:00Z'))
    const since = (moment: string): number =>
      (workingTime(new Date(moment)) - monday) / workingDayMs
    expect(since('2024-08-19T06:00:00Z')).toBe(0)
    expect(since('2024-08-19T13:30:00Z')).toBe(0.5)
    expect(since('2024-08-19T23:00:00Z')).toBe(1)
    expect(since('2024-08-24T12:00:00Z')).toBe(5)
    expect(since('2024-08-26T08:00:00Z')).toBe(5)
    expect(workingTime(new Date('1969-12-29T08:00:00Z'))).toBe(-5 * workingDayMs)
  })
})
