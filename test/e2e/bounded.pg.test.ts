import { expect, it } from 'vitest'
import { DEFAULT_LIMITS } from '../../src/platform/deps.ts'
import { run } from '../../src/platform/pipeline.ts'
import { heldBytes } from '../support/held-bytes.ts'
import { createSystem } from '../support/system.ts'

const ROWS = 600_000

it('I12 a table larger than the memory allowed passes through, and no row becomes an object', async () => {
  await using system = await createSystem()
  // 200 MB of text with 160 MB for DuckDB, read over two connections in several parts.
  await system.sql.query(`
    insert into design (design_name, file_location, file_name, last_updated)
    select 'Wooden', repeat(md5(i::text), 10), i || '.json', now()
    from generate_series(1, ${ROWS}) as i`)
  let peak = 0
  // As JavaScript objects the rows would take several times this.
  const limit = 100 * 1024 * 1024
  const before = heldBytes()
  const measure = () => {
    peak = Math.max(peak, heldBytes({ above: before + limit }))
  }
  const deps = {
    ...system.deps,
    limits: { ...DEFAULT_LIMITS, memoryLimitMb: 160 },
    log: measure,
  }
  const sampling = setInterval(measure, 20)
  const report = await run(deps)
  clearInterval(sampling)

  expect(report.failures).toEqual([])
  expect(await system.query('select count(*)::int as n from dim_design')).toEqual([{ n: ROWS }])
  const [batch] = await system.records()
  expect(batch?.tables['design']?.changes.length).toBeGreaterThan(1)
  expect(peak - before).toBeLessThan(limit)
})

it('I10 every row read is accepted, unchanged or quarantined, in both zones', async () => {
  await using system = await createSystem()
  await system.sql.query(`
    insert into address
    select i, 'line', null, null, 'city', 'code', 'country', 'phone', now(), now()
    from generate_series(1, 10) as i;
    insert into counterparty select i, 'name', i, null, null, now(), now() from generate_series(1, 10) as i`)
  await system.run()
  // Three rows are written, one of them with the values it had, and one that no warehouse can take.
  await system.sql.query(`
    update address set city = 'other' where address_id in (1, 2);
    update address set city = 'city' where address_id = 3;
    alter table counterparty alter column counterparty_legal_name drop not null;
    update counterparty set counterparty_legal_name = null where counterparty_id = 4`)
  await system.run()
  const [ingested] = (await system.records('ingestion')).slice(-1)
  // At least the three rows; more if a transaction elsewhere held the horizon back.
  const counts = ingested?.tables['address']?.counts
  expect(counts).toMatchObject({ accepted: 2, quarantined: 0, inserted: 0, updated: 2, deleted: 0 })
  expect(counts?.unchanged).toBeGreaterThanOrEqual(1)
  expect(counts?.read).toBe(2 + (counts?.unchanged ?? 0))
  const [processed] = (await system.records('processed')).slice(-1)
  const dimension = processed?.tables['dim_counterparty']
  expect(dimension?.counts).toMatchObject({ read: 10, accepted: 2, unchanged: 7, quarantined: 1 })
  expect(dimension?.quarantine.map(({ rows }) => rows)).toEqual([1])
})
