import { expect, it } from 'vitest'
import {
  asOfBatchFunction,
  currentTable,
  freeName,
  historyBeside,
  historyColumns,
  historyView,
} from './fact-names.ts'
import { shortName } from './names.ts'

it('shortName() keeps a name that Postgres does not cut', () => {
  expect(shortName('orders', '_current')).toBe('orders_current')
  expect(shortName('x'.repeat(63))).toBe('x'.repeat(63))
})

it('shortName() shortens a long name at a character, the same way every time', () => {
  const name = 'ü'.repeat(31)
  const short = shortName(name, '_as_of_batch')
  expect(Buffer.byteLength(short)).toBeLessThanOrEqual(63)
  expect(short).toMatch(/^ü+_[0-9a-f]{8}_as_of_batch$/)
  expect(shortName(name, '_as_of_batch')).toBe(short)
})

it('shortName() gives different names to names that begin alike', () => {
  const [one, other] = ['a', 'b'].map((end) => shortName(`${'x'.repeat(62)}${end}`, '_current'))
  expect(one).not.toBe(other)
})

it('derives every relation of a fact from its name', () => {
  const fact = { table: 'x'.repeat(60) }
  const names = [currentTable(fact), historyView(fact), asOfBatchFunction(fact)]
  expect(names.every((name) => Buffer.byteLength(name) <= 63)).toBe(true)
  expect(new Set(names).size).toBe(3)
})

it('historyBeside() moves only the columns of the history whose names are taken', () => {
  expect(historyBeside(['id', 'name'])).toBeUndefined()
  const history = historyBeside(['id', 'Version', 'batch_id', 'tidemark_batch_id'])
  expect(history).toEqual({ version: 'tidemark_version', batch: 'tidemark_tidemark_batch_id' })
  expect(historyColumns({ ...(history && { history }) })).toMatchObject({
    operation: 'record_operation',
    version: 'tidemark_version',
  })
  expect(freeName('record_id', new Set())).toBe('record_id')
})
