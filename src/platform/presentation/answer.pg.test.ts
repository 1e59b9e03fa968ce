import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTestReader, type TestReader } from '../../../test/support/reader.ts'
import { createShop, type ShopSystem } from '../../../test/support/shop.ts'
import { createAnswers } from './answer.ts'
import { readFreshness } from './freshness.ts'
import { parseQuestion } from './question.ts'
import { createReader, type Reader } from './reader.ts'

const units = parseQuestion(`-- q01_units: How many units?
-- Grain: one row per sale.
-- Filters: item, today, as_of
select sale_id, units, price, sold_on, null as nothing, :'today' as today
from fact_sale_current
where nullif(:'item', '') is null or item_id = nullif(:'item', '')::integer
order by sale_id`)

describe('answers from a warehouse', () => {
  let shop: ShopSystem
  let role: TestReader
  let reader: Reader
  beforeAll(async () => {
    shop = await createShop()
    role = await createTestReader(shop)
    reader = createReader(role.warehouse)
  })
  afterAll(async () => {
    await reader[Symbol.asyncDispose]()
    await role[Symbol.asyncDispose]()
    await shop[Symbol.asyncDispose]()
  })

  it('says that nothing was loaded yet', async () => {
    const clock = { promiseMs: 1000, now: new Date() }
    await expect(readFreshness(reader, clock)).rejects.toMatchObject({ code: 'WAREHOUSE_EMPTY' })
    await expect(createAnswers(reader).answer(units)).rejects.toMatchObject({
      code: 'WAREHOUSE_EMPTY',
      hint: 'tidemark run',
    })
  })

  it('returns cells as Postgres prints them, passes filters as parameters, and reads the past as of a moment', async () => {
    await shop.sql.query(`insert into sale values
      (1, 1, 2, 3.500, '2024-01-02', null, null), (2, 2, 5, -0.010, '2024-01-03', null, null)`)
    await shop.run()
    const answers = createAnswers(reader, { now: () => new Date('2024-05-06T23:59:59Z') })
    const { columns, rows, isTruncated, head } = await answers.answer(units)
    expect(columns.map(({ name, kind }) => `${name} ${kind}`)).toEqual([
      'sale_id number',
      'units number',
      'price number',
      'sold_on date',
      'nothing text',
      'today text',
    ])
    expect(rows).toEqual([
      ['1', '2', '3.500', '2024-01-02', null, '2024-05-06'],
      ['2', '5', '-0.010', '2024-01-03', null, '2024-05-06'],
    ])
    expect([isTruncated, head.batch]).toEqual([false, 1])
    expect((await answers.answer(units, { item: '2', other: 'x' })).rows).toHaveLength(1)

    const before = new Date().toISOString()
    await shop.sql.query('update sale set units = 7 where sale_id = 1')
    await shop.run()
    expect((await answers.answer(units, { item: '1' })).rows[0]?.[1]).toBe('7')
    const then = await answers.answer(units, { item: '1', as_of: before })
    expect(then.rows[0]?.[1]).toBe('2')
    expect(then.head.batch).toBe(2)
  })

  it('refuses an invalid value, whatever it holds, and names only the filters', async () => {
    const answers = createAnswers(reader)
    for (const item of ['uno', `1'; drop table fact_sale; --`, '9'.repeat(20), 'a\0b']) {
      const error = await answers.answer(units, { item }).catch((thrown: Error) => thrown)
      expect(error).toMatchObject({ code: 'BAD_FILTER' })
      expect((error as Error).message).not.toContain(item)
    }
    await expect(answers.answer(units, { as_of: 'then' })).rejects.toMatchObject({
      code: 'BAD_FILTER',
    })
    expect((await answers.answer(units)).rows).toHaveLength(2)
  })

  it('reads a question that ends in a comment or a semicolon, in its order, with equal names', async () => {
    const ended = parseQuestion(`-- q04: Why?
-- Grain: none
select sale_id, units, sale_id, 'x' as kind from fact_sale_current order by sale_id desc; -- all`)
    const { columns, rows } = await createAnswers(reader).answer(ended)
    expect(columns.map(({ name, kind }) => `${name} ${kind}`)).toEqual([
      'sale_id number',
      'units number',
      'sale_id number',
      'kind text',
    ])
    expect(rows.map(([id, , again, kind]) => [id, again, kind])).toEqual([
      ['2', '2', 'x'],
      ['1', '1', 'x'],
    ])
  })

  it('lets Postgres share the work of a question among processes', async () => {
    await shop.query(`
      create function process_id() returns integer language plpgsql parallel safe
      as 'begin return pg_backend_pid(); end'`)
    await shop.query('alter table fact_sale_current set (parallel_workers = 2)')
    await shop.query(`grant execute on function process_id() to ${role.role}`)
    const settings = {
      min_parallel_table_scan_size: 0,
      parallel_setup_cost: 0,
      parallel_tuple_cost: 0,
      parallel_leader_participation: false,
    }
    for (const [name, value] of Object.entries(settings)) {
      await shop.query(`alter role ${role.role} set ${name} = ${value}`)
    }
    await using other = createReader(role.warehouse)
    const shared = parseQuestion(`-- q05: Who reads?
-- Grain: none
select w.id = pg_backend_pid() as is_alone
from (select min(process_id()) as id from fact_sale_current) as w`)
    expect((await createAnswers(other).answer(shared)).rows).toEqual([['f']])
    await shop.query('drop function process_id()')
    await shop.query('alter table fact_sale_current reset (parallel_workers)')
  })

  it('reports any other error as an error of the warehouse, not of the filters', async () => {
    const broken = parseQuestion('-- q02: Why?\n-- Grain: none\nselect 1 / 0')
    await expect(createAnswers(reader).answer(broken)).rejects.toMatchObject({
      code: 'WAREHOUSE_ERROR',
    })
    const wrong = parseQuestion("-- q03: Why?\n-- Grain: none\nselect cast('x' as date)")
    await expect(createAnswers(reader).answer(wrong)).rejects.toMatchObject({
      code: 'WAREHOUSE_ERROR',
    })
  })

  it('reads the same answer once per batch, also for several callers at the same time', async () => {
    const counting = countReads(reader)
    const answers = createAnswers(counting.reader)
    const both = await Promise.all([answers.answer(units), answers.answer(units)])
    expect(both[0].rows).toEqual(both[1].rows)
    await answers.answer(units, { item: '' })
    expect(counting.statements()).toBe(1)
    await answers.answer(units, { item: '1' })
    expect(counting.statements()).toBe(2)
    await shop.sql.query('update sale set units = 8 where sale_id = 1')
    await shop.run()
    expect((await answers.answer(units)).rows[0]?.[1]).toBe('8')
    expect(counting.statements()).toBe(3)
  })

  it('keeps the answers that were used last, within a limit, and cuts long answers', async () => {
    const counting = countReads(reader)
    const answers = createAnswers(counting.reader, { maxAnswers: 2 })
    for (const item of ['1', '2', '1', '3', '1', '2']) await answers.answer(units, { item })
    expect(counting.statements()).toBe(4)
    const small = createAnswers(counting.reader, { maxKeptChars: 10, maxRows: 1 })
    expect((await small.answer(units)).isTruncated).toBe(true)
    await small.answer(units)
    expect(counting.statements()).toBe(6)
  })

  it('proves freshness from the ledger', async () => {
    const now = new Date()
    const fresh = await readFreshness(reader, { promiseMs: 3_600_000, now })
    expect(fresh).toMatchObject({ batch: 3, isFresh: true, promiseMs: 3_600_000 })
    expect(fresh.lagMs).toBe(Math.max(0, now.getTime() - Date.parse(fresh.completeTo)))
    const later = new Date(Date.parse(fresh.completeTo) + 1001)
    const late = await readFreshness(reader, { promiseMs: 1000, now: later })
    expect([late.lagMs, late.isFresh]).toEqual([1001, false])
    const ahead = await readFreshness(reader, { promiseMs: 1000, now: new Date(0) })
    expect([ahead.lagMs, ahead.isFresh]).toEqual([0, true])
  })
})

/** A reader that counts the questions' statements. */
function countReads(reader: Reader): { reader: Reader; statements(): number } {
  let statements = 0
  return {
    statements: () => statements,
    reader: {
      ...reader,
      read: (work) =>
        reader.read((session) => {
          const client = Object.create(session.client) as typeof session.client
          client.query = ((query: unknown, ...rest: unknown[]) => {
            const { text = '' } = (query ?? {}) as { text?: string }
            if (text.includes(') as answer limit')) statements += 1
            return Reflect.apply(session.client.query, session.client, [query, ...rest])
          }) as typeof client.query
          return work({ ...session, client })
        }),
    },
  }
}
