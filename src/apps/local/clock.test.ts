import { describe, expect, it } from 'vitest'
import { clockSetting, createClock } from './clock.ts'

describe('createClock()', () => {
  it('shows the real time without a setting, and then nothing is simulated', () => {
    const real = new Date('2026-11-30T05:00:00Z')
    const clock = createClock(undefined, () => real)
    expect(clock.now()).toBe(real)
    expect(clock.simulated()).toBeUndefined()
    expect(clock.setting).toBeUndefined()
  })

  it('runs from its start at its speed', () => {
    let real = new Date('2026-11-30T05:00:00Z')
    const setting = { start: '2026-11-28T22:00:00Z', since: '2026-11-30T05:00:00Z', speed: 60 }
    const clock = createClock(setting, () => real)
    expect(clock.now()).toEqual(new Date('2026-11-28T22:00:00Z'))
    real = new Date('2026-11-30T05:00:10Z')
    expect(clock.now()).toEqual(new Date('2026-11-28T22:10:00Z'))
    expect(clock.simulated()).toEqual(clock.now())
  })

  it('shows another process the same time', () => {
    const setting = { start: '2026-11-28T22:00:00Z', since: '2026-11-30T05:00:00Z', speed: 60 }
    const real = () => new Date('2026-11-30T05:00:10Z')
    const other = createClock(clockSetting.parse(JSON.parse(JSON.stringify(setting))), real)
    expect(other.now()).toEqual(createClock(setting, real).now())
  })

  it('stands at a moment while work is done, and goes on after it, even if it failed', async () => {
    const real = new Date('2026-11-30T05:00:00Z')
    const moment = new Date('2026-09-07T05:00:00Z')
    const clock = createClock(undefined, () => real)
    const seen = await clock.standAt(moment, async () => [clock.now(), clock.simulated()])
    expect(seen).toEqual([moment, moment])
    expect(clock.simulated()).toBeUndefined()
    const failed = clock.standAt(moment, async () => {
      throw new Error('no')
    })
    await expect(failed).rejects.toThrow('no')
    expect(clock.now()).toBe(real)
  })
})
