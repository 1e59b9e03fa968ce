import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createDatabase, type TestDatabase } from '../../../test/support/database.ts'
import { TransientError } from '../errors.ts'
import { createConnectionPool } from '../io/connection-pool.ts'
import { type Client, connect, onlyRow } from '../io/postgres.ts'
import { EVIDENCE_FUNCTIONS } from './evidence.ts'
import { createReaders } from './readers.ts'
import { attemptRead, openSnapshot } from './snapshot.ts'

describe('openSnapshot()', () => {
  let test: TestDatabase
  beforeAll(async () => {
    test = await createDatabase({ template: 'empty' })
    await test.query('create table thing (id int primary key)')
  })
  afterAll(() => test.drop())
  const database = (url = test.readerUrl) => ({ title: 'Things', code: 'SOURCE', url, attempts: 1 })

  it('identifies its moment, the cluster and its history with only SELECT rights', async () => {
    await using snapshot = await openSnapshot(database())
    const { identity } = snapshot
    expect(identity.takenAt).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/)
    expect(BigInt(identity.xmax)).toBeGreaterThanOrEqual(BigInt(identity.xmin))
    expect(identity.systemId).toMatch(/^\d+\/\d+$/)
    expect(identity).toMatchObject({ timeline: 1, standby: false })
    for (const moment of [identity.startedAt, identity.statisticsSince]) {
      expect(moment).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/)
    }
    for (const position of [identity.wal, identity.checkpoint]) {
      expect(position).toMatch(/^[0-9A-F]+\/[0-9A-F]+$/)
    }
  })

  it('I2 sees one moment in every connection, whatever others commit meanwhile', async () => {
    await using snapshot = await openSnapshot(database())
    await test.query('insert into thing values (1)')
    await using another = await snapshot.openAnother()
    await using third = await snapshot.openAnother()
    for (const { client } of [snapshot, another, third]) {
      const { rows } = await client.query('select * from public.thing')
      expect(rows).toEqual([])
    }
  })

  it('cannot write', async () => {
    await using snapshot = await openSnapshot(database(test.url))
    await expect(snapshot.client.query('insert into public.thing values (2)')).rejects.toThrow(
      /read-only/,
    )
  })

  it('openAnother() fails and closes its connection once the snapshot is gone', async () => {
    await using snapshot = await openSnapshot(database())
    await (await snapshot.openAnother())[Symbol.asyncDispose]()
    await snapshot.client.query('rollback')
    await expect(snapshot.openAnother()).rejects.toThrow('Things')
  })

  it('asks on a kept connection for what the user may ask by then', async () => {
    await using pool = createConnectionPool()
    const read = async () => {
      await using snapshot = await openSnapshot({ ...database(), pool })
      const { rows } = await snapshot.client.query('select pg_backend_pid() as pid')
      const { startedAt, wal } = snapshot.identity
      return { rows, known: [startedAt !== undefined, wal !== undefined] }
    }
    const asked = 'pg_catalog.pg_postmaster_start_time()'
    const before = await read()
    expect(before.known).toEqual([true, true])
    expect(await read()).toEqual(before)
    await test.query(`revoke execute on function ${asked} from public`)
    expect(await read()).toEqual({ ...before, known: [false, true] })
    expect(await read()).toEqual({ ...before, known: [false, true] })
    await test.query(`grant execute on function ${asked} to public`)
    expect(await read()).toEqual(before)
  })

  it('does without the cluster’s identity if the user may not ask for it', async () => {
    for (const name of EVIDENCE_FUNCTIONS) {
      await test.query(`revoke execute on function ${name} from public`)
    }
    await using snapshot = await openSnapshot(database())
    expect(snapshot.identity).toMatchObject({ systemId: '', timeline: 0, standby: false })
    const { startedAt, statisticsSince, wal, checkpoint } = snapshot.identity
    expect([startedAt, statisticsSince, wal, checkpoint].every((each) => each === undefined)).toBe(
      true,
    )
  })
})

