import { expect, it } from 'vitest'
import { createMirror, runEqual, versionsOf } from '../../support/mirror.ts'

it('a mirror holds a mass deletion until it is confirmed, with and without a key', async () => {
  await using system = await createMirror(`
    create table t (id int primary key, v text); create table bag (id int);
    insert into t select g, 'a' from generate_series(1, 200) as g; insert into bag select id from t`)
  await runEqual(system)
  await system.sql.query(`
    delete from t where id > 5; delete from bag where id > 5; update t set v = 'z' where id = 1`)
  const reason = 'mass_deletion'
  const detail = '195 of 200 rows are gone from the source'
  const held = ['bag', 't'].map((table) => ({ table, reason, detail }))
  expect((await system.run()).held).toEqual(held)
  expect((await versionsOf(system, 't')).slice(200)).toEqual(['update 1,z'])
  expect((await system.run({ confirmDeletes: new Set(['t']) })).held).toEqual(held.slice(0, 1))
  expect(await versionsOf(system, 't')).toHaveLength(201 + 195)
  expect((await system.run({ confirmDeletes: new Set(['bag']) })).held).toEqual([])
  await runEqual(system)
  expect(await versionsOf(system, 'bag')).toHaveLength(200 + 195)
})
