import { describe, expect, it } from 'vitest'
import type { Loaded } from '../warehouse/ledger.ts'
import { planUpTo } from './replace-content.ts'

const at = (batch: number, generation = 'one'): Loaded => ({
  batch,
  generation,
  snapshotAt: '2026-01-01T00:00:00.000000Z',
  loadedFrom: `${generation} ${batch}`,
})

describe('planUpTo()', () => {
  it('goes to the last batch of a rebuild, or to what another run has loaded since', () => {
    const rebuild = { generation: 'one', lastBatch: 5, head: at(5) }
    expect(planUpTo(rebuild, at(5))).toBe(5)
    expect(planUpTo(rebuild, at(7))).toBe(7)
    expect(planUpTo(rebuild, undefined)).toBe(5)
    expect(planUpTo(rebuild, at(7, 'two'))).toBeUndefined()
    expect(planUpTo({ ...rebuild, head: undefined }, undefined)).toBe(5)
    expect(planUpTo({ ...rebuild, head: undefined }, at(6))).toBe(6)
    expect(planUpTo({ ...rebuild, head: at(3) }, at(4))).toBe(5)
  })

  it('goes back to an earlier batch, whatever is loaded meanwhile', () => {
    const back = { generation: 'one', lastBatch: 2, head: at(5) }
    expect(planUpTo(back, at(5))).toBe(2)
    expect(planUpTo(back, at(6))).toBe(2)
  })

  it('skips a switch that another run has made, or that has not caught up', () => {
    const change = { generation: 'two', lastBatch: 5, head: at(5) }
    expect(planUpTo(change, at(5))).toBe(5)
    expect(planUpTo(change, at(5, 'two'))).toBeUndefined()
    expect(planUpTo(change, at(6))).toBeUndefined()
    expect(planUpTo({ ...change, head: at(3) }, at(4))).toBe(5)
  })
})
