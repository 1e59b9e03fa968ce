import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createDerived, CUSTOMER, DATES, derived, SALE } from '../../../test/support/derived.ts'
import { generationOf } from '../project/generation.ts'
import { explainGeneration } from './explain-generation.ts'

const customers = { ...SALE, table: 'fact_more', recordId: 'more_record_id' }

describe('explainGeneration()', () => {
  it('names the models that changed, came and went, and the contract', async () => {
    await using system = await createDerived()
    await system.run()
    const loaded = { batch: 1, generation: generationOf(system.deps.project) }
    expect(await explainGeneration(system.deps, loaded)).toBeUndefined()
    const { source, ...rest } = derived([{ ...CUSTOMER, nullable: [] }, customers, DATES])
    const project = { ...rest, source: { ...source, tables: [...source.tables].toReversed() } }
    expect(await explainGeneration({ ...system.deps, project }, loaded)).toEqual({
      from: loaded.generation,
      to: generationOf(project),
      batches: 1,
      // Two customers and the days of a year. The versions of a table that is new are not known.
      rows: 2 + 365,
      why: [
        'the model of dim_customer has changed',
        'fact_more is new',
        'the model of fact_sale is gone',
        'the declaration of the source tables has changed',
      ],
    })
  })

  it('says that nothing is known of a generation that an older version made', async () => {
    await using system = await createDerived()
    await system.run()
    const generation = generationOf(system.deps.project)
    await rm(join(system.folder, 'processed', generation, 'generation.json'))
    const deps = { ...system.deps, project: derived([CUSTOMER, customers, DATES]) }
    const found = await explainGeneration(deps, { batch: 1, generation })
    expect(found?.why).toEqual([expect.stringContaining('not known')])
  })

  it('knows that a migration has replaced a table, and a zone that is gone', async () => {
    await using system = await createDerived()
    await system.run()
    expect(await explainGeneration(system.deps, { batch: 1, generation: '' })).toMatchObject({
      rows: 369,
      why: ['a migration has replaced a derived table'],
    })
    const lost = await explainGeneration(system.deps, { batch: 1, generation: 'lost' })
    expect(lost?.rows).toBeUndefined()
  })
})
