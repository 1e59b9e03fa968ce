import { describe, expect, it } from 'vitest'
import { createSystem } from '../../../test/support/system.ts'
import { readStatus } from '../inspect/status.ts'
import { verify } from '../inspect/verify.ts'
import { run } from '../pipeline.ts'
import type { Fact } from '../project/model.ts'
import type { Project } from '../project/project.ts'

function fact(name: string, value: string): Fact {
  return {
    kind: 'fact',
    table: `fact_${name}`,
    sql: `select ${name}_id, ${value} as units, _operation, _captured_at, _ordinal from change_${name}`,
    key: [`${name}_id`],
    from: name,
    recordId: `${name}_record_id`,
    references: [],
    sums: { columns: { total: 'units' }, grains: { size: ['units'] } },
  }
}

function shop(value: string): Project {
  return {
    name: 'shop',
    title: 'the shop',
    source: {
      schema: 'public',
      tables: ['sale', 'loan'].map((name) => ({ name, key: [`${name}_id`] })),
    },
    models: [fact('sale', value), fact('loan', value)],
  }
}

describe('a fact whose table the source does not have yet', () => {
  it('lets the others be loaded, through a new generation too, and is loaded once it has it', async () => {
    await using system = await createSystem({ project: shop('units'), template: 'empty' })
    await system.sql.query(`
      create table sale (sale_id int primary key, units int not null);
      insert into sale values (1, 5)`)
    expect((await run(system.deps)).failures).toEqual([])
    await system.sql.query('insert into sale values (2, 6)')
    expect((await run(system.deps)).failures).toEqual([])
    const later = { ...system.deps, project: shop('units + 1') }
    expect((await run(later)).failures).toEqual([])
    expect(await system.query('select sale_id, units from fact_sale_current order by 1')).toEqual([
      { sale_id: 1, units: 6 },
      { sale_id: 2, units: 7 },
    ])
    expect((await verify(later)).faults).toEqual([])
    const { batches } = await readStatus(later, {
      reader: later.warehouse,
      promiseMs: 60_000,
      now: new Date(),
    })
    expect(batches).toMatchObject({ processed: 2, warehouse: 2 })
    await system.sql.query(`
      create table loan (loan_id int primary key, units int not null);
      insert into loan values (1, 8)`)
    expect((await run(later)).failures).toEqual([])
    expect(await system.query('select loan_id, units from fact_loan_current')).toEqual([
      { loan_id: 1, units: 9 },
    ])
    const { tables, faults } = await verify(later)
    expect([...tables.flatMap(({ difference }) => difference.keys), ...faults]).toEqual([])
  })
})
