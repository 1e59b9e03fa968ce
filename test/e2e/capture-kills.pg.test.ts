import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest'
import { run } from '../../src/platform/pipeline.ts'
import { listKeys, withHook } from '../support/lake.ts'
import {
  expectFaithful,
  insertOrders,
  lastChanges,
  orderHistory,
  seedTotesys,
} from '../support/small-totesys.ts'
import { prepareSystem, type TestSystem } from '../support/system.ts'

const prepared = prepareSystem(async (system) => {
  await seedTotesys(system.sql)
  await system.run()
  await system.sql.query(insertOrders([[4, 40]]))
})
let system: TestSystem
beforeEach(async () => {
  system = await prepared.open()
})
afterEach(() => system[Symbol.asyncDispose]())
afterAll(() => prepared[Symbol.asyncDispose]())

describe('a kill', () => {
  it('I4 before any object of a batch: the next run ends where an undisturbed one would', async () => {
    const change = `update sales_order set units_sold = units_sold + 1 where sales_order_id in (1, 2);
      update address set phone = phone || '0'; update payment set paid = not paid`
    let puts = 0
    for (let nth = 1; puts + 1 >= nth; nth++) {
      await system.sql.query(change)
      puts = 0
      const killed = withHook(system.deps, (call) => {
        if (call === 'get') return
        puts += 1
        if (puts === nth) throw new Error('killed')
      })
      const before = (await system.records()).length
      const report = await run(killed)
      if (puts < nth) break
      expect(report.failures).toHaveLength(1)
      expect(await system.records()).toHaveLength(before)
      await system.run()
      expect(await system.records()).toHaveLength(before + 1)
      expect((await lastChanges(system))['payment']).toEqual({ updated: 1 })
      await expectFaithful(system)
    }
    const versions = await orderHistory(system, 1)
    // A kill at each of three tables and at the record, and then the undisturbed run.
    expect(versions).toEqual([
      'insert 10',
      ...[11, 12, 13, 14, 15].map((units) => `update ${units}`),
    ])
  })

  it('I4 before any object of a processed batch: the next run ends where an undisturbed one would', async () => {
    let puts = 0
    for (let nth = 1; puts + 1 >= nth; nth++) {
      await system.sql
        .query(`update sales_order set units_sold = units_sold + 1 where sales_order_id = 1;
        update address set phone = phone || '0'`)
      puts = 0
      const killed = withHook(
        system.deps,
        (call) => {
          if (call === 'get') return
          puts += 1
          if (puts === nth) throw new Error('killed')
        },
        'processed',
      )
      const report = await run(killed)
      if (puts < nth) break
      expect(report.failures.map(({ stage }) => stage)).toEqual(['transform'])
      await system.run()
      await expectFaithful(system)
    }
    const versions = await orderHistory(system, 1)
    expect(versions.length).toBeGreaterThan(4)
    expect(versions).toEqual(
      versions.map((_, index) => `${index === 0 ? 'insert' : 'update'} ${10 + index}`),
    )
    const ids = await system.query<{ id: number }>(
      'select sales_record_id::int as id from fact_sales_order order by 1',
    )
    expect(ids.map(({ id }) => id)).toEqual(ids.map((_, index) => index + 1))
  })

  it('I3 between the last object and the record leaves objects that do not exist for readers', async () => {
    const killed = withHook(system.deps, (call, key) => {
      if (call === 'put' && key.startsWith('batch/')) throw new Error('killed')
    })
    await run(killed)
    const orphans = await listKeys(system.deps.ingestion)
    await system.run()
    expect(await orderHistory(system, 4)).toEqual(['insert 40'])
    await expectFaithful(system)
    const record = (await system.records()).at(-1)
    const named = record?.tables['sales_order']?.changes.map(({ key }) => key) ?? []
    expect(named).toHaveLength(1)
    expect(orphans).not.toContain(named[0])
    expect(await listKeys(system.deps.ingestion)).toEqual(
      expect.arrayContaining([...orphans, ...named]),
    )
  })
})