describe('attemptRead()', () => {
  let test: TestDatabase
  const table = { name: 'thing', hasXmin: true }
  beforeAll(async () => {
    test = await createDatabase({ template: 'empty' })
    await test.query('create table thing (id int primary key)')
  })
  afterAll(() => test.drop())
  const open = () =>
    openSnapshot({ title: 'Things', code: 'SOURCE', url: test.readerUrl, attempts: 1 })
  const pid = async (client: Client) =>
    onlyRow(await client.query<{ pid: number }>('select pg_backend_pid() as pid')).pid

  it('I2 reads side by side in one moment, each read on a connection for itself', async () => {
    await using snapshot = await open()
    await test.query('insert into thing values (1)')
    const using: Client[] = []
    const read = async (client: Client) => {
      expect(using).not.toContain(client)
      using.push(client)
      const found = await client.query('select * from public.thing')
      const by = await pid(client)
      using.splice(using.indexOf(client), 1)
      return { rows: found.rows, by }
    }
    const needs = [1, 2, 2, 3, 1, 2].map((connections) => ({ ...table, connections }))
    const found = await Promise.all(needs.map((need) => attemptRead(snapshot, need, read)))
    expect(found.map(({ rows }) => rows)).toEqual(needs.map(() => []))
    expect(new Set(found.map(({ by }) => by)).size).toBeGreaterThan(1)
    expect(new Set(found.map(({ by }) => by)).size).toBeLessThanOrEqual(3)
  })

  it('I15 a read that fails does not disturb another beside it', async () => {
    await using snapshot = await open()
    const need = { ...table, connections: 2 }
    const [bad, good] = await Promise.allSettled([
      attemptRead(snapshot, need, (client) => client.query('select 1 / 0')),
      attemptRead(snapshot, need, (client) => client.query('select 1 as one')),
    ])
    expect(bad).toMatchObject({ status: 'rejected', reason: { code: 'TABLE_UNREADABLE' } })
    expect(good).toMatchObject({ status: 'fulfilled', value: { rows: [{ one: 1 }] } })
  })

  it('I15 reads a table that somebody waits to lock on the connection that has its lock', async () => {
    await using snapshot = await open()
    await snapshot.client.query('select * from public.thing')
    await using other = await connect({ title: 'it', code: 'SOURCE', url: test.url, attempts: 1 })
    const altering = other.client.query('alter table thing add column more int')
    const waiters = () =>
      test.query(`select 1 from pg_locks where not granted and mode = 'AccessExclusiveLock'
        and database = (select oid from pg_database where datname = current_database())`)
    await expect.poll(async () => (await waiters()).length).toBe(1)
    let refused = () => {}
    const isRefused = new Promise<void>((resolve) => (refused = resolve))
    const clients: Client[] = []
    const [, found] = await Promise.all([
      // Keeps the first connection until the other was refused.
      attemptRead(snapshot, { ...table, connections: 2 }, () => isRefused),
      attemptRead(snapshot, { ...table, connections: 2 }, async (client) => {
        clients.push(client)
        const rows = client.query('select count(*)::int as rows from public.thing')
        await rows.catch(refused)
        return (await rows).rows
      }),
    ])
    expect(found).toEqual([{ rows: 1 }])
    expect(clients).toHaveLength(2)
    expect(clients[1]).toBe(snapshot.client)
    await snapshot[Symbol.asyncDispose]()
    await altering
  })

  it('goes on with one connection if the server has no other left', async () => {
    await using first = await connect({ title: 'it', code: 'SOURCE', url: test.url, attempts: 1 })
    await using readers = createReaders(first.client, {
      share: () => Promise.resolve(),
      open: () => Promise.reject(new TransientError('none left', { code: 'NONE', hint: 'wait' })),
    })
    const reads = [1, 2, 3].map(() => readers.use({ connections: 3 }, pid))
    expect(new Set(await Promise.all(reads)).size).toBe(1)
  })
})
