import { expect, it } from 'vitest'
import { generationOf } from '../platform/project/generation.ts'
import { totesys } from './totesys.ts'

it('Totesys makes the generation that its warehouses were loaded with', () => {
  // A run with another generation makes every batch again. Change this only for a change of rows.
  expect(generationOf(totesys)).toBe('7516e7141880')
})

it('Totesys makes its dimensions, then its facts, then its calendar', () => {
  const kinds = totesys.models.map(({ kind }) => kind)
  expect(kinds).toEqual([
    ...Array.from({ length: 7 }, () => 'dimension'),
    ...Array.from({ length: 4 }, () => 'fact'),
    'calendar',
  ])
})
