import { describe, expect, it } from 'vitest'
import { readdir } from 'node:fs/promises'
import { run } from '../../../src/platform/pipeline.ts'
import { createMirror, mirror, runEqual, versionsOf } from '../../support/mirror.ts'
import type { TestSystem } from '../../support/system.ts'

const readerOf = ({ source }: TestSystem) => new URL(source.readerUrl).username

const PEOPLE = `
  create table person (id int primary key, name text, secret text);
  insert into person values (1, 'Ann', 'x'), (2, 'Bob', null)`

/** Takes the right to read one column; the reader keeps the others. */
async function close(system: TestSystem, others: string): Promise<void> {
  const reader = readerOf(system)
  await system.sql.query(`
    revoke select on person from ${reader}; grant select (${others}) on person to ${reader}`)
}

describe('a mirror whose user may not read every column', () => {
  it('keeps the others from the first run on, and a column once it may be read', async () => {
    await using system = await createMirror(PEOPLE)
    await close(system, 'id, name')
    expect(await system.run()).toMatchObject({ held: [], failures: [] })
    expect(await versionsOf(system, 'person')).toEqual(['insert 1,Ann', 'insert 2,Bob'])
    await system.sql.query(`update person set name = 'Bo', secret = 'z' where id = 2`)
    expect(await system.run()).toMatchObject({ held: [], failures: [] })
    await system.sql.query(`grant select on person to ${readerOf(system)}`)
    await runEqual(system)
    expect(await versionsOf(system, 'person', ['id', 'name', 'secret'])).toEqual([
      'insert 1,Ann,∅',
      'insert 2,Bob,∅',
      'update 2,Bo,∅',
      'update 1,Ann,x',
      'update 2,Bo,z',
    ])
  })

  it.each([
    ['a value', 'secret', 'id, name', `leave it out (--exclude 'public.person.secret')`],
    ['its key', 'id', 'name, secret', `leave the table out (--exclude 'public.person')`],
  ])(
    'I15 holds a table of which it has read %s that it may not read any more',
    async (...[, hidden, others, remedy]) => {
      await using system = await createMirror(PEOPLE)
      await runEqual(system)
      await close(system, others)
      await system.sql.query(`update person set name = 'Anna' where id = 1`)
      expect((await system.run()).held).toEqual([
        {
          table: 'person',
          reason: 'permission',
          detail: `this user may not read column ${hidden} any more: grant it again, or ${remedy}`,
        },
      ])
      expect(await versionsOf(system, 'person', ['name'])).toEqual(['insert Ann', 'insert Bob'])
      await system.sql.query(`grant select on person to ${readerOf(system)}`)
      await runEqual(system)
      expect((await versionsOf(system, 'person', ['name'])).at(-1)).toBe('update Anna')
    },
  )

  it('goes on without a column that the settings leave out, which keeps its values', async () => {
    await using system = await createMirror(PEOPLE)
    await runEqual(system)
    await close(system, 'id, name')
    await system.sql.query(`update person set name = 'Anna' where id = 1`)
    const deps = { ...system.deps, project: mirror({ exclude: ['person.secret'] }) }
    expect(await run(deps)).toMatchObject({ held: [], failures: [] })
    expect(await versionsOf(system, 'person', ['id', 'name', 'secret'])).toEqual([
      'insert 1,Ann,x',
      'insert 2,Bob,∅',
      'update 1,Anna,∅',
    ])
  })
})

describe('a mirror under row security', () => {
  it('I1 keeps the rows that its user sees, and rows that nobody touched come and go', async () => {
    await using system = await createMirror(`
      create table allowed (id int primary key); insert into allowed values (1), (2);
      create table t (id int primary key, v text); create table bag (id int, v text);
      insert into t values (1, 'a'), (2, 'b'), (3, 'c'); insert into bag select * from t;
      alter table t enable row level security; alter table bag enable row level security;
      create policy chosen on t for select using (id in (select id from allowed));
      create policy chosen on bag for select using (id in (select id from allowed))`)
    const visible = (...rows: string[]) => rows.map((row) => ({ v: row }))
    const current = async (table: string) =>
      await system.query(`select v from ${table}_current order by v`)
    const expectVisible = async (...rows: string[]) => {
      expect(await system.run()).toMatchObject({ held: [], failures: [] })
      for (const table of ['t', 'bag']) expect(await current(table)).toEqual(visible(...rows))
    }
    await expectVisible('a', 'b')
    await system.sql.query('update allowed set id = 3 where id = 1')
    await expectVisible('b', 'c')
    await system.sql.query(`update t set v = 'z' where id < 3; update bag set v = 'z' where id < 3`)
    await expectVisible('c', 'z')
    await system.sql.query('alter table t disable row level security; drop policy chosen on t')
    await system.sql.query('alter table bag disable row level security')
    await runEqual(system)
    expect(await versionsOf(system, 't')).toEqual([
      'insert 1,a',
      'insert 2,b',
      'delete 1,a',
      'insert 3,c',
      'update 2,z',
      'insert 1,z',
    ])
  })
})

describe('a mirror of a source without a table to read', () => {
  it.each([
    [
      'no table',
      '',
      'The database has no table',
      'check that TIDEMARK_SOURCE_URL names the right database',
    ],
    [
      'no right',
      `create table t (id int primary key); create table u (id int primary key);
       revoke select on t, u from %reader`,
      'This user may not read any of the 2 tables of the database',
      'as their owner, for each schema: grant usage on schema public to <user>; grant select on all tables in schema public to <user>',
    ],
  ])('that has %s: says so, and writes nothing', async (...[, sql, message, hint]) => {
    await using system = await createMirror('')
    await system.sql.query(sql.replace('%reader', readerOf(system)))
    const { failures, ...report } = await run(system.deps)
    expect(failures).toMatchObject([
      { stage: 'extract', error: { code: 'NO_TABLES', message, hint } },
    ])
    expect(report).toMatchObject({ extracted: undefined, loaded: undefined })
    const files = await readdir(system.folder, { recursive: true, withFileTypes: true })
    expect(files.filter((file) => file.isFile())).toEqual([])
    expect(await system.query(`select from pg_class where relname ~ '^tidemark'`)).toEqual([])
    // Then there is one.
    await system.sql.query('create table later (id int primary key); insert into later values (1)')
    await runEqual(system)
    expect(await versionsOf(system, 'later')).toEqual(['insert 1'])
  })
})
