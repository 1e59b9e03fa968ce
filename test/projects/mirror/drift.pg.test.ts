import { describe, expect, it } from 'vitest'
import { verify } from '../../../src/platform/inspect/verify.ts'
import { isDifferent } from '../../../src/platform/inspect/verified-table.ts'
import { createMirror } from '../../support/mirror.ts'
import type { TestSystem } from '../../support/system.ts'

/** Runs, and expects that source, lake, warehouse and history are equal. */
async function runEqual(system: TestSystem): Promise<void> {
  await system.run()
  const { tables, faults } = await verify(system.deps)
  expect(new Set(tables.map(({ where }) => where))).toContain('history')
  expect([...tables.filter(isDifferent), ...faults]).toEqual([])
}

/** A mirror of `schema`, after a run. Each change is followed by a run and a comparison. */
async function driftOf(schema: string, changes: readonly string[]): Promise<TestSystem> {
  const system = await createMirror(schema)
  await runEqual(system)
  for (const change of changes) {
    await system.sql.query(change)
    await runEqual(system)
  }
  return system
}

const PAIR = `
  create table t (id int primary key, b int not null, v text);
  insert into t values (1, 10, 'x'), (2, 20, 'y');`

describe('drift of a mirror', () => {
  it('follows a key that moves to other captured columns', async () => {
    await using system = await driftOf(PAIR, [
      'alter table t drop constraint t_pkey, add primary key (b)',
      `update t set id = 5 where b = 10; delete from t where b = 20; insert into t values (9, 30, 'n')`,
      'alter table t drop constraint t_pkey, add primary key (id, b)',
      `insert into t values (5, 11, 'm')`,
    ])
    expect(await system.query('select id, b, v from t_current order by id, b')).toEqual([
      { id: 5, b: 10, v: 'x' },
      { id: 5, b: 11, v: 'm' },
      { id: 9, b: 30, v: 'n' },
    ])
  })

  it.each([
    ['a renamed key', 'alter table t rename id to number'],
    ['a lost key', 'alter table t drop constraint t_pkey'],
  ])('holds a table with %s, which no captured version has', async (_, change) => {
    await using system = await createMirror(`${PAIR} create table u (id int primary key)`)
    await system.run()
    await system.sql.query(`${change}; insert into u values (1)`)
    const { held } = await system.run()
    expect(held).toMatchObject([{ table: 't', reason: 'key_changed' }])
    expect(held[0]?.detail).toContain('mirror.tables')
    expect(await system.query('select id from u_current')).toEqual([{ id: 1 }])
    expect(await system.query('select id from t_current order by id')).toEqual([
      { id: 1 },
      { id: 2 },
    ])
  })

  it.each(['record_id', 'record_operation', 'recorded_at', 'batch_id'])(
    'holds a table that gets a column %s later, and goes on once it is left out',
    async (name) => {
      await using system = await createMirror(PAIR)
      await system.run()
      await system.sql.query(`alter table t add ${name} text default 'own'`)
      const { held } = await system.run()
      expect(held).toMatchObject([{ table: 't', reason: 'column_name' }])
      expect(held[0]?.detail).toContain(`--exclude 'public.t.${name}'`)
      await system.sql.query(`alter table t drop ${name}; update t set v = 'z' where id = 1`)
      await runEqual(system)
      expect(await system.query('select v from t_current where id = 1')).toEqual([{ v: 'z' }])
    },
  )

  it('keeps the names of the history when the column that took one is dropped', async () => {
    await using system = await driftOf(
      `create table t (id int primary key, record_id int, version int, batch_id int);
       insert into t values (1, 2, 3, 4)`,
      [
        'alter table t drop batch_id',
        'alter table t drop version',
        'alter table t drop record_id',
        'insert into t values (2)',
      ],
    )
    expect(
      await system.query(
        `select id, record_id, version, batch_id, tidemark_version, tidemark_batch_id
         from t_history order by id`,
      ),
    ).toEqual([
      {
        id: 1,
        record_id: 2,
        version: 3,
        batch_id: 4,
        tidemark_version: '1',
        tidemark_batch_id: '1',
      },
      {
        id: 2,
        record_id: null,
        version: null,
        batch_id: null,
        tidemark_version: '1',
        tidemark_batch_id: '5',
      },
    ])
  })

  it('makes a new version when a type changes the value, and none when it holds the same', async () => {
    await using system = await driftOf(
      `create table t (id int primary key, price numeric(10, 2), yes boolean, code text, raw bytea);
       insert into t values (1, 1.10, true, 'x', '\\x00ff'), (2, 3.00, null, null, null)`,
      ['alter table t alter price type numeric(30, 0)'],
    )
    const versions = async () =>
      await system.query(`select id, version::int, price, yes::text from t_history order by 1, 2`)
    expect(await versions()).toEqual([
      { id: 1, version: 1, price: '1.10', yes: 'true' },
      { id: 1, version: 2, price: '1.00', yes: 'true' },
      { id: 2, version: 1, price: '3.00', yes: null },
    ])
    for (const change of [
      'alter table t alter yes type int using yes::int',
      'update t set yes = 7 where id = 2',
      `alter table t alter raw type text using encode(raw, 'hex')`,
      `alter table t alter raw type bytea using decode(raw, 'hex')`,
      'alter table t drop code; alter table t add code int',
      'update t set code = 4 where id = 1',
    ]) {
      await system.sql.query(change)
      await runEqual(system)
    }
    expect(await system.query('select yes, code, raw from t_current order by id')).toEqual([
      { yes: '1', code: '4', raw: '\\x00ff' },
      { yes: '7', code: null, raw: null },
    ])
  })

  it('leaves views that people made to them, and goes on once they drop them', async () => {
    await using system = await driftOf(
      `create table t (id int primary key, v varchar(5)); insert into t values (1, 'a')`,
      [],
    )
    await system.query(`
      create view mine as select * from t_history;
      create view also_mine as select id, v from t_current`)
    await system.sql.query('alter table t add w int; update t set w = 1')
    await runEqual(system)
    await system.sql.query('alter table t alter v type text')
    await expect(system.run()).rejects.toMatchObject({
      code: 'WAREHOUSE_IN_USE',
      hint: expect.stringContaining('drop what uses it'),
    })
    await system.query('drop view mine, also_mine')
    await runEqual(system)
  })
})
