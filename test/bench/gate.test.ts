import { expect, it } from 'vitest'
import { atGate, findUnmeasured } from '../../bench/gate.ts'
import { isMissed, type Measurement } from '../../bench/measure.ts'

const figure = (name: string, value: number): Measurement => ({
  name,
  title: name,
  value,
  unit: '×',
  bar: { atMost: 1 },
})

it('the gate lets a figure above its bar pass, and stops one above its limit', () => {
  const found = atGate([figure('first_load', 1.6), figure('extract', 9), figure('wal', 1.1)])
  expect(found.filter(isMissed).map(({ name }) => name)).toEqual(['extract'])
})

it('the gate has no opinion on a figure without a limit', () => {
  expect(atGate([figure('first_load_one_copy', 99)]).some(isMissed)).toBe(false)
})

it('the gate stops what could not be measured', () => {
  expect(atGate([figure('first_load', Number.NaN)]).some(isMissed)).toBe(true)
  const names = findUnmeasured([figure('first_load', 1)])
  expect(names).toContain('extract')
  expect(names).not.toContain('first_load')
})
