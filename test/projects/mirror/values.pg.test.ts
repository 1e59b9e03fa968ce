import { describe, expect, it } from 'vitest'
import { readQuarantine } from '../../../src/platform/inspect/quarantine.ts'
import { verify } from '../../../src/platform/inspect/verify.ts'
import { HOSTILE } from '../../support/hostile-text.ts'
import { createMirror, runEqual, versionsOf } from '../../support/mirror.ts'
import type { TestSystem } from '../../support/system.ts'

const MB = 1024 * 1024

/** Expects that nothing but these rows of `table` is refused, and that `verify` finds no fault. */
async function expectRefused(system: TestSystem, ...rows: readonly unknown[]): Promise<void> {
  const { entries } = await readQuarantine(system.deps, { limit: 100 })
  expect(entries).toMatchObject(rows)
  expect(await verify(system.deps)).toMatchObject({ isEqual: true })
}

describe('a mirror of hostile text', () => {
  it('I6 keeps every text byte for byte, with and without a key, under hostile names', async () => {
    const columns = `"a ""b"" 'c'" text, "x\\y" text, "%s $1 {a} 🙂" text, "select" text`
    await using system = await createMirror(`
      create table texts (id int primary key, v text); create table bag (v text);
      create table "It's ""T"" \\. 🙂" (id int primary key, ${columns})`)
    const insert = (into: string, what: string) =>
      system.sql.query(
        `insert into ${into} select ${what} from unnest($1::text[]) with ordinality as t (v, n)`,
        [HOSTILE],
      )
    await insert('texts', 'n, v')
    await insert('bag', 'v')
    await insert('bag', 'v')
    await insert(`"It's ""T"" \\. 🙂"`, 'n, v, v, v, v')
    await runEqual(system)
    const kept = await system.query<{ v: string | null }>('select v from texts_current order by id')
    expect(kept.map(({ v }) => v)).toEqual(HOSTILE)
    // The same texts are no change, and a text that only looks the same is one.
    await system.sql.query('update texts set v = v; update bag set v = v')
    expect((await system.run()).extracted?.committed).toBe(false)
    await system.sql.query(`
      update texts set v = case when v is null then '' when v = '' then null
        when v = 'é' then U&'e\\0301' end
      where v is null or v in ('', 'é');
      update bag set v = U&'e\\0301' where v = 'é';
      update "It's ""T"" \\. 🙂" set "x\\y" = '\\\\.', "select" = E'\\\\N' where id = 1`)
    await runEqual(system)
    expect(await versionsOf(system, 'texts', ['v'])).toHaveLength(HOSTILE.length + 3)
    expect((await versionsOf(system, `It's "T" \\. 🙂`, ['x\\y', 'select'])).at(-1)).toBe(
      'update \\\\.,\\N',
    )
  })
})

