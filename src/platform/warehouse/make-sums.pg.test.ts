import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createShop, type ShopSystem } from '../../../test/support/shop.ts'
import { ConfigError } from '../errors.ts'
import { run } from '../pipeline.ts'
import { isDifferent } from '../inspect/verified-table.ts'
import { verify } from '../inspect/verify.ts'
import type { Sums } from '../project/model.ts'

const SUMS: Sums = {
  columns: { units: 'units', worth: 'units * price' },
  grains: { item: ['item_id'], day: ['sold_on'] },
}

let shop: ShopSystem
const tablesOf = async () =>
  (
    await shop.query<{ name: string }>(`
      select relname as name from pg_class
      where relnamespace = 'public'::regnamespace and relname like 'fact_sale_by%' and relkind = 'r'
      order by 1`)
  ).map(({ name }) => name)
const sumsBy = (grain: string) =>
  shop.query(`select item_id, sold_on::text, row_count::int, units::int, worth::float
    from fact_sale_sums_current where grain = '${grain}' order by 1, 2`)

describe('sums', () => {
  beforeAll(async () => {
    shop = await createShop()
    await shop.sql.query(`insert into sale values
      (1, 1, 2, 2.5, '2024-01-01'), (2, 2, 3, 1, '2024-01-01'), (3, 2, 4, 1, '2024-01-02')`)
    await shop.run()
  })
  afterAll(() => shop[Symbol.asyncDispose]())
  const runWith = async (sums?: Sums) => {
    const project = await shop.changed(sums === undefined ? {} : { sums: { fact_sale: sums } })
    return await run({ ...shop.deps, project })
  }
  beforeEach(() => runWith())

  it('are filled when a warehouse that holds rows gets them', async () => {
    expect(await tablesOf()).toEqual([])
    await runWith(SUMS)
    expect(await sumsBy('item')).toEqual([
      { item_id: 1, sold_on: null, row_count: 1, units: 2, worth: 5 },
      { item_id: 2, sold_on: null, row_count: 2, units: 7, worth: 7 },
    ])
    expect(await sumsBy('day')).toMatchObject([
      { sold_on: '2024-01-01', units: 5 },
      { sold_on: '2024-01-02', units: 4 },
    ])
  })

  it('are made again when their declaration changes, and dropped when it is removed', async () => {
    await runWith(SUMS)
    await runWith({ ...SUMS, columns: { ...SUMS.columns, units: 'units * 10' } })
    expect(await sumsBy('item')).toMatchObject([{ units: 20 }, { units: 70 }])
    await runWith({ ...SUMS, grains: { day: ['sold_on'] }, columns: { units: 'units' } })
    expect(await tablesOf()).toEqual(['fact_sale_by_day'])
    await runWith()
    expect(await tablesOf()).toEqual([])
    expect(await shop.query(`select to_regclass('fact_sale_sums_current') as view`)).toEqual([
      { view: null },
    ])
  })

  it('have an invalid declaration if it changes to a column that was never there', async () => {
    await runWith(SUMS)
    const { failures } = await runWith({ ...SUMS, columns: { units: 'unit' } })
    expect(failures[0]?.error).toMatchObject({ code: 'SUMS_INVALID' })
  })

  it.each([
    ['a grain', { grains: { ...SUMS.grains, day: ['sold'] } }],
    ['a new grain', { grains: { ...SUMS.grains, week: ['sold'] } }],
    ['a new derived column', { grains: { ...SUMS.grains, week: ['w'] }, derived: { w: 'sold' } }],
  ])(
    'I15 have an invalid declaration, and no warehouse is blamed, if %s names a column that was never there',
    async (_, change) => {
      await runWith(SUMS)
      const { failures } = await runWith({ ...SUMS, ...change })
      expect(failures[0]?.error).toMatchObject({
        code: 'SUMS_INVALID',
        message: expect.stringContaining('"sold"') as string,
      })
      expect(await tablesOf()).toEqual(['fact_sale_by_day', 'fact_sale_by_item'])
    },
  )

  it('tell what the fact has lost if their declaration has not changed', async () => {
    await runWith(SUMS)
    await shop.query(`
      drop view fact_sale_sums_current cascade;
      alter table fact_sale_current rename column price to cost;
      alter table fact_sale rename column price to cost`)
    const { failures } = await runWith(SUMS)
    expect(failures[0]?.error).toMatchObject({
      code: 'WAREHOUSE_CHANGED',
      message: 'The warehouse table fact_sale has lost its column price',
    })
    await shop.query(`
      alter table fact_sale rename column cost to price;
      alter table fact_sale_current rename column cost to price`)
  })

  it('quote no value of a row', async () => {
    const { failures } = await runWith({
      ...SUMS,
      columns: { units: `('secret' || item_id)::int` },
    })
    const error = failures[0]?.error as Error
    expect(error).toMatchObject({ code: 'SUMS_INVALID' })
    expect(error.message).not.toContain('secret')
    expect(error.cause).toBeUndefined()
  })

  it('name what depends on them when they must be made again', async () => {
    await runWith(SUMS)
    await shop.query('create view mine as select * from fact_sale_sums_current')
    const { failures } = await runWith({ ...SUMS, columns: { units: 'units' } })
    expect(failures[0]?.error).toMatchObject({
      code: 'SUMS_IN_USE',
      message: expect.stringContaining('view mine depends on') as string,
    })
    expect(await tablesOf()).toHaveLength(2)
    await shop.query('drop view mine')
  })

  it('come with the revisions of the fact, also when a later migration adds a column', async () => {
    await using grown = await createShop()
    await grown.sql.query(`insert into sale values (1, 1, 2, 2.5, '2024-01-01')`)
    await grown.run()
    for (const units of [3, 5]) {
      await grown.sql.query(`update sale set units = ${units}`)
      await grown.run()
    }
    const revisions = () =>
      grown.query(`select before_units, units, before_record_operation as before
        from fact_sale_revisions order by sale_record_id`)
    const runOn = async (migrations: Readonly<Record<string, string>> = {}) => {
      const project = await grown.changed({ sums: { fact_sale: SUMS }, migrations })
      expect((await run({ ...grown.deps, project })).failures).toEqual([])
    }
    const known = [
      { before_units: 2, units: 3, before: 'insert' },
      { before_units: 3, units: 5, before: 'update' },
    ]
    await runOn()
    expect(await revisions()).toEqual(known)
    await grown.query('drop table fact_sale_revisions cascade')
    await runOn()
    expect(await revisions()).toEqual(known)
    const note = { '002_note.sql': 'alter table fact_sale add column note text' }
    await runOn(note)
    expect(await grown.query('select note, before_note from fact_sale_revisions')).toHaveLength(2)
    await grown.sql.query('delete from sale')
    await runOn(note)
    expect(await revisions()).toEqual([...known, { before_units: 5, units: 5, before: 'update' }])
    await grown.query('update fact_sale_revisions set before_units = 4 where before_units = 3')
    const project = await grown.changed({ sums: { fact_sale: SUMS }, migrations: note })
    const { tables } = await verify({ ...grown.deps, project }, { table: 'fact_sale' })
    expect(tables.filter(isDifferent)).toMatchObject([
      { table: 'fact_sale_revisions', difference: { missing: 0, extra: 0, different: 1 } },
    ])
  })

  it('get a lost key again', async () => {
    await runWith(SUMS)
    await shop.query('alter table fact_sale_by_item drop constraint fact_sale_by_item_pkey')
    await shop.sql.query('update sale set units = units + 1 where sale_id = 1')
    expect((await runWith(SUMS)).failures).toEqual([])
    expect(await sumsBy('item')).toMatchObject([{ units: 3 }, { units: 7 }])
    await shop.sql.query('update sale set units = units - 1 where sale_id = 1')
    await runWith(SUMS)
  })

  it('are none as of no moment, like the rows', async () => {
    await runWith(SUMS)
    for (const relation of ['as_of', 'sums_as_of']) {
      expect(await shop.query(`select * from fact_sale_${relation}(null)`)).toEqual([])
    }
  })

  it('are made again when somebody has dropped one of them', async () => {
    await runWith(SUMS)
    await shop.query('drop table fact_sale_by_item cascade')
    await runWith(SUMS)
    expect(await sumsBy('item')).toHaveLength(2)
  })

  it.each([
    ['names a column that does not exist', { units: 'unit' }, 'unit'],
    ['is not SQL', { units: 'units +' }, 'syntax error'],
    ['adds floats, which are not exact', { units: 'units::float' }, 'double precision'],
    ['adds texts', { units: `'x'::text` }, 'text'],
    ['asks another select', { units: '(select 1)' }, 'subquery'],
    ['fits several functions', { units: 'null' }, 'sum(unknown)'],
    ['has an unknown collation', { units: `length('x' collate nowhere)` }, 'nowhere'],
    ['is a window function', { units: 'row_number() over ()' }, 'window function'],
    ['returns several rows', { units: 'generate_series(1, units)' }, 'set-returning'],
    ['divides by zero', { units: 'units / (sale_id - 3)' }, 'fails for a row [22012]'],
    ['is infinite for a row', { units: `'infinity'::numeric` }, 'finite'],
    ['depends on the day', { units: 'current_date - sold_on' }, 'another value'],
    ['depends on the time zone', { units: 'extract(day from recorded_at)' }, 'another value'],
    ['gives no number', { worth: `case sale_id when 3 then 'NaN' else price end` }, 'finite'],
  ])('change nothing if an expression %s', async (_, columns, said) => {
    const { failures } = await runWith({ ...SUMS, columns })
    expect(failures[0]?.error).toMatchObject({
      code: 'SUMS_INVALID',
      message: expect.stringContaining(said) as string,
    })
    expect(await tablesOf()).toEqual([])
  })

  it.each([
    ['fails for a later row', 'units / (sale_id - 4)', 'fails for a row [22012]'],
    ['is infinite for a later row', `case item_id when 9 then 'inf' else price end`, 'finite'],
    ['is null for a later row', 'nullif(item_id, 9)', 'kind is null for a row'],
  ])('stop the load and change nothing if an expression %s', async (_, sql, said) => {
    const item = sql.startsWith('nullif')
    const sums: Sums = item
      ? { ...SUMS, grains: { item: ['kind'] }, derived: { kind: sql } }
      : { ...SUMS, columns: { units: sql } }
    await runWith(sums)
    await shop.sql.query(`insert into item values (9, 'cap', 1, null) on conflict do nothing;
      insert into sale values (4, 9, 1, 1, '2024-01-02') on conflict do nothing`)
    const { failures } = await runWith(sums)
    expect(failures[0]?.error).toMatchObject({
      code: 'SUMS_INVALID',
      message: expect.stringContaining(said) as string,
    })
    expect(await shop.query('select 1 from fact_sale_current where sale_id = 4')).toEqual([])
    await runWith(SUMS)
    await shop.sql.query('delete from sale where sale_id = 4')
    await runWith(SUMS)
    expect(await sumsBy('item')).toHaveLength(2)
  })

  it.each(['first', 'later'])(
    'I6 are made anew with the rows of the %s batch if somebody has emptied the facts and the ledger',
    async (batch) => {
      await using emptied = await createShop({ sums: { fact_sale: SUMS } })
      if (batch === 'later') await emptied.run()
      await emptied.sql.query(`insert into sale values (1, 1, 2, 2.5, '2024-01-01')`)
      await emptied.run()
      await emptied.query(`truncate fact_sale, fact_sale_current, fact_stock, fact_stock_current,
        dim_item, dim_day, tidemark_ledger, tidemark_confirmation cascade`)
      await emptied.run()
      expect(
        await emptied.query('select row_count::int, units::int from fact_sale_by_item'),
      ).toEqual([{ row_count: 1, units: 2 }])
    },
  )

  it('may be by a column that came with them, which only the new generation fills', async () => {
    await using grown = await createShop()
    await grown.sql.query(`insert into sale values (1, 1, 2, 2.5, '2024-01-01')`)
    await grown.run()
    const project = await grown.changed({
      migrations: { '002_channel.sql': 'alter table fact_sale add column channel text' },
      models: {
        fact_sale: `
          select sale_id, item_id, units, price, try_cast(sold_on as date) as sold_on, returned_on,
            extra, 'web' as channel, _operation, _captured_at, _ordinal
          from change_sale`,
      },
      sums: { fact_sale: { ...SUMS, grains: { channel: ['channel'] } } },
    })
    const rows = () =>
      grown.query(`select channel, row_count::int as rows, units::int from fact_sale_by_channel`)
    const { failures } = await run({ ...grown.deps, project })
    expect(failures).toEqual([])
    expect(await rows()).toEqual([{ channel: 'web', rows: 1, units: 2 }])
    await grown.sql.query(`insert into sale values (2, 1, 3, 2.5, '2024-01-01')`)
    expect((await run({ ...grown.deps, project })).failures).toEqual([])
    expect(await rows()).toEqual([{ channel: 'web', rows: 2, units: 5 }])
  })

  it('may have any names, also those of the columns that they add', async () => {
    const names = ['is_new', 'present', 's', 'e', 'f', 'c', 'n', 'entry', 'excluded', 'moment']
    const derived = Object.fromEntries(names.map((name) => [name, 'item_id']))
    const sums = { columns: { units: 'units' }, grains: { all: names }, derived }
    await runWith(sums)
    await shop.sql.query('update sale set units = units + 1 where sale_id = 1')
    const project = await shop.changed({ sums: { fact_sale: sums } })
    const { tables } = await verify({ ...shop.deps, project }, { table: 'fact_sale' })
    expect(tables.filter(isDifferent)).toEqual([])
    expect(tables).toContainEqual(
      expect.objectContaining({ table: 'fact_sale_by_all', where: 'sums', rows: 2 }),
    )
    await shop.sql.query('update sale set units = units - 1 where sale_id = 1')
  })

  it('may be by columns of a domain that refuses null', async () => {
    await using named = await createShop({
      sums: { fact_sale: SUMS },
      migrations: {
        '002_domain.sql': `create domain some_day as date not null;
          create domain sold_on as some_day check (value > '2000-01-01');
          alter table fact_sale alter column sold_on type sold_on`,
      },
    })
    await named.sql.query(`insert into sale values (1, 1, 2, 2.5, '2024-01-01')`)
    await named.run()
    for (const from of ['fact_sale_sums_current', `fact_sale_sums_as_of('infinity')`]) {
      const rows = await named.query(`select grain, sold_on::text from ${from} order by grain`)
      expect(rows, from).toEqual([
        { grain: 'day', sold_on: '2024-01-01' },
        { grain: 'item', sold_on: null },
        { grain: 'row', sold_on: '2024-01-01' },
      ])
    }
  })

  it('are made again, although views that somebody made from them went with them', async () => {
    await runWith(SUMS)
    await shop.query(`create view mine as
      select * from fact_sale_sums_current inner join dim_item using (item_id)`)
    await shop.query('create view mine_too as select * from mine')
    // The next run makes it again, and lists the relations of the warehouse.
    await shop.query('drop function fact_stock_as_of')
    expect((await runWith(SUMS)).failures).toEqual([])
    await shop.query('drop table fact_sale_by_item cascade')
    expect((await runWith(SUMS)).failures).toEqual([])
    expect(await sumsBy('item')).toHaveLength(2)
  })

  it('have their own types, in whatever order Postgres reads the columns', async () => {
    const holes = Array.from({ length: 20 }, (_, at) => `hole_${at}`)
    const columns = Array.from({ length: 60 }, (_, at) => `c${at} int`).join(', ')
    for (const name of holes) await shop.query(`create table ${name} (${columns})`)
    // The fact's column moves behind the holes, and the sums' columns come into them.
    await shop.query('alter table fact_sale alter column units set statistics 50')
    for (const name of holes) await shop.query(`drop table ${name}`)
    await shop.query('vacuum pg_attribute')
    for (const scan of ['indexscan', 'indexonlyscan', 'bitmapscan']) {
      await shop.query(`alter database ${shop.warehouse.name} set enable_${scan} = off`)
    }
    const { failures } = await runWith({
      columns: { units: 'units' },
      grains: { item: ['item_id'] },
    })
    expect(failures).toEqual([])
    await shop.query(`alter database ${shop.warehouse.name} reset all`)
  })

  it.each([
    ['a view in the place of a table', 'view', 'fact_sale_by_item', 'as select 1 as x'],
    ['a table in the place of their view', 'table', 'fact_sale_sums_current', '(x integer)'],
    ['a sequence in the place of a table', 'sequence', 'fact_sale_by_day', ''],
  ])('leave %s, and say how to rename it', async (_what, kind, name, definition) => {
    await using own = await createShop()
    await own.run()
    await own.query(`create ${kind} ${name} ${definition}`)
    const project = await own.changed({ sums: { fact_sale: SUMS } })
    const [failure] = (await run({ ...own.deps, project })).failures
    expect(failure?.error).toMatchObject({
      code: 'SUMS_INVALID',
      message: expect.stringContaining(name),
      hint: expect.stringContaining(`alter ${kind} "public"."${name}" rename to`),
    })
    const { hint = '' } = failure?.error instanceof ConfigError ? failure.error : {}
    await own.query(/alter .*;/.exec(hint)?.[0] ?? '')
    expect((await run({ ...own.deps, project })).failures).toEqual([])
  })

  it('do not replace a table with the same name that somebody else made', async () => {
    await shop.query('create table fact_sale_by_item (note text)')
    const { failures } = await runWith(SUMS)
    expect(failures[0]?.error).toMatchObject({ code: 'SUMS_INVALID' })
    await shop.query('drop table fact_sale_by_item')
  })

  it.each(['sums_current', `sums_as_of('infinity')`])(
    'let the planner read one grain of %s alone',
    async (relation) => {
      await runWith(SUMS)
      const plan = await shop.query(
        `explain select sum(units) from fact_sale_${relation} where grain = 'item'`,
      )
      const text = JSON.stringify(plan)
      expect(text).toContain('fact_sale_by_item')
      expect(text).not.toContain('fact_sale_by_day')
    },
  )
})
