import { afterAll, beforeAll, expect, it } from 'vitest'
import { createShop, type ShopSystem } from '../../../test/support/shop.ts'
import { readStatus, type Status } from './status.ts'

let shop: ShopSystem
beforeAll(async () => {
  shop = await createShop({
    sums: { fact_stock: { columns: { counted: 'counted' }, grains: { item: ['item_id'] } } },
  })
  await shop.sql.query('insert into stock values (1, 1, 5), (2, 1, 6), (3, 1, 7)')
  await shop.run()
  await shop.sql.query('update stock set counted = 8 where stock_id = 1')
  await shop.sql.query('delete from stock where stock_id = 2')
  await shop.run()
})
afterAll(() => shop[Symbol.asyncDispose]())

const status = (): Promise<Status> =>
  readStatus(shop.deps, { reader: shop.deps.warehouse, promiseMs: 1, now: new Date() })
const stock = ({ facts }: Status) => facts.find(({ table }) => table === 'fact_stock')

it('readStatus() says how many rows and versions a fact has', async () => {
  expect(stock(await status())).toEqual({ table: 'fact_stock', current: 2, versions: 5 })
  const counted = await shop.query(`
    select
      (select count(*) from fact_stock_current)::int as current,
      (select count(*) from fact_stock)::int as versions`)
  expect(counted).toEqual([{ current: 2, versions: 5 }])
})

it('readStatus() counts rows while a fact has no sums', async () => {
  await shop.query('drop table fact_stock_by_item cascade')
  expect(stock(await status())).toEqual({ table: 'fact_stock', current: 2, versions: 5 })
})

it('readStatus() says what the lake says first if lake and warehouse both fail', async () => {
  const away = new URL(shop.deps.warehouse.url)
  away.port = '1'
  const processed = { ...shop.deps.processed, get: () => Promise.reject(new Error('the lake')) }
  const options = { promiseMs: 1, now: new Date() }
  const reader = { ...shop.deps.warehouse, url: away.href, attempts: 1 }
  await expect(readStatus(shop.deps, { ...options, reader })).rejects.toMatchObject({
    code: 'WAREHOUSE_UNREACHABLE',
  })
  await expect(
    readStatus({ ...shop.deps, processed, ingestion: processed }, { ...options, reader }),
  ).rejects.toThrow('the lake')
})

it('readStatus() counts the rows of a warehouse that does not have the sums of its facts yet', async () => {
  await using grown = await createShop()
  await grown.sql.query(`insert into sale values (1, 1, 2, 2.5, '2024-01-01')`)
  await grown.run()
  const sums = { columns: { units: 'units' }, grains: { item: ['item_id'] } }
  const project = await grown.changed({ sums: { fact_sale: sums } })
  const found = await readStatus(
    { ...grown.deps, project },
    { reader: grown.deps.warehouse, promiseMs: 1, now: new Date() },
  )
  expect(found.facts).toContainEqual({ table: 'fact_sale', current: 1, versions: 1 })
})