describe('a mirror of rows that cannot be kept', () => {
  it('I15 refuses a row of 33 MB alone, with its name and size, until it is small', async () => {
    await using system = await createMirror(`
      create table t (id int primary key, v text, more text);
      create table other (id int primary key); insert into other values (1);
      insert into t values (1, 'a', null), (2, repeat('x', ${33 * MB}), 'ok'), (3, 'c', null)`)
    expect(await system.run()).toMatchObject({ quarantined: 1, held: [] })
    const size = expect.stringContaining(`[${33 * MB} bytes, sha256 `) as string
    const refused = { table: 't', reason: 'row_too_large', column: 'v' }
    await expectRefused(system, { ...refused, key: { id: '2' }, content: { v: size, more: 'ok' } })
    expect(await system.query('select id from t_current order by id')).toEqual([
      { id: 1 },
      { id: 3 },
    ])
    expect(await versionsOf(system, 'other')).toEqual(['insert 1'])
    // A row that was there keeps its version.
    await system.sql.query(`
      update t set v = repeat('y', ${20 * MB}) where id = 1; update t set v = 'z' where id = 3`)
    await system.run()
    await expectRefused(system, { ...refused, key: { id: '1' } }, { ...refused, key: { id: '2' } })
    await system.sql.query(`update t set v = 'small' where id < 3`)
    await runEqual(system)
    await expectRefused(system)
    expect(await versionsOf(system, 't', ['id', 'v'])).toEqual([
      'insert 1,a',
      'insert 3,c',
      'update 3,z',
      'update 1,small',
      'insert 2,small',
    ])
  })

  const LATIN = `convert_from('\\xfc', 'SQL_ASCII')`

  it('I15 refuses a row of a database without an encoding whose text is not UTF-8', async () => {
    const setup = `create table t (id int primary key, v text);
      insert into t values (1, 'ü'), (2, ${LATIN}), (3, 'c')`
    await using system = await createMirror(setup, {}, { encoding: 'SQL_ASCII' })
    expect(await system.run()).toMatchObject({ quarantined: 1, held: [] })
    const refused = { table: 't', reason: 'not_utf8', column: 'v' }
    await expectRefused(system, { ...refused, key: { id: '2' }, content: { v: '\\xfc' } })
    await system.sql.query(
      `update t set v = ${LATIN} where id = 1; update t set v = 'u' where id = 2`,
    )
    await system.run()
    await expectRefused(system, { ...refused, key: { id: '1' } })
    await system.sql.query('delete from t where id = 1')
    await system.run()
    await expectRefused(system)
    expect(await versionsOf(system, 't')).toEqual([
      'insert 1,ü',
      'insert 3,c',
      'insert 2,u',
      'delete 1,ü',
    ])
  })

  it.each([
    [
      'a key',
      'key_not_exact',
      `create table t (id text primary key); insert into t values (${LATIN})`,
    ],
    ['a default', 'unreadable', `create table t (id int primary key, v text default E'\\xfc')`],
    [
      'a label',
      'unreadable',
      `create type mood as enum (E'\\xfc'); create table t (id int primary key, v mood)`,
    ],
  ])('I15 holds the table alone whose %s is not UTF-8', async (_, reason, sql) => {
    const setup = `create table other (id int primary key); insert into other values (1); ${sql}`
    await using system = await createMirror(setup, {}, { encoding: 'SQL_ASCII' })
    expect((await system.run()).held).toMatchObject([{ table: 't', reason }])
    expect(await versionsOf(system, 'other')).toEqual(['insert 1'])
    await system.sql.query('drop table t; create table t (id int primary key, v text)')
    await runEqual(system)
  })

  it('I15 refuses a row without a key whose text is not UTF-8, and one of 33 MB', async () => {
    const setup = `create table bag (v text); insert into bag values ('a'), ('a'), (${LATIN})`
    await using system = await createMirror(setup, {}, { encoding: 'SQL_ASCII' })
    expect(await system.run()).toMatchObject({ quarantined: 1, held: [] })
    const refused = { table: 'bag', column: 'v' }
    const latin = { ...refused, reason: 'not_utf8', content: { v: '\\xfc' } }
    await expectRefused(system, latin)
    await system.sql.query(`insert into bag values (repeat('x', ${33 * MB}))`)
    await system.run()
    await expectRefused(system, { ...refused, reason: 'row_too_large' }, latin)
    await system.sql.query(`update bag set v = 'ü' where v = ${LATIN} or length(v) > 1`)
    await runEqual(system)
    await expectRefused(system)
    expect(await versionsOf(system, 'bag', ['row_count', 'v'])).toEqual([
      'insert 2,a',
      'insert 2,ü',
    ])
  })

  it.each([
    ['table', '\\374', `format('create table %I (id int primary key)', E'\\xfc')`],
    ['column', 't', `format('create table t (id int primary key, %I int)', E'\\xfc')`],
  ])(
    'I15 names and leaves out a table whose %s has a name that is not UTF-8',
    async (...[, name, sql]) => {
      const setup = `create table other (id int primary key); insert into other values (1);
      do $$ begin execute ${sql}; end $$`
      await using system = await createMirror(setup, {}, { encoding: 'SQL_ASCII' })
      expect((await system.run()).held).toEqual([])
      const [record] = await system.records()
      expect(record?.ignored).toEqual([`public.${name}`])
      expect(await versionsOf(system, 'other')).toEqual(['insert 1'])
    },
  )

  it('I15 holds a captured table that gets a name which is not UTF-8, and goes on when it is gone', async () => {
    const setup = `create table other (id int primary key);
      create table t (id int primary key, v text); insert into t values (1, 'a')`
    await using system = await createMirror(setup, {}, { encoding: 'SQL_ASCII' })
    await runEqual(system)
    await system.sql.query(`
      do $$ begin execute format('alter table t add %I int', E'\\xfc'); end $$;
      insert into t (id) values (2); insert into other values (1)`)
    expect((await system.run()).held).toMatchObject([{ table: 't', reason: 'unreadable' }])
    expect(await versionsOf(system, 'other')).toEqual(['insert 1'])
    expect(await versionsOf(system, 't')).toEqual(['insert 1,a'])
    await system.sql.query(`
      do $$ begin execute format('alter table t drop %I', E'\\xfc'); end $$`)
    await runEqual(system)
    expect(await versionsOf(system, 't')).toEqual(['insert 1,a', 'insert 2,∅'])
  })
})
