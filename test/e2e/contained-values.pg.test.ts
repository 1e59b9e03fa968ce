import { createHash } from 'node:crypto'
import { afterEach, describe, expect, it } from 'vitest'
import { examineSource } from '../../src/platform/inspect/examine-source.ts'
import { extract } from '../../src/platform/extract/extract.ts'
import { readQuarantine, replay } from '../../src/platform/inspect/quarantine.ts'
import { verify } from '../../src/platform/inspect/verify.ts'
import { bareProject } from '../support/bare-project.ts'
import { readChanges, readTable, type TextRow } from '../support/lake.ts'
import { createSystem, type TestSystem } from '../support/system.ts'

// A value that cannot be read or kept costs only its row, never its table or another table.

let system: TestSystem
afterEach(() => system[Symbol.asyncDispose]())

const THING = 'create table thing (id integer primary key, note text, more text)'
const OTHER = `create table other (id integer primary key); insert into other values (1)`

async function open(sql: string, encoding = 'UTF8'): Promise<void> {
  const project = bareProject([
    { name: 'thing', key: ['id'] },
    { name: 'other', key: ['id'] },
  ])
  system = await createSystem({ project, template: 'empty', encoding })
  await system.sql.query(`${OTHER}; ${sql}`)
}

/** What a batch changed in the table; no other table is ever held for it. */
async function capture(sql = ''): Promise<TextRow[]> {
  await system.sql.query(sql)
  const { record, committed, held } = await extract(system.deps)
  expect(held).toEqual([])
  return committed ? readChanges(system, record, 'thing') : []
}

const lastEntry = async () => (await system.records()).at(-1)?.tables['thing']
const lake = async (table = 'thing') => readTable(system, (await system.records()).at(-1), table)
const quarantine = async () =>
  (await readQuarantine(system.deps, { limit: 100 })).entries.map(
    ({ key, reason, column, content }) => ({ id: key['id'], reason, column, content }),
  )

/** Bytes as text, as only a superuser's function can put them into a UTF8 database. */
const bytes = (hex: string, encoding: string) => `convert_from('\\x${hex}', '${encoding}')`

