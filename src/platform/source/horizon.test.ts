import { describe, expect, it } from 'vitest'
import { findOtherHistory, isBehind, isQuiet, planRead } from './horizon.ts'
import type { SnapshotIdentity } from './identity.ts'

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
  it('I9 is true only if no id was assigned and none was open', () => {
    expect(isQuiet(snapshot(700, 700), snapshot(700, 700))).toBe(true)
    expect(isQuiet(snapshot(701, 701), snapshot(700, 700))).toBe(false)
    expect(isQuiet(snapshot(700, 701), snapshot(700, 700))).toBe(false)
  })

  it('I1 is false if a transaction was in flight before, because it may have committed since', () => {
    expect(isQuiet(snapshot(700, 700), snapshot(690, 700))).toBe(false)
    expect(isQuiet(snapshot(690, 700), snapshot(690, 700))).toBe(false)
  })

  it('I1 decides by xmin and xmax, because the in-flight list of a standby is empty', () => {
    const standby = { standby: true, inFlight: [] }
    expect(isQuiet(snapshot(700, 700, standby), snapshot(690, 700, standby))).toBe(false)
    expect(isQuiet(snapshot(700, 700, standby), snapshot(700, 700, standby))).toBe(true)
  })

  it('compares 64-bit ids as a whole, also if their lower halves are equal', () => {
    expect(isQuiet(snapshot(700n + WRAP, 700n + WRAP), snapshot(700, 700))).toBe(false)
    const big = 2n ** 63n
    expect(isQuiet(snapshot(big + 1n, big + 1n), snapshot(big, big))).toBe(false)
    expect(isQuiet(snapshot(big, big), snapshot(big, big))).toBe(true)
  })

  it.each([
    ['cluster', { systemId: 'cluster/2' }],
    ['timeline', { timeline: 2 }],
  ])('is false for another %s', (_, more) => {
    expect(isQuiet(snapshot(700, 700, more), snapshot(700, 700))).toBe(false)
  })
})

describe('findOtherHistory()', () => {
  const evidence = {
    startedAt: '2024-01-01T00:00:00.000000Z',
    statisticsSince: '2024-01-01T00:00:01.000000Z',
    wal: '1/2000100',
    checkpoint: '1/1000028',
  }
  const before = snapshot(10, 10, evidence)

  it('finds no sign if only time has passed', () => {
    expect(findOtherHistory(before, before)).toBeUndefined()
    const later = snapshot(1000, 1000, { ...evidence, wal: 'A/0', checkpoint: '9/FFFFFFFF' })
    expect(findOtherHistory(later, before)).toBeUndefined()
    const big = snapshot(10n + WRAP, 10n + WRAP)
    expect(findOtherHistory(big, snapshot(WRAP - 1n, WRAP - 1n))).toBeUndefined()
  })

  it.each([
    ['another cluster', { systemId: 'cluster/2' }, /another cluster/],
    ['another timeline', { timeline: 2 }, /another timeline/],
    ['a promotion', { standby: true }, /is a standby now/],
    ['a counter that went back', { xmax: '9' }, /counter went back/],
    ['a log that went back', { wal: '1/2000000' }, /write-ahead log went back/],
    ['a checkpoint that went back', { checkpoint: '0/FFFFFFFF' }, /checkpoint went back/],
    ['a start since', { startedAt: '2024-01-01T00:00:00.000001Z' }, /restarted/],
    ['a crash since', { statisticsSince: '2024-01-01T00:00:02.000000Z' }, /has crashed/],
  ])('I14 takes %s as a sign', (_, more, why) => {
    expect(findOtherHistory({ ...before, ...more }, before)).toMatch(why)
  })

  it('I14 tells a promotion from its reverse', () => {
    expect(findOtherHistory(before, { ...before, standby: true })).toMatch(/standby became/)
  })

  it('does not count missing evidence as a sign: an old version did not ask, or the user may not', () => {
    const bare = snapshot(10, 10, { systemId: '', timeline: 0 })
    expect(findOtherHistory(before, snapshot(10, 10))).toBeUndefined()
    expect(findOtherHistory(before, bare)).toBeUndefined()
    expect(findOtherHistory(bare, before)).toBeUndefined()
  })
})

describe('isBehind()', () => {
  const standby = (wal: string, more: Partial<SnapshotIdentity> = {}) =>
    snapshot(10, 10, { standby: true, wal, ...more })

  it('I14 is true for a standby that has replayed less than was read before', () => {
    expect(isBehind(standby('0/3000000'), standby('0/3000060'))).toBe(true)
    expect(isBehind(standby('0/FFFFFFF8'), standby('1/0'))).toBe(true)
    expect(isBehind(standby('0/3000060'), standby('0/3000060'))).toBe(false)
    expect(
      isBehind(standby('0/3000000', { timeline: 1 }), standby('0/4000000', { timeline: 2 })),
    ).toBe(true)
  })

  it('I14 is true if the user may ask only for the position, not for cluster and timeline', () => {
    const unknown = { systemId: '', timeline: 0 }
    expect(isBehind(standby('0/3000000'), standby('0/4000000', unknown))).toBe(true)
    expect(isBehind(standby('0/3000000', unknown), standby('0/4000000'))).toBe(true)
  })

  it('is never true for a primary, another cluster or a newer timeline', () => {
    const before = standby('0/4000000')
    expect(isBehind(snapshot(10, 10, { wal: '0/3000000' }), before)).toBe(false)
    expect(isBehind(standby('0/3000000', { systemId: 'x' }), before)).toBe(false)
    expect(isBehind(standby('0/3000000', { timeline: 2 }), before)).toBe(false)
    expect(isBehind(snapshot(10, 10, { standby: true }), before)).toBe(false)
  })

  it("treats the end of a page and the end of the next page's header as one position", () => {
    expect(isBehind(standby('0/3002000'), standby('0/3002018'))).toBe(false)
    expect(isBehind(standby('0/4000000'), standby('0/4000028'))).toBe(false)
    expect(isBehind(standby('0/3001FF8'), standby('0/3002018'))).toBe(true)
  })
})

describe('planRead()', () => {
  const shape = { fingerprint: 'f', hasXmin: true }
  const before = (identity: SnapshotIdentity, fingerprint: string | undefined = 'f') => ({
    snapshot: identity,
    fingerprint,
  })

  it('reads a new table as a whole, without comparing', () => {
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

  it('I1 counts across the wraparound of 32-bit ids', () => {
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

  it('I1 compares the whole table once the horizon is half the circle away', () => {
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
    ['the cluster is another', snapshot(9, 9, { systemId: 'x' }), shape, /another cluster/],
    ['the timeline is another', snapshot(9, 9, { timeline: 2 }), shape, /restored or failed over/],
    ['the counter went back', snapshot(4, 4), shape, /counter went back/],
    [
      'the table has another fingerprint',
      snapshot(9, 9),
      { ...shape, fingerprint: 'g' },
      /another schema/,
    ],
    [
      'ids do not show every change',
      snapshot(9, 9),
      { ...shape, hasXmin: false },
      /do not show every change/,
    ],
  ])('compares the whole table if %s', (_, now, wanted, why) => {
    expect(planRead(now, wanted, before(snapshot(5, 5)))).toEqual({
      how: 'whole',
      why: expect.stringMatching(why),
    })
  })
})
