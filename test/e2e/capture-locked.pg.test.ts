import { afterEach, describe, expect, it } from 'vitest'
import type pg from 'pg'
import { examine } from '../../src/platform/inspect/doctor.ts'
import { extract } from '../../src/platform/extract/extract.ts'
import type { SourceTable } from '../../src/platform/project/source-contract.ts'
import { verify } from '../../src/platform/inspect/verify.ts'
import { bareProject } from '../support/bare-project.ts'
import { once, readTable, withHook } from '../support/lake.ts'
import { createSystem, type TestSystem } from '../support/system.ts'

let system: TestSystem
let other: pg.Client
afterEach(() => system[Symbol.asyncDispose]())

const TABLES: readonly SourceTable[] = [
  { name: 'thing', key: ['id'] },
  { name: 'part', key: ['id'] },
  { name: 'seen', key: ['id'], keyIsUnenforced: true },
]

async function open() {
  system = await createSystem({ project: bareProject(TABLES), template: 'empty' })
  await system.sql.query(`
    create table thing (id integer primary key, name text default 'none');
    create table part (id integer primary key) partition by range (id);
    create table part_1 partition of part for values from (0) to (100);
    create table part_2 partition of part for values from (100) to (200);
    create table under (id integer);
    create view seen as select id from under;
    insert into thing values (1, 'one');
    insert into part values (1), (101);
    insert into under values (1)`)
  other = await system.source.client()
}

async function lock(relation: string): Promise<void> {
  await other.query(`begin; lock table ${relation} in access exclusive mode`)
}

/** Why each table is held, according to the newest batch. */
async function held(): Promise<Record<string, string | undefined>> {
  const [record] = (await system.records()).slice(-1)
  return Object.fromEntries(
    Object.entries(record?.tables ?? {}).map(([name, entry]) => [name, entry.held?.reason]),
  )
}

async function ids(name: string): Promise<unknown[]> {
  const rows = await readTable(system, (await system.records()).at(-1), name)
  return rows.map(({ id }) => id)
}

describe('a table that somebody has locked', () => {
  it.each([
    ['a table', 'thing', 'thing'],
    ['a partition', 'part_2', 'part'],
    ['what a view reads', 'under', 'seen'],
  ])('I15 %s waits alone for the next run', async (_, relation, table) => {
    await open()
    await extract(system.deps)
    await system.sql.query(
      'insert into thing values (2); insert into part values (2); insert into under values (2)',
    )
    await lock(relation)
    const { committed, held: waiting } = await extract(system.deps)
    expect(committed).toBe(true)
    expect(waiting).toEqual([
      { table, reason: 'locked', detail: 'somebody holds a lock on it; the next run reads it' },
    ])
    const others = TABLES.map(({ name }) => name).filter((name) => name !== table)
    for (const name of others) expect(await ids(name)).toContain('2')
    expect(await ids(table)).not.toContain('2')
    expect(system.entries).toContainEqual(
      expect.objectContaining({ event: 'table_held', level: 'warn', table, reason: 'locked' }),
    )

    await other.query('rollback')
    expect((await extract(system.deps)).held).toEqual([])
    expect(await ids(table)).toContain('2')
    expect(await held()).toEqual({ thing: undefined, part: undefined, seen: undefined })
    expect(await extract(system.deps)).toMatchObject({ committed: false })
  })

  it('I15 waits alone when it was never read before, and when it is the only one', async () => {
    await open()
    await lock('thing, part, under')
    expect((await extract(system.deps)).held).toHaveLength(3)
    await other.query('rollback; begin; lock table thing in access exclusive mode')
    expect((await extract(system.deps)).held).toHaveLength(1)
    expect(await ids('part')).toEqual(['1', '101'])
    await other.query('rollback')
    await extract(system.deps)
    expect(await ids('thing')).toEqual(['1'])
  })

  it('I15 cannot be locked between planning and reading, even by somebody who queues for it', async () => {
    await open()
    await extract(system.deps)
    await system.sql.query(`insert into thing values (2)`)
    const queue = once(
      (call) => call === 'upload',
      async () => {
        void other.query('begin; lock table thing, part, under in access exclusive mode')
        for (let isQueued = false; !isQueued;) {
          const rows = await system.source.query('select 1 from pg_locks where not granted')
          isQueued = rows.length > 0
        }
      },
    )
    const { held: waiting } = await extract(withHook(system.deps, queue))
    expect(waiting).toEqual([])
    expect(await ids('thing')).toEqual(['1', '2'])
    await other.query('rollback')
  })

  it('I15 waits alone when somebody queues for it while several connections read it', async () => {
    await open()
    await system.sql.query(`
      insert into thing select n, repeat(md5(n::text), 20) from generate_series(2, 90000) as n`)
    const deps = system.deps
    // Another session asks for the lock while the table is being read.
    const queue = async () => {
      for (;;) {
        const [read] = await system.source.query<{ is_reading: boolean }>(
          `select count(*) > 0 as is_reading from pg_locks
           where relation = 'thing'::regclass and mode = 'AccessShareLock'
             and pid <> pg_backend_pid()`,
        )
        if (read?.is_reading === true) break
      }
      await other.query('begin; lock table thing in access exclusive mode')
    }
    const queued = queue()
    await extract(deps)
    await queued
    await other.query('rollback')
    await extract(deps)
    expect(await ids('thing')).toHaveLength(90_000)
    expect(await ids('part')).toEqual(['1', '101'])
  })

  it('verify() says so, and compares the others', async () => {
    await open()
    await extract(system.deps)
    await lock('thing')
    const { tables, isEqual } = await verify(system.deps)
    expect(isEqual).toBe(true)
    expect(tables.map(({ table, held: reason, rows }) => [table, reason, rows])).toEqual([
      ['thing', 'locked', 0],
      ['part', undefined, 2],
      ['seen', undefined, 1],
    ])
  })

  it('examine() says so, and does not wait', async () => {
    await open()
    await lock('thing')
    const findings = await examine(system.deps)
    expect(findings.find(({ ok }) => !ok)).toMatchObject({
      what: 'table thing',
      detail: expect.stringContaining('somebody holds a lock on it') as string,
    })
  })
})
