import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createTestReader } from '../../../test/support/reader.ts'
import { createShop, type ShopSystem } from '../../../test/support/shop.ts'
import { readStatus } from '../inspect/status.ts'
import { readDelays, readLongestDelay } from './delays.ts'
import { openWarehouse } from './warehouse.ts'

it('a run and the status say how old changes were, at most, when they became visible', async () => {
  await using shop = await createShop()
  const status = () =>
    readStatus(shop.deps, { reader: shop.deps.warehouse, promiseMs: 1, now: new Date() })
  expect((await shop.run()).delayMs).toBeUndefined()
  expect((await status()).delays).toEqual({ batches: 0 })
  const quietSince = (await shop.run()).completeTo ?? ''
  await shop.sql.query(`insert into sale values (1, 1, 1, 2.5, '2024-01-01')`)
  const { delayMs, loaded } = await shop.run()
  expect(loaded?.batches).toEqual([2])
  expect(delayMs).toBeGreaterThan(0)
  expect(delayMs).toBeLessThanOrEqual(Date.now() - Date.parse(quietSince) + 1)
  expect((await status()).delays).toEqual({ batches: 1, p50Ms: delayMs, p99Ms: delayMs })
  expect((await shop.run()).delayMs).toBeUndefined()
})

describe('the delay of a batch', () => {
  let shop: ShopSystem
  beforeAll(async () => {
    shop = await createShop()
    await shop.run()
  })
  afterAll(() => shop[Symbol.asyncDispose]())
  beforeEach(() =>
    shop.warehouse.query('delete from tidemark_ledger; delete from tidemark_confirmation'),
  )

  /** Adds a batch as a load does. Moments are seconds before now. */
  const addBatch = (
    batch: number,
    {
      snapshot,
      loaded,
      counts = '{"fact": {}}',
    }: { snapshot: number; loaded: number; counts?: string },
  ) =>
    shop.warehouse.query(`
      insert into tidemark_ledger (batch_id, generation, snapshot_at, run_id, row_counts, loaded_at)
      values (${batch}, 'g', ${ago(snapshot)}, 'r', '${counts}', ${ago(loaded)})`)
  /** Says that the source held nothing newer than a batch, as a run does. */
  const confirm = (batch: number, seconds: number) =>
    shop.warehouse.query(`
      insert into tidemark_confirmation (batch_id, confirmed_at) values (${batch}, ${ago(seconds)})
      on conflict (is_only_row) do update
      set batch_id = excluded.batch_id, confirmed_at = excluded.confirmed_at`)
  // Exact differences need one clock, which does not move between statements.
  const now = Date.now()
  const ago = (seconds: number) => `'${new Date(now - seconds * 1000).toISOString()}'`
  const longest = async (first: number, last = first): Promise<number | undefined> => {
    await using warehouse = await openWarehouse(shop.deps.warehouse)
    return await readLongestDelay(warehouse, { first, last })
  }
  const recent = async () => {
    await using warehouse = await openWarehouse(shop.deps.warehouse)
    return await readDelays(warehouse)
  }

  it('counts from the snapshot before, when the source was last read', async () => {
    await addBatch(1, { snapshot: 60, loaded: 58 })
    await addBatch(2, { snapshot: 51, loaded: 50 })
    expect(await longest(2)).toBe(10_000)
  })

  it('counts from the last run that found nothing, however long nothing has changed', async () => {
    await addBatch(1, { snapshot: 30_000, loaded: 29_990 })
    await confirm(1, 22)
    await addBatch(2, { snapshot: 21, loaded: 20.5 })
    await confirm(2, 1)
    expect(await longest(2)).toBe(1500)
  })

  it('is unknown for the first batch, whose rows are as old as the source', async () => {
    await addBatch(1, { snapshot: 60, loaded: 58 })
    expect(await longest(1)).toBeUndefined()
    expect(await recent()).toEqual({ batches: 0 })
  })

  it('is unknown for a batch of feeds, which carries no change of the database', async () => {
    await addBatch(1, { snapshot: 60, loaded: 58 })
    await addBatch(2, { snapshot: 60, loaded: 30 })
    expect(await longest(2)).toBeUndefined()
    await addBatch(3, { snapshot: 20, loaded: 19 })
    expect(await longest(3)).toBe(41_000)
  })

  it('is unknown for a batch in which no row changed, such as one that holds a table', async () => {
    await addBatch(1, { snapshot: 60, loaded: 58 })
    await addBatch(2, { snapshot: 40, loaded: 30, counts: '{}' })
    expect(await longest(2)).toBeUndefined()
  })

  it('is unknown for what a new generation loads again, and known for what follows', async () => {
    const batches = [1, 2, 3].map(
      (batch) => `(${batch}, 'h', ${ago(10_000 - batch)}, 'r', '{"fact": {}}')`,
    )
    await shop.warehouse.query(`
      begin;
      delete from tidemark_ledger;
      ${batches
        .map(
          (
            row,
          ) => `insert into tidemark_ledger (batch_id, generation, snapshot_at, run_id, row_counts)
            values ${row};`,
        )
        .join('')}
      commit`)
    expect(await longest(1, 3)).toBeUndefined()
    await shop.warehouse.query(`update tidemark_ledger set loaded_at = ${ago(9000)}`)
    await confirm(3, 8)
    await addBatch(4, { snapshot: 7, loaded: 6 })
    expect(await longest(1, 4)).toBe(2000)
  })

  it('is never below zero, even if the clock of the source is ahead', async () => {
    await addBatch(1, { snapshot: -5, loaded: 4 })
    await addBatch(2, { snapshot: -8, loaded: 1 })
    expect(await longest(2)).toBe(0)
  })

  it('of several batches is the longest of them', async () => {
    await addBatch(1, { snapshot: 60, loaded: 58 })
    await addBatch(2, { snapshot: 40, loaded: 20 })
    await addBatch(3, { snapshot: 30, loaded: 19 })
    expect(await longest(2, 3)).toBe(40_000)
  })

  it('is summed up for the last hour: half of the batches, and all but one in a hundred', async () => {
    await addBatch(1, { snapshot: 7000, loaded: 6990 })
    await confirm(1, 4000)
    await addBatch(2, { snapshot: 3990, loaded: 3900 })
    for (let batch = 3; batch < 203; batch++) {
      await confirm(batch - 1, 3300 - batch * 10)
      const delay = batch < 200 ? 1 : batch - 190
      await addBatch(batch, {
        snapshot: 3300 - batch * 10 - 0.5,
        loaded: 3300 - batch * 10 - delay,
      })
    }
    expect(await recent()).toEqual({ batches: 200, p50Ms: 1000, p99Ms: 10_000 })
  })

  it('may be read by the reader, and costs no more when the ledger is long', async () => {
    await addBatch(1, { snapshot: 60, loaded: 58 })
    await addBatch(2, { snapshot: 51, loaded: 50 })
    await using role = await createTestReader(shop)
    await using reader = await openWarehouse(role.warehouse)
    expect(await readDelays(reader)).toEqual({ batches: 1, p50Ms: 10_000, p99Ms: 10_000 })
    await shop.warehouse.query(`
      insert into tidemark_ledger (batch_id, generation, snapshot_at, run_id, row_counts, loaded_at, complete_before)
      select 2 + i, 'g', now() - interval '1 year', 'r', '{"fact": {}}', now() - interval '1 year', null
      from generate_series(1, 20000) as i;
      analyze tidemark_ledger`)
    const plan = await shop.query(
      `explain select delay from tidemark_batches where loaded_at > now() - interval '1 hour'`,
    )
    expect(JSON.stringify(plan)).toContain('Index Scan using tidemark_ledger_loaded_at')
  })

  it('is unknown in a warehouse that the next run will migrate', async () => {
    await addBatch(1, { snapshot: 60, loaded: 58 })
    await addBatch(2, { snapshot: 51, loaded: 50 })
    await shop.warehouse.query(`
      drop view tidemark_batches;
      create view tidemark_batches as select batch_id, loaded_at from tidemark_ledger`)
    expect(await recent()).toEqual({ batches: 0 })
  })
})
