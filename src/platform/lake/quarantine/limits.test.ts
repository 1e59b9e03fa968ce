import { expect, it } from 'vitest'
import { areTooMany, canBeTooMany } from './limits.ts'

const limits = { quarantineShare: 0.2, quarantineRows: 100 }

it.each([
  { rows: 0, refused: 0, tooMany: false },
  { rows: 100, refused: 100, tooMany: false },
  { rows: 101, refused: 20, tooMany: false },
  { rows: 101, refused: 21, tooMany: true },
  { rows: 1000, refused: 200, tooMany: false },
  { rows: 1000, refused: 201, tooMany: true },
])('areTooMany() of $rows rows, $refused refused: $tooMany', ({ rows, refused, tooMany }) => {
  expect(areTooMany({ rows, refused }, limits)).toBe(tooMany)
})

it('canBeTooMany() is false only if no number of rows makes them too many', () => {
  for (const refused of [0, 19, 20, 21, 500]) {
    const rows = Array.from({ length: 3000 }, (_, index) => index).filter((all) => all >= refused)
    expect(canBeTooMany(refused, limits)).toBe(
      rows.some((all) => areTooMany({ rows: all, refused }, limits)),
    )
  }
})
