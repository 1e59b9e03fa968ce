import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTestReader, type TestReader } from '../../../test/support/reader.ts'
import { createShop, type ShopSystem } from '../../../test/support/shop.ts'
import { TransientError } from '../errors.ts'
import { createReader, type Reader } from './reader.ts'

describe('createReader()', () => {
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

  it('refuses a role that could do more than read', async () => {
    await using loader = createReader(shop.deps.warehouse)
    await expect(loader.read(async () => 1)).rejects.toMatchObject({
      code: 'WAREHOUSE_READER_RIGHTS',
      hint: expect.stringContaining('TIDEMARK_WAREHOUSE_READER_URL') as string,
    })
    await using reader = createReader(role.warehouse)
    const grants = [
      [`grant insert on dim_item to ${role.role}`, `revoke insert on dim_item from ${role.role}`],
      [
        `grant create on schema public to ${role.role}`,
        `revoke create on schema public from ${role.role}`,
      ],
      [
        `grant pg_read_server_files to ${role.role}`,
        `revoke pg_read_server_files from ${role.role}`,
      ],
      [`alter role ${role.role} createrole`, `alter role ${role.role} nocreaterole`],
    ] as const
    for (const [grant, revoke] of grants) {
      await shop.query(grant)
      await expect(reader.open(), grant).rejects.toMatchObject({ code: 'WAREHOUSE_READER_RIGHTS' })
      await shop.query(revoke)
    }
    await (await reader.open())[Symbol.asyncDispose]()
  })

  it('I5 reads in one snapshot that cannot write', async () => {
    await shop.run()
    await using reader = createReader(role.warehouse)
    const count = `select count(*)::int as n from dim_item`
    const [before, after] = await reader.read(async ({ client }) => {
      const { rows: first } = await client.query<{ n: number }>(count)
      await shop.query(`insert into dim_item values (77, 'cap', 'hat')`)
      return [first, (await client.query<{ n: number }>(count)).rows]
    })
    expect(after).toEqual(before)
    await shop.query('delete from dim_item where item_id = 77')
    const write = reader.read(({ client }) => client.query('create temp table t (a int)'))
    await expect(write).rejects.toThrow(/25006/)
    expect(await reader.read(async () => 'goes on')).toBe('goes on')
  })

  it('shares connections, waits for a free one, and turns away callers that would wait too long', async () => {
    await using reader = createReader(role.warehouse, { shared: 1, waitMs: 200 })
    let free = (): void => {}
    const freed = new Promise<void>((resolve) => {
      free = resolve
    })
    const pid = `select pg_backend_pid() as pid`
    const first = reader.read(async ({ client }) => {
      await freed
      return (await client.query(pid)).rows
    })
    await expect(reader.read(async () => 1)).rejects.toMatchObject({ code: 'READER_BUSY' })
    free()
    const second = reader.read(async ({ client }) => (await client.query(pid)).rows)
    expect(await second).toEqual(await first)
  })

  it('retries once after the server ended its connections', async () => {
    await using reader = createReader(role.warehouse)
    const end = `select pg_terminate_backend(pid) from pg_stat_activity where usename = '${role.role}'`
    await reader.read(async () => 1)
    await shop.query(end)
    expect(await reader.read(async () => 2)).toBe(2)
    let tries = 0
    const result = await reader.read(async ({ client }) => {
      tries += 1
      if (tries === 1) await shop.query(end)
      return (await client.query<{ n: number }>('select 3 as n')).rows[0]?.n
    })
    expect([result, tries]).toEqual([3, 2])
    const always = reader.read(async ({ client }) => {
      await shop.query(end)
      await client.query('select 1')
    })
    await expect(always).rejects.toThrow(TransientError)
    expect(await reader.read(async () => 4)).toBe(4)
  })

  it('does not reuse a connection that was idle for too long', async () => {
    const pidOf = (reader: Reader) =>
      reader.read(async ({ client }) => {
        const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid')
        return rows[0]?.pid
      })
    await using lasting = createReader(role.warehouse, { maxIdleMs: 60_000 })
    expect(await pidOf(lasting)).toBe(await pidOf(lasting))
    await using forgetful = createReader(role.warehouse, { maxIdleMs: -1 })
    const first = await pidOf(forgetful)
    expect(await pidOf(forgetful)).not.toBe(first)
    await expect
      .poll(() => shop.query('select 1 from pg_stat_activity where pid = $1', [first]))
      .toEqual([])
  })

  it('closes every connection, and reads nothing after that', async () => {
    const reader = createReader(role.warehouse)
    await reader.read(async () => 1)
    await reader.open()
    await reader[Symbol.asyncDispose]()
    await expect(reader.read(async () => 1)).rejects.toMatchObject({ code: 'READER_CLOSED' })
    await expect(reader.open()).rejects.toMatchObject({ code: 'READER_CLOSED' })
    await expect
      .poll(() => shop.query('select 1 from pg_stat_activity where usename = $1', [role.role]))
      .toEqual([])
  })
})
