import { describe, expect, it } from 'vitest'
import { run } from '../../../src/platform/pipeline.ts'
import { createMirror, mirror, runEqual, versionsOf } from '../../support/mirror.ts'

const columns = (count: number) =>
  Array.from({ length: count }, (_, index) => `c${index} int`).join(', ')

describe('a mirror holds one table alone', () => {
  it('whose columns and history are more than a table of Postgres holds', async () => {
    await using system = await createMirror(`
      create table wide (id int primary key, ${columns(1592)}); insert into wide values (1);
      create table bag (${columns(1591)}); insert into bag values (1);
      create table u (id int primary key); insert into u values (1)`)
    const { held } = await system.run()
    expect(held).toMatchObject([
      { table: 'bag', reason: 'too_many_columns' },
      { table: 'wide', reason: 'too_many_columns' },
    ])
    expect(held[1]?.detail).toContain(`1592 columns`)
    expect(held[1]?.detail).toContain(`--exclude 'public.wide.<column>'`)
    expect(await system.query('select id from u_current')).toEqual([{ id: 1 }])
    // As many as fit. To verify them would need more memory than the default.
    await system.sql.query('alter table wide drop c0; alter table bag drop c0')
    expect((await system.run()).held).toEqual([])
    await system.sql.query('update wide set c1 = 5; insert into bag (c1) values (2)')
    expect((await system.run()).held).toEqual([])
    expect(await versionsOf(system, 'bag', ['c1'])).toHaveLength(2)
    expect(await versionsOf(system, 'wide', ['id', 'c1'])).toEqual(['insert 1,∅', 'update 1,5'])
  })

  it.each([
    ['orders_history', 'orders_history', 'public.orders and public.orders_history both need'],
    ['a.b', 'a.b', 'a.b and public.a_b both need'],
    ['tidemark_own', 'tidemark_own', 'own tables have such names'],
  ])('that comes later as %s and needs a name which is taken', async (relation, table, why) => {
    await using system = await createMirror(`
      create table orders (id int primary key); insert into orders values (1);
      create table a_b (id int primary key)`)
    await runEqual(system)
    await system.sql.query(`
      create schema a; grant usage on schema a to public;
      alter default privileges in schema a grant select on tables to public;
      create table ${relation} (id int primary key); insert into ${relation} values (7);
      insert into orders values (2)`)
    const report = await run(system.deps)
    expect(report.failures).toEqual([])
    expect(report.held).toMatchObject([{ table, reason: 'name_taken' }])
    expect(report.held[0]?.detail).toContain(why)
    expect(report.held[0]?.detail).toContain('give one another name in the project: mirror:')
    expect(await versionsOf(system, 'orders', ['id'])).toEqual(['insert 1', 'insert 2'])
    expect((await run(system.deps)).held).toHaveLength(1)
    // The remedy that it names.
    const place = relation.includes('.') ? relation : `public.${relation}`
    const renamed = { ...system.deps, project: mirror({ tables: { [place]: { name: 'other' } } }) }
    expect(await run(renamed)).toMatchObject({ held: [], failures: [] })
    expect(await versionsOf(system, 'other', ['id'])).toEqual(['insert 7'])
  })

  it('and lets it go when the table that never had its name is gone', async () => {
    await using system = await createMirror('create table orders (id int primary key)')
    await runEqual(system)
    await system.sql.query('create table orders_history (id int primary key)')
    expect((await system.run()).held).toHaveLength(1)
    await system.sql.query('drop table orders_history; insert into orders values (1)')
    await runEqual(system)
    expect(Object.keys((await system.records()).at(-1)?.tables ?? {})).toEqual(['orders'])
  })

  it('not if a column called like one of the history is dropped and added again', async () => {
    await using system = await createMirror(`
      create table t (id int primary key, version int, batch_id int, record_id int);
      insert into t values (1, 2, 3, 4)`)
    await runEqual(system)
    for (const change of [
      'alter table t drop version, drop batch_id, drop record_id',
      'update t set id = 2',
      'alter table t add version text, add batch_id int, add record_id bigint',
      `update t set version = 'x', batch_id = 5, record_id = 6`,
    ]) {
      await system.sql.query(change)
      await runEqual(system)
    }
    const own = ['id', 'version', 'batch_id', 'record_id']
    const rows = await system.query(
      `select ${own.join(', ')} from t_history order by tidemark_record_id`,
    )
    expect(rows).toEqual([
      { id: 1, version: '2', batch_id: 3, record_id: '4' },
      { id: 1, version: null, batch_id: null, record_id: null },
      { id: 2, version: null, batch_id: null, record_id: null },
      { id: 2, version: 'x', batch_id: 5, record_id: '6' },
    ])
    // The name that gave way is taken.
    await system.sql.query('alter table t add tidemark_batch_id int')
    expect((await system.run()).held).toMatchObject([{ table: 't', reason: 'column_name' }])
  })
})
