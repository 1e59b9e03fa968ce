import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createDatabase, type TestDatabase } from '../../../test/support/database.ts'
import { createConnectionPool, type PoolLimits } from './connection-pool.ts'
import type { Database } from './database.ts'
import { type Client, connect, onlyRow } from './postgres.ts'

let database: TestDatabase
let admin: Client

beforeAll(async () => {
  database = await createDatabase({ template: 'empty' })
  admin = await database.client()
})

afterAll(() => database.drop())

/** The database with a pool, which `use` borrows connections from. */
async function withPool(
  limits: PoolLimits,
  work: (tools: { use: typeof pidOf; at: Database }) => Promise<void>,
): Promise<void> {
  await using pool = createConnectionPool(limits)
  await work({ use: pidOf, at: { title: 'T', code: 'T', url: database.url, attempts: 1, pool } })
}

/** Borrows a connection, runs statements on it, and gives it back. Returns the server's process. */
async function pidOf(at: Database, ...statements: readonly string[]): Promise<number> {
  await using connection = await connect(at)
  for (const statement of statements) await connection.client.query(statement).catch(() => {})
  const { pid } = onlyRow(
    await connection.client
      .query<{ pid: number }>('select pg_backend_pid() as pid')
      .catch(() => ({ rows: [{ pid: 0 }] })),
  )
  return pid
}

async function countSessions(pid: number): Promise<number> {
  const { rowCount } = await admin.query('select 1 from pg_stat_activity where pid = $1', [pid])
  return rowCount ?? 0
}

describe('a pool of connections', () => {
  it('lends a connection again that was given back, and closes it at the end', async () => {
    let last = 0
    await withPool({}, async ({ use, at }) => {
      last = await use(at)
      expect(await use(at)).toBe(last)
      expect(await countSessions(last)).toBe(1)
    })
    await expect.poll(() => countSessions(last)).toBe(0)
  })

  it('rolls back what was begun, also after an error', async () => {
    await withPool({}, async ({ use, at }) => {
      await admin.query('create table if not exists left_open (id integer)')
      const first = await use(at, 'begin', 'insert into left_open values (1)')
      expect(await use(at, 'begin', 'select no_such_column')).toBe(0)
      expect(await use(at)).toBe(first)
      const { rows } = await admin.query('select count(*)::int as rows from left_open')
      expect(rows).toEqual([{ rows: 0 }])
    })
  })

  it('lends two at once, and keeps no more than it may', async () => {
    await withPool({ size: 1 }, async ({ use, at }) => {
      const pids = new Set<number>()
      {
        await using one = await connect(at)
        await using other = await connect(at)
        for (const { client } of [one, other]) {
          const found = await client.query<{ pid: number }>('select pg_backend_pid() as pid')
          pids.add(onlyRow(found).pid)
        }
      }
      expect(pids.size).toBe(2)
      expect(pids.has(await use(at))).toBe(true)
      const countKept = async () => {
        const sessions = await Promise.all([...pids].map(countSessions))
        return sessions.filter((each) => each === 1).length
      }
      await expect.poll(countKept).toBe(1)
    })
  })

  it('keeps one of three that are given back at once, and closes the others', async () => {
    const pids: number[] = []
    await withPool({ size: 1 }, async ({ at }) => {
      const opened = await Promise.all([connect(at), connect(at), connect(at)])
      for (const { client } of opened) {
        const found = await client.query<{ pid: number }>('select pg_backend_pid() as pid')
        pids.push(onlyRow(found).pid)
        await client.query('begin')
      }
      await Promise.all(opened.map((each) => each[Symbol.asyncDispose]()))
      const alive = async () =>
        (await Promise.all(pids.map(countSessions))).reduce((sum, each) => sum + each, 0)
      await expect.poll(alive).toBe(1)
    })
    await expect.poll(async () => Promise.all(pids.map(countSessions))).toEqual([0, 0, 0])
  })

  it('gives a session back as it was, whatever a migration has set in it', async () => {
    await withPool({}, async ({ use, at }) => {
      const first = await use(
        at,
        `set session_replication_role = replica`,
        `create temp table left_behind ()`,
        `select pg_advisory_lock(7)`,
      )
      await using connection = await connect(at)
      const { rows } = await connection.client.query(`
        select pg_backend_pid() as pid, current_setting('session_replication_role') as role,
          to_regclass('left_behind') as left_behind, pg_try_advisory_lock(7) as free`)
      expect(rows).toEqual([{ pid: first, role: 'origin', left_behind: null, free: true }])
    })
  })

  it('connects anew if the server has ended the kept session', async () => {
    await withPool({}, async ({ use, at }) => {
      const first = await use(at)
      await admin.query('select pg_terminate_backend($1, 5000)', [first])
      const second = await use(at)
      expect(second).toBeGreaterThan(0)
      expect(second).not.toBe(first)
    })
  })

  it('keeps no connection that waits for an answer', async () => {
    await withPool({}, async ({ use, at }) => {
      const first = await use(at)
      {
        await using connection = await connect(at)
        void connection.client.query('select pg_sleep(60)').catch(() => {})
      }
      expect(await use(at)).not.toBe(first)
    })
  })

  it('keeps no connection that is old, and closes one that nobody wants', async () => {
    await withPool({ maxAgeMs: -1 }, async ({ use, at }) => {
      const first = await use(at)
      // It may be kept once, and is too old the next time.
      await use(at)
      expect(await use(at)).not.toBe(first)
    })
    await withPool({ idleMs: 1 }, async ({ use, at }) => {
      const first = await use(at)
      await expect.poll(() => countSessions(first)).toBe(0)
      expect(await use(at)).not.toBe(first)
    })
  })

  it('gives up a connection that does not answer in time', async () => {
    await withPool({ answerMs: 100 }, async ({ use, at }) => {
      const first = await use(at)
      process.kill(first, 'SIGSTOP')
      try {
        const second = await use(at)
        expect(second).toBeGreaterThan(0)
        expect(second).not.toBe(first)
      } finally {
        process.kill(first, 'SIGCONT')
      }
    })
  })
})
