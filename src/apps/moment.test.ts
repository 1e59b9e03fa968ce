import fc from 'fast-check'
import { expect, it } from 'vitest'
import { parseIsoMoment } from './moment.ts'

it.each([
  ['2026-11-01', '2026-11-01T23:59:59.999999Z'],
  ['2026-11-01T12:30', '2026-11-01T12:30:00.000000Z'],
  ['2026-11-01 12:30:05', '2026-11-01T12:30:05.000000Z'],
  ['2026-11-01T12:30:05.1Z', '2026-11-01T12:30:05.100000Z'],
  ['2026-11-01t12:30:05.123456789z', '2026-11-01T12:30:05.123456Z'],
  ['2026-11-01T00:30:00+01:00', '2026-10-31T23:30:00.000000Z'],
  ['2026-11-01 12:00+00', '2026-11-01T12:00:00.000000Z'],
  ['2026-12-31T23:00:00.000001-0330', '2027-01-01T02:30:00.000001Z'],
  ['2024-02-29', '2024-02-29T23:59:59.999999Z'],
])('parseIsoMoment() takes %s', (text, moment) => {
  expect(parseIsoMoment(text)).toBe(moment)
})

it.each([
  '',
  'yesterday',
  '2026-11',
  '2026-02-30',
  '2026-02-29',
  '2026-13-01',
  '2026-11-01T24:00',
  '2026-11-01T12:60',
  '2026-11-01T12:00:60',
  '2026-11-01T12:00+16:00',
  '2026-11-01T12:00+01:60',
  '2026-11-01Z',
  '2026-11-01T12',
  '0000-01-01T00:00+01:00',
  '9999-12-31T23:59-01:00',
  '1793534400',
])('parseIsoMoment() refuses %s', (text) => {
  expect(parseIsoMoment(text)).toBeUndefined()
})

it('parseIsoMoment() returns what it made, and reads a moment with any zone', () => {
  const moment = fc.date({
    min: new Date('0001-01-02T00:00:00Z'),
    max: new Date('9999-12-30T00:00:00Z'),
    noInvalidDate: true,
  })
  fc.assert(
    fc.property(moment, fc.integer({ min: -15 * 60, max: 15 * 60 }), (date, minutes) => {
      const expected = `${date.toISOString().slice(0, -1)}000Z`
      expect(parseIsoMoment(expected)).toBe(expected)
      const there = new Date(date.getTime() + minutes * 60_000).toISOString().slice(0, -1)
      const two = (part: number) => String(Math.floor(Math.abs(part))).padStart(2, '0')
      const zone = `${minutes < 0 ? '-' : '+'}${two(Math.abs(minutes) / 60)}:${two(minutes % 60)}`
      expect(parseIsoMoment(there + zone)).toBe(expected)
    }),
  )
})
