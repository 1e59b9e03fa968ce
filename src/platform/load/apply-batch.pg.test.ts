import { chmod, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type pg from 'pg'
import { describe, expect, it } from 'vitest'
import { listKeys } from '../../../test/support/lake.ts'
import { createShop, type ShopSystem } from '../../../test/support/shop.ts'
import { type Deps, openScratchDb, processedZone } from '../deps.ts'
import { ConflictError, TransientError } from '../errors.ts'
import { extract } from '../extract/extract.ts'
import type { DuckDb } from '../io/duckdb.ts'
import { readParquet, writeParquet } from '../lake/parquet.ts'
import { openFiles } from '../lake/zone.ts'
import { diskStore } from '../lake/store/disk-store.ts'
import { run } from '../pipeline.ts'
import { generationOf } from '../project/generation.ts'
import { transform } from '../transform/transform.ts'
import { openWarehouse } from '../warehouse/warehouse.ts'
import { loadBatch, type LoadInput } from './apply-batch.ts'
import { load } from './load.ts'

/**
 * Adds one item, one sale and one stock count, so a reader must always see equally many of each.
 */
async function addOne({ sql }: ShopSystem, id: number): Promise<void> {
  await sql.query(`
    begin;
    insert into item values (${id}, 'item', 1, null);
    insert into sale values (${id}, ${id}, 1, 2.5, '2024-01-01');
    insert into stock values (${id}, ${id}, ${id});
    commit`)
}

/** Adds a batch that is transformed and not yet loaded. */
async function addBatch(shop: ShopSystem, id: number): Promise<void> {
  await addOne(shop, id)
  await extract(shop.deps)
  await transform(shop.deps)
}

/** Locks the warehouse as a run does. */
const LOCK = 'lock table tidemark_lock in exclusive mode'

/** Another state of the models. */
const NEGATIVE_STOCK = {
  fact_stock: `select stock_id, item_id, -counted as counted, _operation, _captured_at, _ordinal
    from change_stock`,
}

const SEEN = `
  select
    (select count(*)::int from tidemark_ledger) as ledger,
    (select count(*)::int from dim_item where item_name = 'item') as items,
    (select count(*)::int from fact_sale) as sales,
    (select count(*)::int from fact_sale_current) as current_sales,
    (select count(*)::int from fact_stock) as stocks,
    (select count(*)::int from fact_stock_history where is_current) as current_stocks`

type Seen = Record<
  'ledger' | 'items' | 'sales' | 'current_sales' | 'stocks' | 'current_stocks',
  number
>

function whole(batches: number): Seen {
  return {
    ledger: batches,
    items: batches,
    sales: batches,
    current_sales: batches,
    stocks: batches,
    current_stocks: batches,
  }
}

/** Holds a table so that a load stops in front of it, until it is told to go on. */
async function hold(shop: ShopSystem, table: string): Promise<{ release(): Promise<void> }> {
  const holder = await shop.warehouse.client()
  await holder.query(`begin; lock table ${table} in share mode`)
  return {
    release: async () => {
      await holder.query('commit')
    },
  }
}

/** Process id of the loader once it waits for a lock. */
async function waitingLoader({ query }: ShopSystem): Promise<number> {
  for (;;) {
    const [waiting] = await query<{ pid: number }>(
      `select pid from pg_locks
       where not granted and locktype = 'relation'
         and database = (select oid from pg_database where datname = current_database())`,
    )
    if (waiting !== undefined) return waiting.pid
  }
}

function withLimits(deps: Deps, limits: Partial<Deps['limits']>): Deps {
  return { ...deps, limits: { ...deps.limits, ...limits } }
}

async function codeOf(work: Promise<unknown>): Promise<string | undefined> {
  const error: unknown = await work.then(
    () => ({}),
    (thrown: unknown) => thrown,
  )
  return (error as { code?: string }).code
}

describe('load()', () => {
  it('I4 loads each batch once, however often it is repeated', async () => {
    await using shop = await createShop()
    await addBatch(shop, 101)
    await addBatch(shop, 102)
    expect(await load(shop.deps)).toEqual({ batches: [1, 2], lastBatch: 2, isCutShort: false })
    expect(await load(shop.deps)).toEqual({ batches: [], lastBatch: 2, isCutShort: false })
    expect(await shop.query(SEEN)).toEqual([whole(2)])
  })

  it('I4 loads each batch once, although three loads run at the same time', async () => {
    await using shop = await createShop()
    for (const id of [101, 102, 103]) await addBatch(shop, id)
    const outcomes = await Promise.all([load(shop.deps), load(shop.deps), load(shop.deps)])
    const batches = outcomes.flatMap((outcome) => outcome.batches)
    expect(batches.toSorted((a, b) => a - b)).toEqual([1, 2, 3])
    expect(await shop.query(SEEN)).toEqual([whole(3)])
    expect(outcomes.map(({ lastBatch }) => lastBatch)).toEqual([3, 3, 3])
  })

  it('I5 shows a reader only whole batches, with all their tables', async () => {
    await using shop = await createShop()
    await addOne(shop, 100)
    await shop.run()
    for (const id of [101, 102, 103]) await addBatch(shop, id)
    const before = await shop.warehouse.client()
    await before.query('begin isolation level repeatable read')
    await before.query(SEEN)

    const held = await hold(shop, 'fact_stock')
    const loading = load(shop.deps)
    await waitingLoader(shop)
    // Dimensions and sales of the batch are written by now, stock is not.
    expect(await shop.query(SEEN)).toEqual([whole(1)])
    await held.release()
    // The loader is ahead of the reader by the batch in flight; in the end both are at batch 4.
    for (let ledger = 1; ledger < 4;) {
      const [seen] = await shop.query<Seen>(SEEN)
      ledger = seen?.ledger ?? -1
      expect(seen).toEqual(whole(ledger))
    }
    await loading
    expect((await before.query(SEEN)).rows).toEqual([whole(1)])
    expect(await shop.query(SEEN)).toEqual([whole(4)])
  })

  it('I4 updates only the dimension rows that differ', async () => {
    await using shop = await createShop()
    await shop.run()
    const versions = () => shop.query(`select item_id, xmin::text from dim_item order by 1`)
    const before = await versions()
    await shop.sql.query(`update item set note = 'new' where item_id = 1`)
    await shop.run()
    const after = await versions()
    expect(after[1]).toEqual(before[1])
    expect(after[0]).not.toEqual(before[0])
  })

  it('I7 keeps a deleted key out of the current rows and takes it back when it returns', async () => {
    await using shop = await createShop()
    await addOne(shop, 100)
    await shop.run()
    const current = () => shop.query(`select stock_id, counted from fact_stock_current`)
    await shop.sql.query(`delete from stock`)
    await shop.run()
    expect(await current()).toEqual([])
    await shop.sql.query(`insert into stock values (100, 1, 7)`)
    await shop.run()
    expect(await current()).toEqual([{ stock_id: 100, counted: 7 }])
  })
})

describe('a fact whose key is not the key of its source', () => {
  it('I6 shows each key once, now and as of any batch', async () => {
    await using shop = await createShop({
      models: {
        fact_stock: `select stock_id // 10 as stock_id, item_id, counted, _operation, _captured_at,
          _ordinal from change_stock`,
      },
    })
    await shop.run()
    // Two rows of the source, inserted one after the other, are one thing here.
    await shop.sql.query('insert into stock values (10, 1, 10)')
    await shop.run()
    await shop.sql.query('insert into stock values (11, 1, 20)')
    await shop.run()
    const seen = (from: string) => shop.query(`select stock_id, counted from ${from}`)
    expect(await seen('fact_stock_current')).toEqual([{ stock_id: 1, counted: 20 }])
    expect(await seen(`fact_stock_as_of('infinity')`)).toEqual([{ stock_id: 1, counted: 20 }])
    expect(await seen('fact_stock_as_of_batch(3)')).toEqual([{ stock_id: 1, counted: 20 }])
    expect(await seen('fact_stock_as_of_batch(2)')).toEqual([{ stock_id: 1, counted: 10 }])
  })
})

describe('load() that fails', () => {
  const failures: readonly {
    readonly what: string
    readonly code: string
    breakIt(shop: ShopSystem): Promise<unknown>
    fixIt(shop: ShopSystem): Promise<unknown>
  }[] = [
    {
      what: 'on a dropped dimension',
      code: 'WAREHOUSE_INCOMPLETE',
      breakIt: ({ query }) => query(`alter table dim_item rename to gone`),
      fixIt: ({ query }) => query(`alter table gone rename to dim_item`),
    },
    {
      what: 'on a row that the last table refuses',
      code: 'WAREHOUSE_ERROR',
      breakIt: ({ query }) =>
        query(`alter table fact_stock add constraint no check (counted < 102)`),
      fixIt: ({ query }) => query(`alter table fact_stock drop constraint no`),
    },
    {
      what: 'on a full ledger',
      code: 'WAREHOUSE_BUSY',
      breakIt: ({ query }) =>
        query(`
          create function full_disk() returns trigger language plpgsql
            as $$ begin raise exception 'could not extend file' using errcode = '53100'; end $$;
          create trigger no before insert on tidemark_ledger for each row execute function full_disk()`),
      fixIt: ({ query }) => query(`drop function full_disk cascade`),
    },
    {
      what: 'on a damaged object',
      code: 'LAKE_DAMAGED',
      breakIt: (shop) => flipByte(shop),
      fixIt: (shop) => flipByte(shop),
    },
  ]

  it.each(failures)(
    'I5 $what leaves the warehouse unchanged, and the next run catches up',
    async ({ code, breakIt, fixIt }) => {
      await using shop = await createShop()
      await addOne(shop, 101)
      await shop.run()
      await addBatch(shop, 102)
      await addBatch(shop, 103)
      await breakIt(shop)
      expect(await codeOf(load(shop.deps))).toBe(code)
      await fixIt(shop)
      expect(await shop.query(SEEN)).toEqual([whole(1)])
      expect((await shop.run()).loaded?.batches).toEqual([2, 3])
      expect(await shop.query(SEEN)).toEqual([whole(3)])
    },
  )

  it('I5 on a killed connection leaves the warehouse unchanged, and the next run catches up', async () => {
    await using shop = await createShop()
    await addOne(shop, 101)
    await shop.run()
    await addBatch(shop, 102)
    const held = await hold(shop, 'fact_stock')
    const failed = load(shop.deps).catch((error: unknown) => error)
    await shop.query(`select pg_terminate_backend($1)`, [await waitingLoader(shop)])
    expect(await failed).toBeInstanceOf(TransientError)
    await held.release()
    expect(await shop.query(SEEN)).toEqual([whole(1)])
    expect((await shop.run()).loaded?.batches).toEqual([2])
    expect(await shop.query(SEEN)).toEqual([whole(2)])
  })

  it('to get the lock in time says that another run holds it', async () => {
    await using shop = await createShop()
    const other = await shop.warehouse.client()
    await other.query('create table tidemark_lock ()')
    await other.query(`begin; ${LOCK}`)
    const impatient = withLimits(shop.deps, { lockWaitMs: 50 })
    const error: unknown = await load(impatient).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(ConflictError)
    expect(error).toMatchObject({
      code: 'RUN_LOCKED',
      message: 'Another run has been writing to the warehouse for more than 0.05 s',
      hint: expect.stringContaining('run again'),
    })
    // The run captured and transformed all the same.
    const report = await run(impatient)
    expect(report.failures.map(({ stage }) => stage)).toEqual(['load'])
    expect(report.transformed?.batches).toEqual([1])
    await other.query('rollback')
    expect((await shop.run()).loaded?.batches).toEqual([1])
  })

  it('I5 killed while it waits for another run says that the connection was lost', async () => {
    await using shop = await createShop()
    await addBatch(shop, 101)
    const other = await shop.warehouse.client()
    await other.query('create table tidemark_lock ()')
    await other.query(`begin; ${LOCK}`)
    const failed = load(shop.deps).catch((error: unknown) => error)
    await shop.query(`select pg_terminate_backend($1)`, [await waitingLoader(shop)])
    expect(await failed).toBeInstanceOf(TransientError)
  })

  it('to get a table in time may be retried', async () => {
    await using shop = await createShop()
    await shop.run()
    await addBatch(shop, 101)
    const held = await hold(shop, 'fact_stock')
    const impatient = withLimits(shop.deps, { lockWaitMs: 50 })
    expect(await codeOf(load(impatient))).toBe('WAREHOUSE_BUSY')
    await held.release()
    expect((await load(shop.deps)).batches).toEqual([2])
  })

  it.each(['40001', '40P01'])(
    'with %s runs again, at most three times, and doubles nothing',
    async (code) => {
      await using shop = await createShop()
      await shop.run()
      await addBatch(shop, 101)
      // A sequence is not rolled back, so it counts the attempts.
      await shop.query(`
      create sequence attempt;
      create function conflict() returns trigger language plpgsql as $$
      begin
        if nextval('attempt') <= 7 then raise exception 'conflict' using errcode = '${code}'; end if;
        return new;
      end $$;
      create trigger conflict before insert on tidemark_ledger
        for each row execute function conflict()`)
      expect(await codeOf(load(shop.deps))).toBe('WAREHOUSE_BUSY')
      expect(await shop.query(`select last_value::int as attempts from attempt`)).toEqual([
        { attempts: 4 },
      ])
      expect(await load(shop.deps)).toEqual({ batches: [2], lastBatch: 2, isCutShort: false })
      expect(await shop.query(`select last_value::int as attempts from attempt`)).toEqual([
        { attempts: 8 },
      ])
      expect(
        await shop.query(`select stock_id, count(*)::int as rows from fact_stock group by 1`),
      ).toEqual([{ stock_id: 101, rows: 1 }])
    },
  )

  it('I14 because the warehouse comes from another lake captures and loads nothing', async () => {
    await using shop = await createShop()
    await addOne(shop, 101)
    await shop.run()
    await addOne(shop, 102)
    await shop.run()
    const lake = (name: string) => diskStore(join(shop.folder, name))
    const other = { ...shop.deps, ingestion: lake('other-ingestion'), processed: lake('other') }
    expect((await run(other)).failures).toMatchObject(REFUSED)
    expect(await listKeys(other.ingestion)).toEqual([])
    // Fewer batches than the warehouse holds, then as many, then more.
    const elsewhere = { ...other, warehouse: { ...shop.deps.warehouse, schema: 'elsewhere' } }
    for (const id of [103, 104, 105]) {
      expect((await run(elsewhere)).failures).toEqual([])
      // Extract says so too when it examines a table.
      expect((await run(other)).failures.at(-1)).toMatchObject({
        stage: 'load',
        error: { code: 'LAKE_MIXED' },
      })
      await addOne(shop, id)
    }
    expect((await shop.query<Seen>(SEEN))[0]?.ledger).toBe(2)
  })

  it('I14 because another generation comes from another lake captures and loads nothing', async () => {
    await using shop = await createShop()
    await addOne(shop, 101)
    await shop.run()
    await addOne(shop, 102)
    await shop.run()
    const project = await shop.changed({ models: NEGATIVE_STOCK })
    const lake = (name: string) => diskStore(join(shop.folder, name))
    const other = {
      ...shop.deps,
      project,
      ingestion: lake('other-ingestion'),
      processed: lake('other'),
    }
    expect((await run(other)).failures).toMatchObject(REFUSED)
  })
})

/** An empty lake before a warehouse that was loaded from another. */
const REFUSED = [{ stage: 'extract', error: { code: 'LAKE_BEHIND' } }]

/** Everything on the warehouse's tables that Postgres keeps up to date or checks row by row. */
const ATTACHED = `
  select conrelid::regclass || ' ' || conname as name,
    pg_get_constraintdef(oid) || ' ' || convalidated as definition
  from pg_constraint where connamespace = current_schema()::regnamespace and contype in ('p', 'u', 'f')
  union all
  select tablename || ' ' || indexname,
    indexdef || coalesce(obj_description(indexname::regclass), '')
  from pg_indexes where schemaname = current_schema()
  order by 1, 2`

describe('load() of a large first batch', () => {
  it('takes keys and indexes off while it loads, and puts the same ones back', async () => {
    await using shop = await createShop()
    await shop.sql.query(`
      insert into item select id, 'item', 1, null from generate_series(1000, 11000) as id;
      insert into stock select id, 1000, id from generate_series(1, 10001) as id;
      insert into sale select id, 1000, 1, 2.5, '2024-01-01' from generate_series(1, 10001) as id`)
    // Migrates and loads nothing.
    await load(shop.deps)
    // What could not be put back as it was stays.
    await shop.query(`create index stock_counted on fact_stock (counted) with (fillfactor = 70)`)
    await shop.query(`create index stock_batch on fact_stock (batch_id) where batch_id > 1`)
    await shop.query(`comment on index stock_batch is 'asked for by finance'`)
    await shop.query(`create unique index stock_item on fact_stock (item_id, stock_record_id)`)
    await shop.query(`alter table fact_stock replica identity using index stock_item`)
    await shop.query(
      `create view items as select item_id, item_name from dim_item group by item_id`,
    )
    await shop.query(`create table kept (item_id integer references dim_item)`)
    const before = await shop.query(ATTACHED)
    expect(before.length).toBeGreaterThan(20)
    await shop.run()
    expect(await shop.query(ATTACHED)).toEqual(before)
    expect(
      await shop.query(
        `select relreplident as identity from pg_class where relname = 'fact_stock'`,
      ),
    ).toEqual([{ identity: 'i' }])
    expect(
      await shop.query(`
        select count(*)::int as rows, max(stock_record_id)::int as last,
          (select count(*)::int from fact_sale_current) as sales,
          (select count(*)::int from items) as items
        from fact_stock_current`),
    ).toEqual([{ rows: 10_001, last: 10_001, sales: 10_001, items: 10_003 }])
    const violating = shop.query(`delete from dim_item where item_id = 1000`)
    await expect(violating).rejects.toMatchObject({ code: '23503' })
  })

  it('I5 I11 changes nothing if a row breaks a key that was off while it was loaded', async () => {
    await using shop = await createShop()
    await shop.sql.query(`
      insert into item values (1000, 'item', 1, null);
      insert into stock select id, 1000, 7 from generate_series(1, 10001) as id`)
    await load(shop.deps)
    await shop.query(`alter table fact_stock add constraint one_each unique (counted)`)
    const before = await shop.query(ATTACHED)
    expect((await run(shop.deps)).failures).toMatchObject([{ stage: 'load' }])
    expect(await shop.query(ATTACHED)).toEqual(before)
    expect((await shop.query<Seen>(SEEN))[0]).toEqual(whole(0))
    await shop.query(`alter table fact_stock drop constraint one_each`)
    await shop.run()
    expect((await shop.query<Seen>(SEEN))[0]).toMatchObject({ ledger: 1, stocks: 10_001 })
  })

  it('of one fact in a later batch leaves the foreign keys on, so that no reader waits', async () => {
    await using shop = await createShop()
    await shop.sql.query(`delete from sale; delete from stock`)
    await shop.run()
    const before = await shop.query(ATTACHED)
    await shop.sql.query(
      `insert into stock select id, id % 10, id from generate_series(1, 10001) as id`,
    )
    await extract(shop.deps)
    await transform(shop.deps)
    const reader = await shop.warehouse.client()
    await reader.query(`set lock_timeout = '30s'; begin; select count(*) from dim_item`)
    // A lock on the dimension would let the load wait for this transaction.
    expect((await load(shop.deps)).batches).toEqual([2])
    await reader.query('commit')
    expect(await shop.query(ATTACHED)).toEqual(before)
    expect((await shop.query<Seen>(SEEN))[0]?.stocks).toBe(10_001)
  })

  it.each(['fact_stock', 'fact_stock_current', 'dim_item'])(
    'I15 waits for nobody who reads %s, which then keeps its keys and indexes',
    async (table) => {
      await using shop = await createShop()
      await shop.sql.query(`
        insert into item select id, 'item', 1, null from generate_series(1000, 11000) as id;
        insert into stock select id, 1000, id from generate_series(1, 10001) as id`)
      // Migrates and loads nothing.
      await load(shop.deps)
      const before = await shop.query(ATTACHED)
      const reader = await shop.warehouse.client()
      await reader.query(`begin; select count(*) from ${table}`)
      expect((await run(withLimits(shop.deps, { lockWaitMs: 2000 }))).failures).toEqual([])
      await reader.query('commit')
      expect(await shop.query(ATTACHED)).toEqual(before)
      expect((await shop.query<Seen>(SEEN))[0]).toMatchObject({
        ledger: 1,
        stocks: 10_001,
        current_stocks: 10_001,
      })
    },
  )

  it('I15 waits for nobody who reads a fact that only a later batch fills', async () => {
    await using shop = await createShop()
    await shop.sql.query(`delete from sale; delete from stock`)
    await shop.run()
    await shop.sql.query(`insert into stock select id, 1, id from generate_series(1, 10001) as id`)
    const reader = await shop.warehouse.client()
    await reader.query(`begin; select count(*) from fact_stock_current`)
    const { failures, loaded } = await run(withLimits(shop.deps, { lockWaitMs: 2000 }))
    expect(failures).toEqual([])
    expect(loaded?.batches).toEqual([2])
    await reader.query('commit')
  })
})

describe('loadBatch()', () => {
  /** The newest batch, with files that hold none of its rows. */
  const inputOf = async (shop: ShopSystem, db: DuckDb): Promise<LoadInput> => {
    const [previous, record] = (await shop.records('processed')).slice(-2)
    if (record === undefined) throw new Error('no batch')
    return {
      project: shop.project,
      generation: generationOf(shop.project),
      runId: 'test',
      waitMs: 1000,
      record,
      previous,
      db,
      files: async ({ tables }, table) => {
        const files = await openFiles(
          processedZone(shop.deps, generationOf(shop.project)),
          tables[table]?.changes ?? [],
        )
        const empty = join(db.scratchDir, `${table}.parquet`)
        await writeParquet(db, `select * from ${readParquet(files)} where false`, empty, [])
        return [empty]
      },
    }
  }

  it('refuses a batch that does not follow, a batch of another generation, and missing rows', async () => {
    await using shop = await createShop()
    await shop.run()
    await addBatch(shop, 101)
    await using db = await openScratchDb(shop.deps)
    const input = await inputOf(shop, db)
    await using warehouse = await openWarehouse(shop.deps.warehouse)
    const coded = (changes: Partial<LoadInput>) =>
      codeOf(loadBatch(warehouse, { ...input, ...changes }))
    expect(await coded({ record: { ...input.record, batch: 3 } })).toBe('BATCH_GAP')
    expect(await coded({ generation: 'other' })).toBe('GENERATION_MIXED')
    expect(await coded({})).toBe('LOAD_INCOMPLETE')
    const earlier = { ...input.record, batch: 1 }
    expect(await loadBatch(warehouse, { ...input, record: earlier })).toBe('skipped')
    expect((await load(shop.deps)).batches).toEqual([2])
  })
})

describe('load() of another generation', () => {
  const ids = (query: ShopSystem['query']) =>
    query(`select stock_record_id::int as id, counted from fact_stock order by 1`)

  it('I5 readers see the old tables, and never wait, until the new ones are complete', async () => {
    await using shop = await createShop()
    for (const id of [101, 102]) {
      await addOne(shop, id)
      await shop.run()
    }
    const project = await shop.changed({ models: NEGATIVE_STOCK })
    const changed = { ...shop.deps, project }
    const old = [
      { id: 1, counted: 101 },
      { id: 2, counted: 102 },
    ]
    // Not before it has caught up.
    expect(await load(changed)).toEqual({ batches: [], lastBatch: 2, isCutShort: false })
    await transform(changed)

    const before: pg.Client = await shop.warehouse.client()
    await before.query(`begin isolation level repeatable read; select 1 from tidemark_status`)
    const held = await hold(shop, 'tidemark_ledger')
    const loading = Promise.all([load(changed), load(changed)])
    await waitingLoader(shop)
    expect(await ids(shop.query)).toEqual(old)
    expect(await shop.query(SEEN)).toEqual([whole(2)])
    await held.release()
    const outcomes = await loading
    expect(outcomes.flatMap(({ batches }) => batches)).toEqual([1, 2])
    expect(await ids((text) => before.query(text).then(({ rows }) => rows))).toEqual(old)
    expect(await ids(shop.query)).toEqual([
      { id: 1, counted: -101 },
      { id: 2, counted: -102 },
    ])
    expect(await shop.query(SEEN)).toEqual([whole(2)])
  })

  it('leaves the old generation if it is stopped half-way', async () => {
    await using shop = await createShop()
    await addOne(shop, 101)
    await shop.run()
    const changed = { ...shop.deps, project: await shop.changed({ models: NEGATIVE_STOCK }) }
    await transform(changed)
    const stopped = { ...changed, signal: AbortSignal.abort() }
    expect(await codeOf(load(stopped))).toBe('INTERRUPTED')
    expect(await ids(shop.query)).toEqual([{ id: 1, counted: 101 }])
    expect((await load(changed)).batches).toEqual([1])
    expect(await ids(shop.query)).toEqual([{ id: 1, counted: -101 }])
  })
})

/** Flips a bit in the second batch's file of stock counts; a second time flips it back. */
async function flipByte(shop: ShopSystem): Promise<void> {
  const [, record] = await shop.records('processed')
  const [file] = record?.tables['fact_stock']?.changes ?? []
  const path = join(shop.folder, 'processed', generationOf(shop.project), file?.key ?? '')
  const body = await readFile(path)
  body[40] = (body[40] ?? 0) ^ 1
  await chmod(path, 0o644)
  await writeFile(path, body)
}
