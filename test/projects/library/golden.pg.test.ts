import { readFile, writeFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readHistory } from '../../../src/platform/presentation/history.ts'
import { verify } from '../../../src/platform/inspect/verify.ts'
import { openWarehouse } from '../../../src/platform/warehouse/warehouse.ts'
import type { TestSystem } from '../../support/system.ts'
import { createLibrary, dump, HISTORY, relations, runHistory } from './library-system.ts'
import { library } from './project.ts'

let system: TestSystem
beforeAll(async () => {
  system = await createLibrary()
  await runHistory(system)
})
afterAll(() => system[Symbol.asyncDispose]())

describe('a library carried by the same platform', () => {
  const { dimensions, facts } = relations()
  for (const relation of [...dimensions, ...facts.map((fact) => `${fact}_history`)]) {
    it(`${relation} has the rows of its golden file (UPDATE_GOLDEN=1 rewrites it)`, async () => {
      const name = `${relation.toLowerCase().replaceAll(' ', '_')}.txt`
      const golden = new URL(`../../golden/library/${name}`, import.meta.url)
      const found = `${(await dump(system, relation)).join('\n')}\n`
      if (process.env['UPDATE_GOLDEN'] === '1') await writeFile(golden, found)
      expect(found).toBe(await readFile(golden, 'utf8'))
    })
  }

  it('I6 equals its source, row by row and value by value', async () => {
    const report = await verify(system.deps)
    expect(report.tables.filter(({ difference: { keys } }) => keys.length > 0)).toEqual([])
    expect(report).toMatchObject({ isEqual: true, batch: HISTORY.length })
    const kept = new Set(['sums', 'revisions'])
    const sums = ['fact_loan_by_member', 'fact_loan_by_weekday', 'fact_loan_revisions']
    expect(report.tables.filter(({ where }) => kept.has(where)).map(({ table }) => table)).toEqual(
      sums,
    )
    expect(report.tables).toHaveLength(
      library.source.tables.length + 2 * library.models.length + sums.length,
    )
  })

  it('readHistory() finds a loan by its three-column key, and says which it is', async () => {
    const fact = library.models.find(({ table }) => table === 'fact_loan')
    if (fact?.kind !== 'fact') throw new TypeError('fact_loan is a fact')
    await using warehouse = await openWarehouse(system.deps.warehouse)
    const found = await readHistory(warehouse, fact, ['978-1', '1', '2024-03-01T08:30:00Z'])
    expect(found.headline).toBe('Grimm (copy 1), Ada')
    expect(found.versions.map(({ operation, batch }) => [operation, batch])).toEqual([
      ['insert', 1],
      ['update', 3],
      ['delete', 4],
      ['insert', 5],
    ])
    expect(found.versions.at(-1)?.changed).toEqual(['member_id', 'due_on'])
  })
})
