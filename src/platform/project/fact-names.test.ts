import { expect, it } from 'vitest'
import {
  asOfBatchFunction,
  currentTable,
  freeName,
  historyBeside,
  historyColumns,
  historyView,
} from './fact-names.ts'

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
