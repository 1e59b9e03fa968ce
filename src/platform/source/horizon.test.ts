import { describe, expect, it } from 'vitest'
import { isQuiet, isSameHistory, planRead } from './horizon.ts'
import type { SnapshotIdentity } from './snapshot.ts'

function snapshot(
  xmin: bigint | number,
  xmax: bigint | number,
  more: Partial<SnapshotIdentity> = {},
): SnapshotIdentity {
  return {
    xmin: String(xmin),
    xmax: String(xmax),
    inFlight: [],
    takenAt: '2024-01-01T00:00:00.000000Z',
    systemId: 'cluster/1',
    timeline: 1,
    standby: false,
    ...more,
  }
}

const WRAP = 2n ** 32n

describe('isQuiet()', () => {
  it('I9 says so only when no id was given out and none was open', () => {
    expect(isQuiet(snapshot(700, 700), snapshot(700, 700))).toBe(true)
    expect(isQuiet(snapshot(701, 701), snapshot(700, 700))).toBe(false)
    expect(isQuiet(snapshot(700, 701), snapshot(700, 700))).toBe(false)
  })

  it('I1 never while something was in flight before, though nothing began since: it may have committed', () => {
    expect(isQuiet(snapshot(700, 700), snapshot(690, 700))).toBe(false)
    expect(isQuiet(snapshot(690, 700), snapshot(690, 700))).toBe(false)
  })

  it('I1 on a standby the in-flight list is empty: xmin and xmax decide alone', () => {
    const standby = { standby: true, inFlight: [] }
    expect(isQuiet(snapshot(700, 700, standby), snapshot(690, 700, standby))).toBe(false)
    expect(isQuiet(snapshot(700, 700, standby), snapshot(700, 700, standby))).toBe(true)
  })

  it('compares 64-bit ids whole, which differ though their lower halves are the same', () => {
    expect(isQuiet(snapshot(700n + WRAP, 700n + WRAP), snapshot(700, 700))).toBe(false)
    const big = 2n ** 63n
    expect(isQuiet(snapshot(big + 1n, big + 1n), snapshot(big, big))).toBe(false)
    expect(isQuiet(snapshot(big, big), snapshot(big, big))).toBe(true)
  })

  it.each([
    ['cluster', { systemId: 'cluster/2' }],
    ['timeline', { timeline: 2 }],
  ])('never of another %s', (_, more) => {
    expect(isQuiet(snapshot(700, 700, more), snapshot(700, 700))).toBe(false)
  })
})

describe('isSameHistory()', () => {
  it('ends where the counter went back, compared as numbers', () => {
    expect(isSameHistory(snapshot(9, 9), snapshot(10, 10))).toBe(false)
    expect(isSameHistory(snapshot(1000, 1000), snapshot(999, 999))).toBe(true)
    expect(isSameHistory(snapshot(10n + WRAP, 10n + WRAP), snapshot(WRAP - 1n, WRAP - 1n))).toBe(
      true,
    )
  })
})

describe('planRead()', () => {
  const shape = { fingerprint: 'f', hasXmin: true }
  const before = (identity: SnapshotIdentity, fingerprint: string | undefined = 'f') => ({
    snapshot: identity,
    fingerprint,
  })

  it('reads a table for the first time whole, without comparing', () => {
    expect(planRead(snapshot(5, 5), shape, undefined)).toEqual({ how: 'first' })
    expect(
      planRead(snapshot(5, 5), shape, { snapshot: snapshot(5, 5), fingerprint: undefined }),
    ).toEqual({
      how: 'first',
    })
  })

  it('I1 looks back to the oldest transaction that was open at the last batch', () => {
    expect(planRead(snapshot(950, 1000), shape, before(snapshot(700, 900)))).toEqual({
      how: 'since',
      age: 300,
    })
    expect(planRead(snapshot(900, 900), shape, before(snapshot(900, 900)))).toEqual({
      how: 'since',
      age: 0,
    })
  })

  it('I1 counts across the wrap of 32-bit ids', () => {
    expect(
      planRead(snapshot(WRAP + 10n, WRAP + 10n), shape, before(snapshot(WRAP - 5n, WRAP - 5n))),
    ).toEqual({
      how: 'since',
      age: 15,
    })
    const late = 5n * WRAP
    expect(
      planRead(snapshot(late, late + 3n), shape, before(snapshot(late - 4n, late - 1n))),
    ).toEqual({
      how: 'since',
      age: 7,
    })
  })

  it('I1 compares whole once the horizon is half the circle away', () => {
    const far = 2n ** 31n - 1_000_000n
    expect(planRead(snapshot(far + 3n, far + 3n), shape, before(snapshot(3, 3)))).toEqual({
      how: 'since',
      age: Number(far),
    })
    expect(planRead(snapshot(far + 4n, far + 4n), shape, before(snapshot(3, 3)))).toEqual({
      how: 'whole',
      why: expect.stringContaining('two billion'),
    })
    expect(planRead(snapshot(WRAP + 4n, WRAP + 4n), shape, before(snapshot(3, 3)))).toMatchObject({
      how: 'whole',
    })
  })

  it.each([
    ['the cluster is another', snapshot(9, 9, { systemId: 'x' }), shape, /restored or failed over/],
    ['the timeline is another', snapshot(9, 9, { timeline: 2 }), shape, /restored or failed over/],
    ['the counter went back', snapshot(4, 4), shape, /restored or failed over/],
    [
      'the table has another fingerprint',
      snapshot(9, 9),
      { ...shape, fingerprint: 'g' },
      /another shape/,
    ],
    ['the relation has no ids', snapshot(9, 9), { ...shape, hasXmin: false }, /no transaction ids/],
  ])('compares whole when %s', (_, now, wanted, why) => {
    expect(planRead(now, wanted, before(snapshot(5, 5)))).toEqual({
      how: 'whole',
      why: expect.stringMatching(why),
    })
  })
})
