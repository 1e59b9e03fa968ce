import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  createTestReader,
  readReaderExcess,
  type TestReader,
} from '../../../test/support/reader.ts'
import { createShop, type ShopSystem } from '../../../test/support/shop.ts'
import type { ReaderExcess } from './reader-excess.ts'

describe('findReaderExcess()', () => {
  let shop: ShopSystem
  let role: TestReader
  beforeAll(async () => {
    shop = await createShop()
    role = await createTestReader(shop)
  })
  afterAll(async () => {
    await role[Symbol.asyncDispose]()
    await shop[Symbol.asyncDispose]()
  })
  const found = async (kind?: ReaderExcess['kind']): Promise<readonly ReaderExcess[]> =>
    (await readReaderExcess(role.warehouse)).filter(
      (each) => kind === undefined || each.kind === kind,
    )

  it('finds no right to write in a role that the loader made a reader', async () => {
    expect(await found('writes')).toEqual([])
  })

  it('names unbounded rights and functions that reach others, with SQL that revokes each', async () => {
    await shop.query(`grant temporary on database ${shop.warehouse.name} to ${role.role}`)
    const [limit, temporary] = await found('unbounded')
    expect(limit?.fix).toBe(`alter role ${role.role} set temp_file_limit = '1GB'`)
    expect(temporary?.what).toContain('temporary tables')
    // The loader needs no such right, so nobody gets it.
    expect(temporary?.fix).toBe(
      `revoke temporary on database ${shop.warehouse.name} from ${role.role}, public`,
    )
    const [functions] = await found('functions')
    expect(functions?.fix).toMatch(/pg_logical_emit_message\(boolean,text,text,boolean\)/)
    for (const { fix } of await found()) await shop.query(fix)
    expect(await found()).toEqual([])
  })

  it('names each right to write, with SQL that revokes it', async () => {
    const { warehouse } = shop
    const grants: [string, RegExp][] = [
      [`grant create on schema public to ${role.role}`, /create objects in schema public/],
      [`grant insert on fact_sale to ${role.role}`, /may change fact_sale/],
      [`grant delete on dim_item to public`, /may change dim_item/],
      [`grant pg_signal_backend to ${role.role}`, /member of pg_signal_backend/],
      [`alter role ${role.role} createdb`, /may make roles or databases/],
    ]
    for (const [grant, what] of grants) {
      await warehouse.query(grant)
      const [excess, ...others] = await found('writes')
      expect(excess?.what, grant).toMatch(what)
      expect(others).toEqual([])
      await warehouse.query(excess?.fix ?? '')
      expect(await found('writes'), grant).toEqual([])
    }
  })
})
