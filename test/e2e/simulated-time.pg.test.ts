import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { run, type RunReport } from '../../src/platform/pipeline.ts'
import { readLedgerBatches } from '../../src/platform/presentation/ledger-batches.ts'
import { readDelays } from '../../src/platform/warehouse/delays.ts'
import { openWarehouse } from '../../src/platform/warehouse/warehouse.ts'
import { foundCompany, openCompany } from '../../src/totesys/living/company.ts'
import { createClock } from '../../src/apps/local/clock.ts'
import { livePast } from '../../src/apps/local/simulated-source.ts'
import { createSystem, type TestSystem } from '../support/system.ts'

const begun = new Date('2026-11-27T16:20:00.000Z')
const clock = createClock(undefined)

describe('a past that is captured by a simulated clock', () => {
  let system: TestSystem
  const reports: RunReport[] = []
  beforeAll(async () => {
    system = await createSystem({ simulatedTime: clock.simulated })
    const { deps } = system
    const client = await system.source.client()
    await foundCompany(client, { seed: 42, salesOrders: 1500, begun })
    const company = (await openCompany(client))!
    await livePast(company, clock, async () => {
      reports.push(await run(deps))
      return true
    })
    await client.query(`update design set file_location = '/new' where design_id = 1`)
    reports.push(await run(deps))
  })
  afterAll(async () => system[Symbol.asyncDispose]())

  it('fails in no run', () => {
    expect(reports).toHaveLength(14)
    expect(reports.flatMap(({ failures }) => failures)).toEqual([])
  })

  it('dates and marks each batch of the past, in the lake and in the ledger', async () => {
    const records = await system.records()
    const past = records.filter(({ snapshot }) => snapshot.clock === 'simulated')
    expect(past).toHaveLength(13)
    expect(past[0]?.snapshot.takenAt).toBe('2026-09-04T16:20:00.000000Z')
    expect(past.at(-1)?.snapshot.takenAt).toBe('2026-11-27T16:20:00.000000Z')
    const processed = await system.records('processed')
    expect(processed.map(({ snapshot }) => snapshot.clock)).toEqual(
      records.map(({ snapshot }) => snapshot.clock),
    )
    const ledger = await system.query<{ at: string; is_simulated: boolean }>(
      `select to_char(snapshot_at at time zone 'utc', 'YYYY-MM-DD') as at, is_simulated
       from tidemark_batches order by batch_id`,
    )
    expect(ledger).toHaveLength(14)
    expect(ledger[0]).toEqual({ at: '2026-09-04', is_simulated: true })
  })

  it('goes on with real dates, which are not marked', async () => {
    const last = (await system.records()).at(-1)
    expect(last?.snapshot.clock).toBeUndefined()
    const [row] = await system.query<{ is_simulated: boolean }>(
      'select is_simulated from tidemark_batches order by batch_id desc limit 1',
    )
    expect(row).toEqual({ is_simulated: false })
  })

  it('claims no lag and no delay for a simulated moment', async () => {
    await using warehouse = await openWarehouse(system.deps.warehouse)
    const batches = await readLedgerBatches(warehouse, { count: 20 })
    expect(batches.map(({ lagMs }) => lagMs === undefined)).toEqual([
      false,
      ...Array.from({ length: 13 }, () => true),
    ])
    expect((await readDelays(warehouse)).batches).toBe(1)
  })

  it('leaves orders with several versions, deletions, and orders that came back', async () => {
    const [row] = await system.query<Record<string, number>>(`
      with versions as (
        select
          sales_order_id,
          count(*) as versions,
          bool_or(record_operation = 'delete') as is_deleted,
          count(*) filter (where record_operation = 'insert') > 1 as is_back,
          count(distinct units_sold) > 1 as has_units,
          count(distinct unit_price) > 1 as has_price
        from fact_sales_order group by 1)
      select
        count(*) filter (where versions >= 3)::int as thrice,
        count(*) filter (where is_deleted)::int as deleted,
        count(*) filter (where is_back)::int as back,
        count(*) filter (where has_units)::int as units,
        count(*) filter (where has_price)::int as price
      from versions`)
    for (const count of Object.values(row!)) expect(count).toBeGreaterThan(0)
  })
})
