import { expect, it } from 'vitest'
import { carryOver, countRows, NO_ROWS } from './table-entry.ts'

it('I10 countRows() accounts for every row read', () => {
  expect(countRows({ read: 10, inserted: 3, updated: 2, deleted: 4, quarantined: 1 })).toEqual({
    read: 10,
    accepted: 5,
    unchanged: 4,
    quarantined: 1,
    inserted: 3,
    updated: 2,
    deleted: 4,
  })
  const processed = { read: 9, inserted: 3, updated: 2, deleted: 4, areDeletesRead: true }
  expect(countRows(processed)).toMatchObject({ accepted: 9, unchanged: 0 })
})

it('I10 countRows() throws if more rows were accepted and quarantined than read', () => {
  expect(() => countRows({ read: 2, inserted: 2, quarantined: 1 })).toThrow(
    '2 rows were read, 2 accepted, 1 quarantined',
  )
})

it('carryOver() leaves out what describes only the batch before', () => {
  const state = [{ key: 'a', rows: 1, bytes: 1, sha256: 'x', role: 'base' as const }]
  const file = { key: 'b', rows: 1, bytes: 1, sha256: 'y' }
  const before = {
    counts: countRows({ read: 1, inserted: 1 }),
    changes: [file],
    quarantine: [file],
    open: [file],
    state,
    rows: 1,
    archived: [file],
    warnings: { late: 1 },
    warningsSoFar: { late: 3 },
    changesSince: 2,
  }
  expect(carryOver(before)).toEqual({
    counts: NO_ROWS,
    changes: [],
    quarantine: [],
    open: [file],
    state,
    rows: 1,
    warningsSoFar: { late: 3 },
  })
  expect(carryOver()).toEqual({
    counts: NO_ROWS,
    changes: [],
    quarantine: [],
    open: [],
    state: [],
    rows: 0,
  })
})
