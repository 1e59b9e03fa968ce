import { expect, it } from 'vitest'
import { boundedMap, createMemory, inMemory } from './memory.ts'

it('inMemory() keeps a value for each memory', () => {
  const placeIn = inMemory(() => new Map<string, number>())
  const [one, other] = [createMemory(), createMemory()]
  placeIn(one).set('a', 1)
  expect(placeIn(one).get('a')).toBe(1)
  expect(placeIn(other).get('a')).toBeUndefined()
})

it('boundedMap() never holds more entries than its size', () => {
  const map = boundedMap<number, string>(2)
  for (const key of [1, 2, 2]) map.set(key, 'x')
  expect([...map.keys()]).toEqual([1, 2])
  map.set(3, 'x')
  expect([...map.keys()]).toEqual([3])
})
