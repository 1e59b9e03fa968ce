import { expect, it } from 'vitest'
import { createTurns } from './in-turn.ts'

const seen: string[] = []
const work = (name: string) => async () => {
  seen.push(`${name} begins`)
  await new Promise((resolve) => setImmediate(resolve))
  seen.push(`${name} ends`)
  if (name === 'b') throw new Error('b failed')
  return name
}

it('createTurns() begins each work after the one before has ended, even if that failed', async () => {
  await using turns = createTurns()
  const all = ['a', 'b', 'c'].map((name) => turns.inTurn(work(name)))
  const [a, b, c] = await Promise.allSettled(all)
  expect(a).toMatchObject({ value: 'a' })
  expect(b).toMatchObject({ reason: { message: 'b failed' } })
  expect(c).toMatchObject({ value: 'c' })
  expect(seen).toEqual(['a begins', 'a ends', 'b begins', 'b ends', 'c begins', 'c ends'])
})

it('createTurns() begins nothing more once it is disposed of', async () => {
  seen.length = 0
  const turns = createTurns()
  const [first, second] = ['d', 'e'].map((name) => turns.inTurn(work(name)))
  await new Promise((resolve) => setImmediate(resolve))
  await turns[Symbol.asyncDispose]()
  const ended = await Promise.allSettled([first, second])
  expect(ended.map(({ status }) => status)).toEqual(['fulfilled', 'rejected'])
  expect(seen).toEqual(['d begins', 'd ends'])
})
