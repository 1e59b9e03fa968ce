import { describe, expect, it } from 'vitest'
import { createDerived } from '../../../test/support/derived.ts'
import { createMirror } from '../../../test/support/mirror.ts'
import {
  besides,
  contentOf,
  expectAsFresh,
  inPlace,
  rebuild,
  withModel,
} from '../../../test/support/replaced.ts'
import { insertOrders, seedTotesys } from '../../../test/support/small-totesys.ts'
import { createSystem, type TestSystem } from '../../../test/support/system.ts'
import { isDifferent } from '../inspect/verified-table.ts'
import { verify } from '../inspect/verify.ts'
import { run } from '../pipeline.ts'
import { readModel } from '../project/generation.ts'

/** Totesys after four batches: inserts, an update, a deletion, a changed dimension. */
async function createTotesys(): Promise<TestSystem> {
  const system = await createSystem()
  await seedTotesys(system.sql)
  await system.run()
  await system.sql
    .query(`update sales_order set units_sold = 11, last_updated = now() where sales_order_id = 1;
    ${insertOrders([[4, 40]])}`)
  await system.run()
  await system.sql.query('delete from sales_order where sales_order_id = 2')
  await system.run()
  await system.sql.query(`update design set design_name = 'Wasp'`)
  await system.run()
  return system
}

describe('replaceContent()', () => {
  it('I8 makes the same content as a first load, ids, history and sums included', async () => {
    await using system = await createTotesys()
    const before = await contentOf(system)
    expect(await rebuild(system.deps)).toBe('replaced')
    expect(inPlace(system)).toEqual([])
    expect(await contentOf(system)).toEqual(before)
    await expectAsFresh(system, system.deps)
    expect(await besides(system)).toEqual([])
    const prepared = system.entries.filter(({ event }) => event === 'batch_prepared')
    expect(prepared).toMatchObject([1, 2, 3, 4].map((batch) => ({ batch, of: 4 })))
    await system.sql.query(insertOrders([[5, 50]]))
    await system.run()
    await expectAsFresh(system, system.deps)
  })

  it('I8 switches to another generation of models whose tables are made by hand', async () => {
    await using system = await createTotesys()
    const deps = withModel(system.deps, 'dim_design', (model) => ({
      ...model,
      sql: readModel(model).replace('design.design_name::', 'upper(design.design_name)::'),
    }))
    const report = await run(deps)
    expect(report.failures).toEqual([])
    expect(inPlace(system)).toEqual([])
    expect(await system.query('select design_name from dim_design')).toEqual([
      { design_name: 'WASP' },
    ])
    await expectAsFresh(system, deps)
  })

  it('I8 switches to models whose derived tables are others', async () => {
    await using system = await createDerived()
    await system.run()
    await system.sql.query(`update sale set units = 7 where sale_id = 10`)
    await system.run()
    const changed = withModel(system.deps, 'dim_customer', (model) => ({
      ...model,
      sql: 'select customer_id, code as label, upper(name) as name from customer',
      nullable: [],
    }))
    const deps = withModel(changed, 'fact_sale', (model) => ({
      ...model,
      sql: `select sale_id, customer_id, units::bigint as units, sold_on, _operation, _captured_at, _ordinal
        from change_sale`,
      nullable: [],
    }))
    const report = await run(deps)
    expect(report.failures).toEqual([])
    expect(inPlace(system)).toEqual([])
    await expectAsFresh(system, deps)
    expect(await besides(system)).toEqual([])
  })

  it('I8 makes a mirror again whose tables came, changed and went', async () => {
    await using system = await createMirror(
      `create table a (id int primary key, x text); insert into a values (1, 'one');
       create table gone (id int primary key); insert into gone values (1)`,
    )
    await system.run()
    await system.sql.query(`alter table a add y int; update a set y = 2; drop table gone;
      create table b (id int primary key); insert into b values (5)`)
    await system.run()
    await system.sql.query(`alter table a drop x; insert into a values (3, 4)`)
    await system.run()
    const before = await contentOf(system)
    expect(await rebuild(system.deps)).toBe('replaced')
    expect(inPlace(system)).toEqual([])
    expect(await contentOf(system)).toEqual(before)
    const { tables, faults } = await verify(system.deps)
    expect([...tables.filter(isDifferent), ...faults]).toEqual([])
  })
})
