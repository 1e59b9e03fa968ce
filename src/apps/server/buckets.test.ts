import { expect, it } from 'vitest'
import { createBuckets } from './buckets.ts'

it('createBuckets() lets a burst through and then a number a second, for each client apart', () => {
  let now = 0
  const buckets = createBuckets({ burst: 3, perSecond: 2 }, () => now)
  const take = (client: string) => buckets.take(client)
  expect([take('a'), take('a'), take('a'), take('a')]).toEqual([0, 0, 0, 0.5])
  expect(take('b')).toBe(0)
  now = 500
  expect([take('a'), take('a')]).toEqual([0, 0.5])
  now = 60_000
  expect([take('a'), take('a'), take('a'), take('a') > 0]).toEqual([0, 0, 0, true])
})

it('createBuckets() forgets the client that asked longest ago, so that its memory is bounded', () => {
  const buckets = createBuckets({ burst: 1, perSecond: 1 }, () => 0)
  buckets.take('first')
  for (let n = 0; n < 9999; n++) buckets.take(`client ${n}`)
  expect(buckets.take('first')).toBe(1)
  for (let n = 0; n < 10_000; n++) buckets.take(`other ${n}`)
  expect(buckets.take('first')).toBe(0)
})
