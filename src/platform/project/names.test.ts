import { expect, it } from 'vitest'
import { shortName } from './names.ts'

it('shortName() keeps a name that Postgres would not cut', () => {
  expect(shortName('orders')).toBe('orders')
  expect(shortName('orders', '_current')).toBe('orders_current')
  expect(shortName('x'.repeat(63))).toBe('x'.repeat(63))
  expect(shortName('ü'.repeat(31))).toBe('ü'.repeat(31))
})

it('shortName() cuts a longer one and continues it with a hash of the whole name', () => {
  expect(shortName('x'.repeat(64))).toBe(`${'x'.repeat(54)}_7ce10097`)
  expect(shortName('x'.repeat(63), '_current')).toBe(`${'x'.repeat(46)}_75220b47_current`)
  expect(shortName(`${'x'.repeat(63)}y`)).not.toBe(shortName(`${'x'.repeat(63)}z`))
})

it('shortName() cuts between characters, never inside one', () => {
  const short = shortName('🐟'.repeat(20))
  expect(short).toMatch(/^🐟{13}_[0-9a-f]{8}$/u)
  expect(Buffer.byteLength(shortName('ü'.repeat(32)))).toBe(63)
})
