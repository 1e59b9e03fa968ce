import { tmpdir } from 'node:os'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { BUGS } from './bugs.ts'
import { playSeed } from './histories.ts'
import { parseOptions, USAGE } from './options.ts'
import { openStage, type Stage } from './play.ts'
import { createRandom } from './random.ts'
import { shrink } from './shrink.ts'
import { makeHistory, type Step } from './step.ts'

const STEPS = 80

let stage: Stage
beforeAll(async () => {
  stage = await openStage(tmpdir())
})
afterAll(() => stage[Symbol.asyncDispose]())

describe('simulated histories', () => {
  it('I1 I2 I3 I4 I6 I7 I10 I11 I13 I14 hold in 300 of them', async () => {
    // Others than last time, so that CI sees new ones every day; a failure names its seed.
    const first = Math.floor(Date.now() / 86_400_000) * 1000
    const failed: unknown[] = []
    let batches = 0
    for (let seed = first; seed < first + 300; seed++) {
      const played = await playSeed(stage, { seed, steps: STEPS, bug: undefined })
      batches += played.batches
      if (played.failure !== undefined) failed.push(played)
    }
    expect(failed).toEqual([])
    expect(batches).toBeGreaterThan(300)
  })

  it.each(BUGS)('find the bug "$name" within 200 seeds', async (bug) => {
    for (let seed = 1; seed <= 200; seed++) {
      const { violations } = await stage.play(makeHistory(seed, STEPS), { bug })
      if (violations.length > 0) return
    }
    expect.unreachable(`${bug.name} was not found`)
  })

  it('play the same way each time', async () => {
    const again = async () => await playSeed(stage, { seed: 12, steps: STEPS, bug: undefined })
    expect(await again()).toEqual(await again())
  })

  it('are shortened to what fails', async () => {
    const found = await playSeed(stage, { seed: 10, steps: STEPS, bug: 'record first' })
    const shortest = found.failure?.shortest ?? []
    expect(shortest.length).toBeGreaterThan(0)
    expect(shortest.length).toBeLessThan(12)
    const bug = BUGS.find(({ name }) => name === 'record first')
    expect((await stage.play(shortest, { bug })).violations).not.toEqual([])
    expect((await stage.play(shortest)).violations).toEqual([])
  })

  it('hold every kind of step, and every outcome', () => {
    const steps = Array.from({ length: 200 }, (_, seed) => makeHistory(seed, STEPS)).flat()
    const kinds = new Set(steps.map((step: Step) => step.do))
    expect([...kinds].toSorted()).toEqual([
      'alter',
      'attach',
      'backup',
      'begin',
      'checkpoint',
      'commit',
      'copy lake',
      'detach',
      'failover',
      'finish',
      'go on',
      'prepare',
      'put another lake there',
      'put lake back',
      'read primary',
      'read standby',
      'restart',
      'restore',
      'rollback',
      'rollback to savepoint',
      'savepoint',
      'spend xids',
      'start',
      'truncate',
      'write',
    ])
    const outcomes = new Set(steps.map((step) => (step.do === 'go on' ? step.outcome : 'done')))
    expect(outcomes.size).toBe(5)
  })
})

describe('shrink()', () => {
  it('leaves the items that are needed, in their order', async () => {
    const items = Array.from({ length: 100 }, (_, index) => index)
    const fails = async (some: readonly number[]) => some.includes(7) && some.includes(93)
    expect(await shrink(items, fails)).toEqual([7, 93])
  })

  it('stops after so many tries with what it has', async () => {
    const items = Array.from({ length: 64 }, (_, index) => index)
    let tries = 0
    const fails = async (some: readonly number[]) => {
      tries += 1
      return some.includes(0)
    }
    const left = await shrink(items, fails, { tries: 3 })
    expect(tries).toBe(3)
    expect(left).toContain(0)
  })
})

describe('createRandom()', () => {
  it('gives the same numbers for a seed, and others for another', () => {
    const some = (seed: number) => {
      const random = createRandom(seed)
      return Array.from({ length: 50 }, () => random.below(1000))
    }
    expect(some(1)).toEqual(some(1))
    expect(some(1)).not.toEqual(some(2))
    expect(new Set(some(3)).size).toBeGreaterThan(40)
  })
})

describe('parseOptions()', () => {
  it('plays a hundred histories from a random seed unless told otherwise', () => {
    expect(parseOptions([])).toMatchObject({ steps: 80, histories: 100, bug: undefined })
    expect(parseOptions(['--seed', '7', '--steps', '30', '--histories', '2'])).toMatchObject({
      seed: 7,
      steps: 30,
      histories: 2,
    })
  })

  it('answers --help with its usage', () => {
    expect(parseOptions(['--help'])).toEqual({ usage: USAGE, exitCode: 0 })
  })

  it.each([
    ['--seed', 'x', '--seed x: give a whole number from 0'],
    ['--steps', '0', '--steps 0: give a whole number from 1'],
    ['--bug', 'none', '--bug none: there is no such bug'],
  ])('refuses %s %s', (option, value, message) => {
    const found = parseOptions([option, value])
    expect(found).toMatchObject({ exitCode: 2 })
    expect('usage' in found ? found.usage : '').toContain(message)
  })
})