describe('text that is not UTF-8', () => {
  const NOT_UTF8 = { id: '2', reason: 'not_utf8', column: 'note' }
  const insert = `insert into thing values (1, 'a', null), (2, ${bytes('fc41', 'SQL_ASCII')}, 'ok'), (3, 'c', null)`

  it('I15 refuses its row in the first batch, all other rows and tables go on', async () => {
    await open(`${THING}; ${insert}`, 'SQL_ASCII')
    expect(await capture()).toMatchObject([{ id: '1' }, { id: '3' }])
    expect(await lake('other')).toEqual([{ id: '1' }])
    expect(await lastEntry()).toMatchObject({
      counts: { read: 3, accepted: 2, quarantined: 1 },
      rows: 2,
      withheld: 1,
    })
    expect(await quarantine()).toEqual([
      { ...NOT_UTF8, content: { id: '2', note: '\\xfc41', more: 'ok' } },
    ])
    expect(await capture()).toEqual([])
    expect((await system.records()).length).toBe(1)
    expect(await verify(system.deps)).toMatchObject({ isEqual: true })
  })

  it('I15 refuses a new version of a row alone, and takes it once it is corrected', async () => {
    await open(`${THING}; insert into thing values (1, 'a'), (2, 'b')`, 'SQL_ASCII')
    await capture()
    const bad = bytes('c328', 'SQL_ASCII')
    expect(
      await capture(
        `update thing set note = ${bad} where id = 2; update thing set note = 'z' where id = 1`,
      ),
    ).toMatchObject([{ id: '1', note: 'z', _operation: 'update' }])
    expect(await lake()).toMatchObject([{ id: '1' }, { id: '2', note: 'b' }])
    expect(await quarantine()).toMatchObject([NOT_UTF8])
    expect(await replay(system.deps)).toMatchObject({ before: 1, after: 1 })
    expect(await capture(`update thing set note = 'ü' where id = 2`)).toMatchObject([
      { id: '2', note: 'ü', _operation: 'update' },
    ])
    expect(await quarantine()).toEqual([])
  })

  it('I15 refuses its row in a relation that is compared whole every time, and is news only once', async () => {
    await open(
      `create table base (id integer, note text); create view thing as select * from base;
       insert into base values (1, 'a'), (2, ${bytes('ff', 'SQL_ASCII')})`,
      'SQL_ASCII',
    )
    expect(await capture()).toMatchObject([{ id: '1' }])
    expect(await capture()).toEqual([])
    expect((await system.records()).length).toBe(1)
    await capture('delete from base where id = 2')
    expect(await quarantine()).toEqual([])
  })

  it('I15 in a key holds that table alone, and its other tables go on', async () => {
    await open(
      `create table thing (id text primary key); insert into thing values (${bytes('fc', 'SQL_ASCII')})`,
      'SQL_ASCII',
    )
    expect((await extract(system.deps)).held).toMatchObject([
      { table: 'thing', reason: 'key_not_exact' },
    ])
    expect(await lake('other')).toEqual([{ id: '1' }])
  })

  it('I15 as characters that UTF-8 lacks refuses their rows, and converts all others exactly', async () => {
    await open(
      `${THING}; insert into thing select i, ${bytes('a4a2', 'EUC_JP')} || i from generate_series(1, 500) i;
       update thing set note = ${bytes('fefe', 'EUC_JP')}, more = ${bytes('a4a4', 'EUC_JP')} where id in (2, 400)`,
      'EUC_JP',
    )
    const taken = await capture()
    expect(taken).toHaveLength(498)
    expect(taken[0]).toMatchObject({ id: '1', note: 'あ1' })
    expect(await quarantine()).toMatchObject([
      { id: '2', reason: 'not_utf8', content: { note: '\\xfefe' } },
      { id: '400', reason: 'not_utf8', content: { note: '\\xfefe' } },
    ])
    expect(await capture(`update thing set note = 'い' where id = 2`)).toMatchObject([
      { id: '2', note: 'い' },
    ])
    expect(await verify(system.deps)).toMatchObject({ isEqual: true })
  })

  it('I15 refuses its row in a table of many columns, of every type, with names of every kind', async () => {
    const names = Array.from({ length: 120 }, (_, i) => `"c ${i}" text`).join(', ')
    await open(
      `create domain shout as text; create type mood as enum ('fine');
       create table thing (id integer primary key, "a\tb" text, "is_huge" shout, size mood, t json, d date,
         list text[], ${names});
       insert into thing (id, "a\tb", is_huge, size, t, d, list) values
         (1, ${bytes('fc', 'SQL_ASCII')}, 'x', 'fine', '{}', '2024-01-01', '{a}'),
         (2, 'b', null, 'fine', '[1]', null, '{"a b"}'),
         (3, 'c', ${bytes('fc', 'SQL_ASCII')}, null, null, null, null)`,
      'SQL_ASCII',
    )
    expect(await capture()).toMatchObject([{ id: '2', 'a\tb': 'b', size: 'fine', t: '[1]' }])
    expect(await quarantine()).toMatchObject([
      { id: '1', column: 'a\tb', content: { 'a\tb': '\\xfc', list: '{a}', d: '2024-01-01' } },
      { id: '3', column: 'is_huge', content: { is_huge: '\\xfc' } },
    ])
  })

  it.each<[what: string, sql: string, name?: string]>([
    [
      'the label of an enum',
      `create type mood as enum (E'sch\\xf6n'); alter table thing add m mood`,
    ],
    ['a default', `alter table thing alter note set default E'\\xe4'`],
    ['the name of a column', `alter table thing add column "more" text`, `E'n\\xfc'`],
    [
      'the name of a type',
      `create type tone as enum ('a'); alter table thing add m tone`,
      `E't\\xfc'`,
    ],
  ])(
    'I15 in a definition, as %s, holds that table alone until it is fixed',
    async (what, sql, name?: string) => {
      await open('create table thing (id integer primary key, note text)', 'SQL_ASCII')
      await system.sql.query(sql)
      // Only a literal can give a name these bytes.
      if (name !== undefined) {
        const rename = what.endsWith('type') ? 'type tone rename to' : 'table thing rename more to'
        await system.sql.query(`do $$ begin execute 'alter ${rename} "' || ${name} || '"'; end $$`)
      }
      await system.sql.query('insert into thing values (1); insert into other values (2)')
      const { held } = await extract(system.deps)
      expect(held).toMatchObject([{ table: 'thing', reason: 'unreadable' }])
      expect(await lake('other')).toEqual([{ id: '1' }, { id: '2' }])
      expect((await lastEntry())?.held?.detail).toContain('is not UTF-8: error 22021')
      const findings = await examineSource(system.deps)
      expect(findings.filter(({ ok }) => !ok)).toMatchObject([
        { what: 'table thing', note: expect.stringContaining('\\encoding sql_ascii') },
      ])
      await system.sql.query(
        'drop table thing; create table thing (id integer primary key, note text)',
      )
      expect(await capture('insert into thing values (7)')).toMatchObject([{ id: '7' }])
    },
  )

  it('I15 in the name of a table without a contract is reported as escapes, and stops nothing', async () => {
    await open(THING, 'SQL_ASCII')
    await system.sql.query(
      `do $$ begin execute 'create table "back\\slash' || E'\\xfc' || '" (id integer)'; end $$`,
    )
    await capture('insert into thing values (1)')
    expect((await system.records()).at(-1)?.ignored).toEqual(['public.back\\\\slash\\374'])
  })

  it('I6 arrives exactly from a server of another encoding that UTF-8 covers', async () => {
    await open(`${THING}; insert into thing values (1, ${bytes('fcdf', 'LATIN1')})`, 'LATIN1')
    expect(await capture()).toMatchObject([{ id: '1', note: 'üß' }])
  })
})

