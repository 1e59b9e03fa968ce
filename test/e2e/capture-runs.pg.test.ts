import { readdir } from 'node:fs/promises'
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest'
import { extract } from '../../src/platform/extract/extract.ts'
import { commitKey } from '../../src/platform/lake/zone.ts'
import type { LogEntry } from '../../src/platform/log.ts'
import { run } from '../../src/platform/pipeline.ts'
import { transform } from '../../src/platform/transform/transform.ts'
import { listKeys, readTable, withHook } from '../support/lake.ts'
import {
  expectFaithful,
  insertOrders,
  lastChanges,
  orderHistory,
  seedTotesys,
} from '../support/small-totesys.ts'
import { createSystem, prepareSystem, type TestSystem } from '../support/system.ts'

const prepared = prepareSystem(async (system) => {
  await seedTotesys(system.sql)
  await system.run()
})
let system: TestSystem
beforeEach(async () => {
  system = await prepared.open()
})
afterEach(() => system[Symbol.asyncDispose]())
afterAll(() => prepared[Symbol.asyncDispose]())

const completeTo = async () => {
  const [row] = await system.query<{ to: string }>(
    `select to_char(complete_to at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as to from tidemark_status`,
  )
  return row?.to ?? ''
}
const factRows = () =>
  system.query(`select (select count(*)::int from fact_sales_order) as sales,
    (select count(*)::int from fact_payment) as payments, (select count(*)::int from tidemark_ledger) as batches`)

describe('a quiet run', () => {
  it('I9 writes no object and no fact, and proves the warehouse complete up to now', async () => {
    const [keys, facts, before] = [
      await listKeys(system.deps.ingestion),
      await factRows(),
      await completeTo(),
    ]
    const processed = await listKeys(system.deps.processed)
    const report = await system.run()
    expect(report.extracted).toMatchObject({ committed: false, held: [], record: { batch: 1 } })
    expect(report.loaded).toEqual({ batches: [], lastBatch: 1, isCutShort: false })
    expect(await listKeys(system.deps.ingestion)).toEqual(keys)
    expect(await listKeys(system.deps.processed)).toEqual(processed)
    expect(await factRows()).toEqual(facts)
    expect(report.completeTo).toBe(report.extracted?.completeTo)
    expect(await completeTo()).toBe(report.completeTo)
    expect((await completeTo()) > before).toBe(true)
  })

  it('I9 is quiet although unrelated transactions commit and tables that are not captured change', async () => {
    const keys = await listKeys(system.deps.ingestion)
    await system.sql.query(`select pg_current_xact_id(); create table unrelated as select 1 as n;
      update _prisma_migrations set applied_steps_count = 2`)
    const report = await system.run()
    expect(report.extracted?.committed).toBe(false)
    expect(await listKeys(system.deps.ingestion)).toEqual(keys)
    expect(await completeTo()).toBe(report.completeTo)
  })

  it('leaves nothing in the scratch folder', async () => {
    await system.sql.query(`update address set phone = 'x'; delete from payment`)
    await system.run()
    await system.run()
    const left = await readdir(system.deps.scratchDir)
    expect(left.filter((name) => name !== 'cache')).toEqual([])
  })
})

describe('dimensions', () => {
  it('follow a department: only dim_staff', async () => {
    await system.sql.query(`update department set location = 'York'`)
    await system.run()
    expect(await lastChanges(system)).toEqual({ department: { updated: 1 } })
    expect(await system.query('select location from dim_staff')).toEqual([{ location: 'York' }])
    const [processed] = (await system.records('processed')).slice(-1)
    const touched = Object.entries(processed?.tables ?? {}).filter(
      ([, entry]) => entry.changes.length > 0,
    )
    expect(touched.map(([table]) => table)).toEqual(['dim_staff'])
  })

  it('follow an address: dim_location and the counterparties that live there', async () => {
    await system.sql.query(`update address set city = 'Bradford' where address_id = 2`)
    await system.run()
    expect(await lastChanges(system)).toEqual({ address: { updated: 1 } })
    expect(
      await system.query(`select location_id as id from dim_location where city = 'Bradford'`),
    ).toEqual([{ id: 2 }])
    expect(
      await system.query(
        `select counterparty_id as id, counterparty_legal_city as city from dim_counterparty order by 1`,
      ),
    ).toEqual([
      { id: 1, city: 'Leeds' },
      { id: 2, city: 'Bradford' },
    ])
  })
})

