import { expect, it } from 'vitest'
import { nearestName } from './nearest-name.ts'

it.each([
  ['ordrs', ['order', 'orders', 'users'], 2, 'orders'],
  ['ORDERS', ['users', 'orders'], 0, 'orders'],
  ['orders', ['total', 'customer'], 2, undefined],
  ['abc', ['abcd', 'abx'], 1, 'abcd'],
  ['', ['a'], 1, 'a'],
  ['abc', [], 9, undefined],
])('nearestName(%j, %j, %j) is %j', (written, names, most, near) => {
  expect(nearestName(written, names, most)).toBe(near)
})
