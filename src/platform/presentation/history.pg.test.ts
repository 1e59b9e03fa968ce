import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createShop, type ShopSystem } from '../../../test/support/shop.ts'
import { openWarehouse, type WarehouseClient } from '../warehouse/warehouse.ts'
import { findFact, readHistory } from './history.ts'

describe('readHistory()', () => {
  let shop: ShopSystem
  let warehouse: WarehouseClient
  beforeAll(async () => {
    shop = await createShop()
    await shop.sql.query(`insert into sale values (1, 1, 2, 3.500, '2024-01-02', null, null)`)
    await shop.run()
    await shop.sql.query(`update sale set returned_on = '2024-02-03', price = 3.510`)
    await shop.run()
    await shop.sql.query('delete from sale')
    await shop.run()
    warehouse = await openWarehouse(shop.deps.warehouse)
  })
  afterAll(async () => {
    await warehouse[Symbol.asyncDispose]()
    await shop[Symbol.asyncDispose]()
  })

  it('I7 returns every version exactly, with the columns that changed', async () => {
    const { versions, headline } = await readHistory(warehouse, findFact(shop.project, 'sale'), [
      '1',
    ])
    expect(headline).toBeUndefined()
    expect(versions.map(({ version, operation, batch }) => [version, operation, batch])).toEqual([
      [1, 'insert', 1],
      [2, 'update', 2],
      [3, 'delete', 3],
    ])
    expect(versions.map(({ changed }) => changed)).toEqual([[], ['price', 'returned_on'], []])
    expect(versions[0]?.values).toEqual({
      sale_id: '1',
      item_id: '1',
      units: '2',
      price: '3.500',
      sold_on: '2024-01-02',
      returned_on: undefined,
      extra: undefined,
    })
    expect(versions.map(({ validTo }) => validTo)).toEqual([
      versions[1]?.validFrom,
      versions[2]?.validFrom,
      undefined,
    ])
  })

  it('returns no version for a key that never existed, and refuses a value that cannot be a key', async () => {
    const fact = findFact(shop.project, 'fact_sales')
    expect((await readHistory(warehouse, fact, ['2'])).versions).toEqual([])
    await expect(readHistory(warehouse, fact, ['one'])).rejects.toMatchObject({
      code: 'BAD_KEY',
      hint: 'give a value of sale_id, as the source shows it',
    })
    await expect(readHistory(warehouse, fact, ['1', '2'])).rejects.toMatchObject({
      code: 'BAD_KEY',
      hint: 'give one value',
    })
    const twofold = { ...fact, key: ['sale_id', 'item_id'] }
    await expect(readHistory(warehouse, twofold, ['1'])).rejects.toMatchObject({
      hint: 'give 2 values, separated by commas',
    })
    expect((await readHistory(warehouse, twofold, ['1', '1'])).versions).toHaveLength(3)
    await expect(readHistory(warehouse, twofold, ['1', 'one'])).rejects.toMatchObject({
      hint: 'give a value of sale_id, then a value of item_id, as the source shows it',
    })
  })

  it('findFact() names the existing facts', () => {
    expect(() => findFact(shop.project, 'nothing')).toThrow(/No table called nothing/)
  })

  it('findFact() takes the name that a table has in the source', () => {
    expect(findFact(shop.project, 'public.sale').from).toBe('sale')
  })

  it('reports any other error of the warehouse', async () => {
    const fact = { ...findFact(shop.project, 'sale'), key: ['no such column'] }
    await expect(readHistory(warehouse, fact, ['1'])).rejects.toMatchObject({
      code: 'WAREHOUSE_SCHEMA',
    })
  })
})
