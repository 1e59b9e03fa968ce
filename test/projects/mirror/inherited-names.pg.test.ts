import { describe, expect, it } from 'vitest'
import { createMirror, runEqual, versionsOf } from '../../support/mirror.ts'

/** Names that every object of JavaScript inherits, or that mean something on one. */
const NAMES = ['constructor', '__proto__', 'toString', 'hasOwnProperty', '__defineGetter__']

describe.each(NAMES)('a mirror of something called %s', (name) => {
  it('keeps the table, whether it was there at first or came later', async () => {
    for (const first of [`create table "${name}" (id int primary key, v text)`, '']) {
      await using system = await createMirror(`create table t (id int primary key); ${first}`)
      await runEqual(system)
      await system.sql.query(`
        create table if not exists "${name}" (id int primary key, v text);
        insert into "${name}" values (1, 'x')`)
      await runEqual(system)
      await system.sql.query(
        `update "${name}" set v = 'y'; create table later (id int primary key)`,
      )
      await runEqual(system)
      await system.sql.query(`insert into t values (1)`)
      await runEqual(system)
      expect(await versionsOf(system, name, ['id', 'v'])).toEqual(['insert 1,x', 'update 1,y'])
      await system.sql.query(`drop table "${name}"`)
      expect((await system.run()).held).toMatchObject([{ table: name, reason: 'table_missing' }])
    }
  })

  it('keeps the column, also as a key, without a key, and through every change of the schema', async () => {
    await using system = await createMirror(`
      create table t (id int primary key, "${name}" text); insert into t values (1, 'x');
      create table keyed ("${name}" int primary key); insert into keyed values (1);
      create table keyless ("${name}" int, v text); insert into keyless values (1)`)
    await runEqual(system)
    for (const change of [
      `update t set "${name}" = 'y'; update keyed set "${name}" = 2; update keyless set v = 'q'`,
      `alter table t alter "${name}" type varchar(5); alter table keyed add other int`,
      `alter table t drop "${name}"; update t set id = 2`,
      `alter table t add "${name}" text; comment on column t."${name}" is 'said'`,
      `update t set "${name}" = 'z'`,
    ]) {
      await system.sql.query(change)
      await runEqual(system)
    }
    expect(await versionsOf(system, 't', ['id', name])).toEqual([
      'insert 1,x',
      'update 1,y',
      'delete 1,∅',
      'insert 2,∅',
      'update 2,z',
    ])
  })
})
