import { expect, it } from 'vitest'
import { describeSchedule, isZone, type Schedule, slotsAround } from './schedule.ts'

const LONDON = 'Europe/London'

it.each<[string, Schedule, string, string, string]>([
  [
    'before the time of the day',
    { every: 'day', at: '08:00', zone: LONDON },
    '2026-11-30T07:59:59Z',
    '2026-11-29T08:00:00.000Z',
    '2026-11-30T08:00:00.000Z',
  ],
  [
    'at that time',
    { every: 'day', at: '08:00', zone: LONDON },
    '2026-11-30T08:00:00Z',
    '2026-11-30T08:00:00.000Z',
    '2026-12-01T08:00:00.000Z',
  ],
  [
    'in summer, by the clocks of the zone',
    { every: 'week', on: 'monday', at: '08:00', zone: LONDON },
    '2026-07-01T12:00:00Z',
    '2026-06-29T07:00:00.000Z',
    '2026-07-06T07:00:00.000Z',
  ],
  [
    'in a zone where it is already tomorrow',
    { every: 'day', at: '00:30', zone: 'Pacific/Kiritimati' },
    '2026-11-30T11:00:00Z',
    '2026-11-30T10:30:00.000Z',
    '2026-12-01T10:30:00.000Z',
  ],
  [
    'in a month without the day, on its last one',
    { every: 'month', on: 31, at: '09:00', zone: 'UTC' },
    '2027-02-15T00:00:00Z',
    '2027-01-31T09:00:00.000Z',
    '2027-02-28T09:00:00.000Z',
  ],
  [
    'in the hour that summer time leaves out, as much later',
    { every: 'day', at: '01:30', zone: LONDON },
    '2026-03-29T12:00:00Z',
    '2026-03-29T01:30:00.000Z',
    '2026-03-30T00:30:00.000Z',
  ],
  [
    'in the hour that occurs twice, the first time only',
    { every: 'day', at: '01:30', zone: LONDON },
    '2026-10-25T12:00:00Z',
    '2026-10-25T00:30:00.000Z',
    '2026-10-26T01:30:00.000Z',
  ],
  [
    'in such an hour west of Greenwich',
    { every: 'day', at: '02:30', zone: 'America/New_York' },
    '2026-03-08T20:00:00Z',
    '2026-03-08T07:30:00.000Z',
    '2026-03-09T06:30:00.000Z',
  ],
])('slotsAround() finds the slots %s', (...row) => {
  const [, schedule, now, last, next] = row
  const found = slotsAround(schedule, new Date(now))
  expect([found.last.toISOString(), found.next.toISOString()]).toEqual([last, next])
})

it('slotsAround() serves each day once through a whole year with both changes of the clocks', () => {
  const schedule: Schedule = { every: 'day', at: '01:30', zone: LONDON }
  let at = new Date('2026-01-01T12:00:00Z')
  const slots: number[] = []
  while (at < new Date('2027-01-01T00:00:00Z')) {
    at = slotsAround(schedule, at).next
    slots.push(at.getTime())
  }
  expect(slots).toHaveLength(365)
  const gaps = new Set(slots.slice(1).map((slot, index) => (slot - slots[index]!) / 3_600_000))
  expect(gaps).toEqual(new Set([23, 24, 25]))
})

it('isZone() knows the names of time zones', () => {
  expect(['Europe/London', 'UTC', 'Europe/Lodnon', ''].map(isZone)).toEqual([
    true,
    true,
    false,
    false,
  ])
})

it('describeSchedule() says when a report is sent', () => {
  const at = { at: '08:00', zone: LONDON }
  expect([
    describeSchedule({ every: 'day', ...at }),
    describeSchedule({ every: 'week', on: 'monday', ...at }),
    describeSchedule({ every: 'month', on: 1, ...at }),
  ]).toEqual([
    'every day at 08:00, Europe/London',
    'every Monday at 08:00, Europe/London',
    'on day 1 of every month at 08:00, Europe/London',
  ])
})
