import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { describe, expect, it } from 'vitest'
import { createTestReader } from '../../../test/support/reader.ts'
import { createShop } from '../../../test/support/shop.ts'
import { load } from '../load/load.ts'
import { run } from '../pipeline.ts'
import { readLedgerHead } from './ledger.ts'
import { inLockedTransaction, inSnapshot, inTransaction, openWarehouse } from './warehouse.ts'

describe("the warehouse's lock", () => {
  it('cannot be taken by a reader, whatever the statement or the name', async () => {
    await using shop = await createShop()
    await shop.run()
    await using reader = await createTestReader(shop)
    const client = new pg.Client(reader.warehouse.url)
    await client.connect()
    const modes = ['row share', 'share', 'exclusive', 'access exclusive']
    for (const mode of modes) {
      await expect(client.query(`lock table tidemark_lock in ${mode} mode`)).rejects.toThrow(
        /permission denied|can only be used in transaction/,
      )
      await expect(client.query(`begin; lock table tidemark_lock in ${mode} mode`)).rejects.toThrow(
        /permission denied/,
      )
      await client.query('rollback')
    }
    // The lock of earlier versions, and any other lock that a reader may take.
    await client.query(`begin;
      select pg_advisory_lock(hashtextextended('tidemark public', 0));
      select pg_advisory_xact_lock(hashtextextended('tidemark_lock', 0));
      lock table fact_sale, tidemark_status in access share mode`)
    await shop.sql.query(`insert into sale values (1, 1, 1, 2.5, '2024-01-01')`)
    const limits = { ...shop.deps.limits, lockWaitMs: 2000 }
    const report = await run({ ...shop.deps, limits })
    expect(report.failures).toEqual([])
    expect(report.loaded?.batches).toEqual([2])
    await client.end()
  })

  it('I4 is created once by several first runs at the same time, and each takes its turn', async () => {
    await using shop = await createShop()
    await shop.warehouse.query('create schema if not exists other')
    const warehouse = { ...shop.deps.warehouse, schema: `made ${randomBytes(3).toString('hex')}` }
    let inside = 0
    const write = async (): Promise<number> => {
      await using connection = await openWarehouse(warehouse)
      return await inLockedTransaction(connection, 10_000, async () => {
        inside += 1
        await connection.client.query('select pg_sleep(0.02)')
        return inside--
      })
    }
    expect(await Promise.all(Array.from({ length: 8 }, write))).toEqual(Array(8).fill(1))
  })

  it('is not made by a role without the right to use the schema, and the grant is named', async () => {
    await using shop = await createShop()
    await shop.run()
    const role = `loader_${randomBytes(3).toString('hex')}`
    await shop.query(`create role ${role} login password 'p'`)
    await shop.query(`revoke usage on schema public from public`)
    await shop.query(`grant connect on database ${shop.warehouse.name} to ${role}`)
    try {
      const url = Object.assign(new URL(shop.warehouse.url), { username: role, password: 'p' }).href
      const { failures } = await run({ ...shop.deps, warehouse: { ...shop.deps.warehouse, url } })
      expect(failures.at(-1)?.error).toMatchObject({
        code: 'WAREHOUSE_PERMISSION',
        hint: `grant usage on schema "public" to "${role}";`,
      })
    } finally {
      await shop.query(`drop owned by ${role}; drop role ${role}`)
    }
  })

  it('is waited for as long as asked; 0 means not at all', async () => {
    await using shop = await createShop()
    await using one = await openWarehouse(shop.deps.warehouse)
    await using other = await openWarehouse(shop.deps.warehouse)
    await inLockedTransaction(one, 1000, async () => {
      const second = inLockedTransaction(other, 0, async () => 'never')
      await expect(second).rejects.toMatchObject({ code: 'RUN_LOCKED' })
    })
    expect(await inLockedTransaction(other, 0, async () => 'now')).toBe('now')
  })
})

describe('a loader that may create objects in its schema but not in the database', () => {
  it('makes the warehouse there', async () => {
    await using shop = await createShop()
    const role = `loader_${randomBytes(6).toString('hex')}`
    await shop.warehouse.query(`create role ${role} login password 'secret'`)
    await shop.warehouse.query(`grant connect on database ${shop.warehouse.name} to ${role}`)
    await shop.warehouse.query(`create schema stars`)
    await shop.warehouse.query(`grant create, usage on schema stars to ${role}`)
    const url = new URL(shop.warehouse.url)
    url.username = role
    url.password = 'secret'
    const warehouse = { ...shop.deps.warehouse, url: url.href, schema: 'stars' }
    const deps = { ...shop.deps, warehouse }
    expect((await run(deps)).failures).toEqual([])
    expect(await load(deps)).toMatchObject({ lastBatch: 1 })
    const other = { ...deps, warehouse: { ...warehouse, schema: 'missing' } }
    await expect(load(other)).rejects.toMatchObject({ code: 'WAREHOUSE_PERMISSION' })
    await shop.warehouse.query(`drop owned by ${role}`)
    await shop.warehouse.query(`drop role ${role}`)
  })
})

describe('inSnapshot() and inTransaction()', () => {
  it('keep all work of one transaction together, end it, and undo it if it fails', async () => {
    await using shop = await createShop()
    await using connection = await openWarehouse(shop.deps.warehouse)
    const { client } = connection
    await inTransaction(connection, async () => {
      await client.query('create table kept (id integer)')
      // The open transaction is used, whatever it was begun for.
      await inSnapshot(connection, () => client.query('insert into kept values (1)'))
    })
    expect(client.getTransactionStatus()).toBe('I')
    const failed = inTransaction(connection, async () => {
      await client.query('delete from kept')
      throw new Error('by itself')
    })
    await expect(failed).rejects.toThrow('by itself')
    const written = inSnapshot(connection, () => client.query('delete from kept'))
    await expect(written).rejects.toThrow('read-only')
    expect(client.getTransactionStatus()).toBe('I')
    expect(await shop.query('select id from kept')).toEqual([{ id: 1 }])
  })
})

describe('the commit of a write', () => {
  it('I4 waits for the disk when a batch is loaded, and not when a run confirms that nothing changed', async () => {
    await using shop = await createShop()
    await shop.run()
    await shop.warehouse.query(`
      do $$ begin
        execute format('alter database %I set synchronous_commit = on', current_database());
      end $$;
      create table written (relation text, waits text);
      create function note_write() returns trigger language plpgsql as $$
        begin
          insert into written values (tg_table_name, current_setting('synchronous_commit'));
          return null;
        end $$;
      create trigger noted after insert on tidemark_ledger
        for each statement execute function note_write();
      create trigger noted after insert on tidemark_confirmation
        for each statement execute function note_write()`)
    await shop.sql.query(`insert into sale values (1, 1, 1, 2.5, '2024-01-01')`)
    await shop.run()
    const { completeTo } = await shop.run()
    expect(await shop.query('select distinct relation, waits from written order by 1')).toEqual([
      { relation: 'tidemark_confirmation', waits: 'off' },
      { relation: 'tidemark_ledger', waits: 'on' },
    ])
    // Everybody sees the confirmation at once all the same.
    await using another = await openWarehouse(shop.deps.warehouse)
    expect((await readLedgerHead(another))?.completeTo).toBe(completeTo)
  })
})