describe('several pending batches', () => {
  it('I7 two versions of a row captured before one transform and load are both there, in order', async () => {
    await system.sql.query(`update sales_order set units_sold = 11 where sales_order_id = 1;
      update department set location = 'York'`)
    await extract(system.deps)
    await system.sql.query(`update sales_order set units_sold = 12 where sales_order_id = 1;
      update department set location = 'Selby'`)
    await extract(system.deps)
    await transform(system.deps)
    const report = await system.run()
    expect(report.loaded?.batches).toEqual([2, 3])
    expect(await orderHistory(system, 1)).toEqual(['insert 10', 'update 11', 'update 12'])
    expect(await system.query('select location from dim_staff')).toEqual([{ location: 'Selby' }])
    await expectFaithful(system)
  })

  it('many small batches keep the state of a table in few files', async () => {
    for (let n = 1; n <= 20; n++) {
      await system.sql.query(
        `update sales_order set units_sold = ${100 + n} where sales_order_id = 1`,
      )
      await extract(system.deps)
    }
    const record = (await system.records()).at(-1)
    expect(record?.batch).toBe(21)
    expect(record?.tables['sales_order']?.state.length).toBeLessThanOrEqual(18)
    const lake = await readTable(system, record, 'sales_order')
    expect(lake.map((row) => row['units_sold'])).toEqual(['120', '20', '30'])
  })
})

describe('runs at the same time', () => {
  it('I4 make every version once, in batches without a gap', async () => {
    for (let round = 1; round <= 3; round++) {
      await system.sql.query(
        `update sales_order set units_sold = ${round} where sales_order_id = 1; ${insertOrders([[100 + round, round]])}`,
      )
      const reports = await Promise.all(
        ['a', 'b', 'c'].map((name) => run({ ...system.deps, runId: `run ${name}` })),
      )
      expect(reports.flatMap(({ failures }) => failures)).toEqual([])
    }
    await system.run()
    for (const zone of ['ingestion', 'processed'] as const) {
      const records = await system.records(zone)
      expect(records.map(({ batch }) => batch)).toEqual([1, 2, 3, 4])
      expect(records.map(({ previous }) => previous)).toEqual([0, 1, 2, 3])
    }
    expect(await orderHistory(system, 1)).toEqual(['insert 10', 'update 1', 'update 2', 'update 3'])
    expect(
      await system.query(
        'select max(sales_record_id)::int as ids, count(*)::int as rows from fact_sales_order',
      ),
    ).toEqual([{ ids: 9, rows: 9 }])
    await expectFaithful(system)
  })

  it('I4 one that loses the race takes the winner’s batch', async () => {
    await system.sql.query(insertOrders([[4, 40]]))
    const outcomes = await Promise.allSettled([extract(system.deps), extract(system.deps)])
    const committed = outcomes.filter((one) => one.status === 'fulfilled' && one.value.committed)
    expect(committed).toHaveLength(1)
    const lost = outcomes.flatMap((one) =>
      one.status === 'rejected' ? [one.reason as unknown] : [],
    )
    for (const reason of lost) {
      expect(reason).toMatchObject({ name: 'ConflictError', code: 'BATCH_TAKEN' })
    }
    expect(await system.records()).toHaveLength(2)
  })

  it.each([
    ['changed rows', async () => {}],
    ['a whole table', () => system.sql.query('alter table sales_order add note text')],
    [
      'rows never captured',
      async () => {
        await system[Symbol.asyncDispose]()
        system = await createSystem()
        await seedTotesys(system.sql)
      },
    ],
  ])('I3 a run that loses the race with %s leaves no object in the lake', async (_, change) => {
    await change()
    await system.sql.query(insertOrders([[4, 40]]))
    const number = (await system.records()).length + 1
    // It asks twice for the record it is about to write: at first, and before it uploads.
    let asked = 0
    const late = withHook(system.deps, async (call, key) => {
      if (call !== 'get' || key !== commitKey(number)) return
      asked += 1
      if (asked === 2) await extract(system.deps)
    })
    await expect(extract(late)).rejects.toMatchObject({ code: 'BATCH_TAKEN' })
    const records = JSON.stringify(await system.records())
    const orphans = (await listKeys(system.deps.ingestion)).filter(
      (key) => !/^(batch|schema)\//.test(key) && !records.includes(key),
    )
    expect(orphans).toEqual([])
    expect(await system.records()).toHaveLength(number)
  })
})

it('a run that is asked to stop stops between two tables, and the next one goes on', async () => {
  const stop = new AbortController()
  await system.sql.query(`${insertOrders([[4, 40]])}; update address set phone = 'x'`)
  const deps = {
    ...system.deps,
    signal: stop.signal,
    log: (entry: LogEntry) => {
      if (entry.event === 'table_captured') stop.abort()
    },
  }
  await expect(extract(deps)).rejects.toMatchObject({
    name: 'InterruptedError',
    code: 'INTERRUPTED',
  })
  expect(await system.records()).toHaveLength(1)
  await system.run()
  await expectFaithful(system)
})
