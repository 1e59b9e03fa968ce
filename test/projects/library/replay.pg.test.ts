import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { run } from '../../../src/platform/pipeline.ts'
import { library } from './project.ts'
import { createLibrary, dump, HISTORY, relations, runHistory } from './library-system.ts'

const { dimensions, facts } = relations()

it('I6 the same changes in one run and in many end in the same current rows', async () => {
  await using many = await createLibrary()
  await runHistory(many)
  await using one = await createLibrary()
  await runHistory(one, [HISTORY.join(';')])
  expect((await many.records()).length).toBe(HISTORY.length)
  expect((await one.records()).length).toBe(1)

  const how = new Set(['recorded_at', 'record_operation', 'batch_id'])
  const ids = library.models.flatMap((model) => (model.kind === 'fact' ? [model.recordId] : []))
  const without = new Set([...how, ...ids])
  for (const fact of facts) {
    const current = await dump(many, `${fact}_current`, without)
    expect(current.length, fact).toBeGreaterThan(2)
    expect(await dump(one, `${fact}_current`, without), fact).toEqual(current)
  }
  for (const dimension of dimensions) {
    // Frequent runs also keep rows that are gone from the source, because earlier facts join them.
    const often = await dump(many, dimension)
    expect(often, dimension).toEqual(expect.arrayContaining(await dump(one, dimension)))
  }
})

it('I8 warehouse and processed zone are rebuilt from the lake, the source stopped', async () => {
  await using system = await createLibrary()
  await runHistory(system)
  const everything = [...dimensions, ...facts.flatMap((f) => [f, `${f}_current`, `${f}_history`])]
  const dumpAll = async () => {
    const found: Record<string, string[]> = {}
    for (const relation of everything) found[relation] = await dump(system, relation, new Set())
    return found
  }
  const before = await dumpAll()
  await system.source.drop()
  await rm(join(system.folder, 'processed'), { recursive: true })
  await system.query('drop schema public cascade')
  const report = await run(system.deps)
  expect(report.failures.map(({ stage }) => stage)).toEqual(['extract'])
  expect(report.loaded?.batches).toEqual(HISTORY.map((_, index) => index + 1))
  expect(await dumpAll()).toEqual(before)
})
