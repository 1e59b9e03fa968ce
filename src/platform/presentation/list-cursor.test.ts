import { describe, expect, it } from 'vitest'
import { type CursorScope, cursorOf, placeIn } from './list-cursor.ts'
import { sealPlace } from './sealed-place.ts'

const scope: CursorScope = {
  list: { name: 'orders' },
  sort: { column: 'amount', isDescending: true },
  filters: { state: 'open', currency: 'GBP' },
}
const place = { isBefore: true, value: 'Ä "quoted" \u2028 text', key: '7' }

describe('cursorOf()', () => {
  it('makes a text for an address, from which placeIn() reads the same place', () => {
    const cursor = cursorOf(place, scope)
    expect(cursor).toMatch(/^[\w-]+$/)
    expect(placeIn(cursor, scope)).toEqual(place)
    const filters = { currency: 'GBP', state: 'open' }
    expect(placeIn(cursor, { ...scope, filters })).toEqual(place)
  })

  it('holds for one list, one order and the same filters only', () => {
    const cursor = cursorOf(place, scope)
    for (const other of [
      { list: { name: 'payments' } },
      { sort: { column: 'amount', isDescending: false } },
      { sort: { column: 'number', isDescending: true } },
      { filters: { state: 'open' } },
      { filters: { state: 'open', currency: 'EUR' } },
    ]) {
      expect(placeIn(cursor, { ...scope, ...other })).toBe('other list')
    }
  })
})

describe('placeIn()', () => {
  it('takes no other text for a cursor', () => {
    const cursor = cursorOf(place, scope)
    const text = Buffer.from(cursor, 'base64url').toString()
    for (const other of [
      '',
      'x',
      cursor.slice(0, -1),
      `${cursor}A`,
      cursor.toUpperCase(),
      Buffer.from(text.replace('"7"', '"8"')).toString('base64url'),
      Buffer.from(`${text.slice(0, 12)} [1`).toString('base64url'),
      `${cursor}=`,
      sealPlace({ isBefore: true, value: '1' }, []),
      sealPlace({ isBefore: 'no', value: '1', key: '7' }, []),
      sealPlace(null, []),
    ]) {
      expect(placeIn(other, scope), other).toBe('not a cursor')
    }
  })
})