describe('a row too large to be kept', () => {
  const MB = 1024 * 1024
  const large = (sizeMb: number) => `repeat('x', ${sizeMb * MB})`

  it('I15 is refused alone in every kind of read, and leaves quarantine once it is small', async () => {
    await open(
      `${THING}; insert into thing values (1, 'a', null), (2, ${large(33)}, 'ok'), (3, 'c', null)`,
    )
    expect(await capture()).toMatchObject([{ id: '1' }, { id: '3' }])
    expect(await lake('other')).toEqual([{ id: '1' }])
    const sha256 = createHash('sha256')
      .update('x'.repeat(33 * MB))
      .digest('hex')
    expect(await quarantine()).toEqual([
      {
        id: '2',
        reason: 'row_too_large',
        column: 'note',
        content: { id: '2', note: `[${33 * MB} bytes, sha256 ${sha256}]`, more: 'ok' },
      },
    ])
    expect(await verify(system.deps)).toMatchObject({ isEqual: true })
    // Changed rows only.
    expect(
      await capture(
        `update thing set note = ${large(70)} where id = 3; insert into thing values (4, 'd')`,
      ),
    ).toMatchObject([{ id: '4' }])
    expect(await lastEntry()).toMatchObject({ rows: 3, withheld: 1 })
    // All rows, under another schema.
    await capture('alter table thing add yet text')
    expect((await quarantine()).map(({ id }) => id)).toEqual(['2', '3'])
    expect(await replay(system.deps)).toMatchObject({ before: 2, after: 2 })
    expect(await capture(`update thing set note = 'small' where id in (2, 3)`)).toMatchObject([
      { id: '2', note: 'small', _operation: 'insert' },
      { id: '3', note: 'small', _operation: 'update' },
    ])
    expect(await quarantine()).toEqual([])
    expect(await lastEntry()).toMatchObject({ rows: 4 })
  })

  it('I15 because of many columns together, or as bytes, is refused in the same way', async () => {
    await open(`create table thing (id integer primary key, a text, b bytea, c jsonb);
      insert into thing values
        (1, ${large(6)}, convert_to(${large(3)}, 'UTF8'), '{}'),
        (2, ${large(7)}, convert_to(${large(5)}, 'UTF8'), '[1]'),
        (3, null, null, to_jsonb(${large(40)}))`)
    expect((await capture()).map(({ id }) => id)).toEqual(['1'])
    expect(await quarantine()).toMatchObject([
      { id: '2', reason: 'row_too_large', column: 'b', content: { c: '[1]' } },
      { id: '3', reason: 'row_too_large', column: 'c', content: { a: null } },
    ])
  })

  it('I15 I12 is refused alone where the server itself cannot print it, in bounded memory', async () => {
    await open(`create table thing (id integer primary key, b bytea, more text);
      alter table thing alter b set storage external;
      insert into thing values (1, '\\x01', 'a'), (3, '\\x03', 'c');
      insert into thing select 2, convert_to(repeat('x', ${540 * MB}), 'UTF8'), 'b'`)
    const before = process.memoryUsage().rss
    expect(await capture()).toMatchObject([{ id: '1' }, { id: '3' }])
    expect(process.memoryUsage().rss - before).toBeLessThan(400 * MB)
    expect(await lake('other')).toEqual([{ id: '1' }])
    expect(await quarantine()).toEqual([
      {
        id: '2',
        reason: 'row_too_large',
        column: 'b',
        content: { id: '2', b: `[${540 * MB} bytes]`, more: 'b' },
      },
    ])
    expect(await capture(`update thing set b = null where id = 2`)).toMatchObject([{ id: '2' }])
  })
})
