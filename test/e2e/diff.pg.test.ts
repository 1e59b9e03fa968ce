import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { asCaptured } from '../../src/platform/deps.ts'
import { type Diff, readDiff } from '../../src/platform/inspect/diff.ts'
import { run } from '../../src/platform/pipeline.ts'
import type { Project } from '../../src/platform/project/project.ts'
import { createMirror, mirror } from '../support/mirror.ts'
import { bareProject } from '../support/bare-project.ts'
import { insertOrders, seedTotesys } from '../support/small-totesys.ts'
import { createSystem, type TestSystem } from '../support/system.ts'
import { tidemark } from '../support/command.ts'
import { createWorkplace, type Workplace } from '../support/workplace.ts'

/** `+ 1,a` for each key, and the columns that changed; by table. */
function linesOf({ tables }: Diff): Record<string, string[]> {
  const signs = { insert: '+', update: '~', delete: '-' }
  return Object.fromEntries(
    tables.map(({ table, keys }) => [
      table,
      keys.map(({ change, key, columns, row, copies }) =>
        [
          signs[change],
          row ? Object.values(row).join() : Object.values(key).join(),
          ...columns,
          ...(copies ? [`${copies.before}→${copies.after}`] : []),
        ].join(' '),
      ),
    ]),
  )
}

async function diff(
  { deps }: TestSystem,
  from: number,
  to: number,
  { table, limit = 1000 }: { table?: string; limit?: number } = {},
): Promise<Diff> {
  const options = { from: String(from), to: String(to), table, limit }
  return await readDiff(await asCaptured(deps), options)
}

describe('readDiff() of a mirror', () => {
  let system: TestSystem
  beforeAll(async () => {
    system = await createMirror(`
      create table thing (a int, b text, x real, y numeric, primary key (a, b));
      insert into thing values (1, 'one', 1, 1.0), (2, 'two', 2, 2), (3, 'three', 0, 3);
      create table visit (line text, n int);
      insert into visit values ('a', 1), ('a', 1), ('b', null);
      create table _side (here int primary key, v0 text, k0 text, change text);
      insert into _side values (1, 'x', 'y', 'z');
      create table quiet (id int primary key)`)
    await system.run()
    await system.sql.query(`
      update thing set x = 9, y = 9 where a = 1;
      delete from thing where a = 2;
      insert into thing values (4, 'four', 4, 4), (5, 'five', 5, 5);
      delete from visit where ctid in (select ctid from visit where line = 'a' limit 1);
      insert into visit values ('c', 3);
      update _side set v0 = null, change = 'other'`)
    await system.run()
    await system.sql.query(`
      update thing set x = 1, y = 1.0 where a = 1;
      insert into thing values (2, 'two', 2, 2);
      delete from thing where a = 5;
      update thing set x = '-0' where a = 3;
      update thing set b = 'vier' where a = 4;
      delete from visit where line in ('b', 'c')`)
    await system.run()
  })
  afterAll(() => system[Symbol.asyncDispose]())

  it('lists keys that came, went and changed, and nothing of quiet tables', async () => {
    expect(linesOf(await diff(system, 1, 2))).toEqual({
      thing: ['~ 1,one x y', '- 2,two', '+ 4,four', '+ 5,five'],
      visit: expect.arrayContaining(['~ a,1 row_count 2→1', '+ c,3 0→1']) as string[],
      _side: ['~ 1 v0 change'],
    })
  })

  it('is net: what is as it was, or came and went in between, is not listed', async () => {
    expect(linesOf(await diff(system, 1, 3, { table: 'thing' }))).toEqual({
      thing: ['~ 3,three x', '+ 4,vier'],
    })
    expect(linesOf(await diff(system, 1, 3, { table: 'visit' }))['visit']?.toSorted()).toEqual([
      '- b, 1→0',
      '~ a,1 row_count 2→1',
    ])
    expect(linesOf(await diff(system, 2, 2))).toEqual({})
    expect(linesOf(await diff(system, 0, 0))).toEqual({})
    expect(linesOf(await diff(system, 1, 3, { table: 'quiet' }))).toEqual({ quiet: [] })
  })

  it('begins with the empty lake at 0', async () => {
    const whole = await diff(system, 0, 3)
    expect(linesOf(whole)).toEqual({
      thing: ['+ 1,one', '+ 2,two', '+ 3,three', '+ 4,vier'],
      visit: ['+ a,1 0→1'],
      _side: ['+ 1'],
    })
    expect(whole).toMatchObject({ fromAt: null, from: 0, to: 3 })
  })

  it('lists at most so many keys, in the order of the key, and counts all', async () => {
    const { tables } = await diff(system, 1, 2, { table: 'thing', limit: 2 })
    expect(tables).toMatchObject([{ inserted: 2, updated: 1, deleted: 1 }])
    expect(linesOf({ tables } as Diff)['thing']).toEqual(['~ 1,one x y', '- 2,two'])
    expect((await diff(system, 1, 2, { table: 'thing', limit: 0 })).tables[0]?.keys).toEqual([])
  })

  it('refuses batches that there are not, and names the newest', async () => {
    const refused = (from: string, to: string) =>
      readDiff(system.deps, { from, to, table: undefined, limit: 20 })
    for (const [from, to, what] of [
      ['1', '4', 'There is no batch 4'],
      ['2', '1', 'Batch 2 comes after batch 1'],
      ['x', '1', 'x is not a batch number'],
      ['1', '1.5', '1.5 is not a batch number'],
      ['-1', '1', '-1 is not a batch number'],
    ] as const) {
      await expect(refused(from, to)).rejects.toMatchObject({
        code: 'USAGE',
        message: expect.stringMatching(
          new RegExp(`^${what}.*The newest batch that was captured is 3`),
        ) as string,
        hint: 'tidemark diff 2 3',
      })
    }
    await expect(diff(system, 1, 2, { table: 'nobody' })).rejects.toMatchObject({
      code: 'UNKNOWN_TABLE',
    })
  })
})

describe('readDiff() of a schema that changes', () => {
  it('says which columns came, went and changed, and compares the others', async () => {
    await using system = await createMirror(`
      create table thing (id int primary key, gone text, kept text, number int);
      insert into thing values (1, 'a', 'a', 1), (2, 'b', 'b', 2)`)
    await system.run()
    await system.sql.query(`
      alter table thing drop column gone, add column fresh text;
      alter table thing alter column number type bigint;
      update thing set kept = 'c', fresh = 'new' where id = 2`)
    await system.run()
    const [thing] = (await diff(system, 1, 2)).tables
    expect(thing?.schema).toEqual({ added: ['fresh'], removed: ['gone'], changed: ['number'] })
    expect(linesOf(await diff(system, 1, 2))).toEqual({ thing: ['~ 2 kept fresh'] })
  })

  it('says that a table is held, and that deletions wait', async () => {
    await using system = await createMirror(`
      create table thing (id int primary key, t text);
      insert into thing values (1, 'a');
      create table bulk (id int primary key);
      insert into bulk select generate_series(1, 500);
      create table other (id int primary key)`)
    await system.run()
    await system.sql.query('drop table thing; delete from bulk; insert into other values (1)')
    await system.run()
    const { tables } = await diff(system, 1, 2)
    expect(tables.find(({ table }) => table === 'thing')).toMatchObject({
      held: { since: 2 },
      deleted: 0,
    })
    expect(tables.find(({ table }) => table === 'bulk')).toMatchObject({ heldDeletes: 500 })
    expect(linesOf({ tables } as Diff)['other']).toEqual(['+ 1'])
  })
})

describe('readDiff() of a table that is not captured all the time', () => {
  const THING = `
    create table thing (id int primary key, t text);
    insert into thing values (1, 'a'), (2, 'b'), (3, 'c');
    create table other (id int primary key)`
  const runAs = async ({ deps, sql }: TestSystem, project: Project, change: string) => {
    await sql.query(`${change}; insert into other select coalesce(max(id), 0) + 1 from other`)
    expect((await run({ ...deps, project })).failures).toEqual([])
  }
  const CHANGE = `delete from thing where id = 1; update thing set t = 'B' where id = 2`
  const things = async (system: TestSystem, from: number, to: number) =>
    linesOf(await diff(system, from, to, { table: 'thing' }))['thing']

  it('says that a table is left out, and goes on when it is chosen again', async () => {
    await using system = await createMirror(THING)
    const some = mirror({ select: ['other'] })
    await runAs(system, mirror(), 'select')
    await runAs(system, some, 'select')
    await runAs(system, some, CHANGE)
    await runAs(system, mirror(), 'insert into thing values (4, null)')
    const left = (await diff(system, 1, 3)).tables.find(({ table }) => table === 'thing')
    expect(left).toMatchObject({
      leftOutAt: (await system.records())[0]?.snapshot.takenAt,
      inserted: 0,
    })
    expect((await diff(system, 2, 3)).tables.map(({ table }) => table)).toEqual(['other'])
    expect(await things(system, 1, 4)).toEqual(['- 1', '~ 2 t', '+ 4'])
  })

  it('compares whole states if it was away, and nothing if it is gone', async () => {
    const tables = ['thing', 'other'].map((name) => ({ name, key: ['id'] }))
    const [whole, rest] = [bareProject(tables), bareProject(tables.slice(1))]
    await using system = await createSystem({ template: 'empty', project: whole })
    await system.sql.query(THING)
    await runAs(system, whole, 'select')
    await runAs(system, rest, CHANGE)
    await runAs(system, whole, 'insert into thing values (4, null)')
    const gone = (await diff(system, 1, 2)).tables.find(({ table }) => table === 'thing')
    expect(gone).toMatchObject({ isGone: true, keys: [], deleted: 0 })
    expect(await things(system, 1, 3)).toEqual(['- 1', '~ 2 t', '+ 4'])
    expect(await things(system, 2, 3)).toEqual(['+ 2', '+ 3', '+ 4'])
  })
})

describe('readDiff() of a star schema', () => {
  let system: TestSystem
  beforeAll(async () => {
    system = await createSystem()
    await seedTotesys(system.sql)
    await system.run()
    await system.sql.query(`update sales_order set units_sold = 11 where sales_order_id = 1;
      update sales_order set units_sold = 21 where sales_order_id = 2;
      update staff set first_name = 'Augusta'; ${insertOrders([[4, 40]])}`)
    await system.run()
    await system.sql.query(`update sales_order set units_sold = 10 where sales_order_id = 1;
      delete from sales_order where sales_order_id in (2, 4)`)
    await system.run()
  })
  afterAll(() => system[Symbol.asyncDispose]())

  it('compares facts by their versions, and dimensions by their states', async () => {
    const fact = async (from: number, to: number) =>
      linesOf(await diff(system, from, to, { table: 'fact_sales_order' }))['fact_sales_order']
    expect(await fact(0, 1)).toEqual(['+ 1', '+ 2', '+ 3'])
    expect(await fact(1, 2)).toEqual(['~ 1 units_sold', '~ 2 units_sold', '+ 4'])
    expect(await fact(1, 3)).toEqual(['- 2'])
    expect(await fact(0, 3)).toEqual(['+ 1', '+ 3'])
    const staff = async (from: number, to: number) =>
      linesOf(await diff(system, from, to, { table: 'dim_staff' }))['dim_staff']
    expect(await staff(1, 3)).toEqual(['~ 1 first_name'])
    expect(await staff(2, 3)).toEqual([])
    expect(await staff(0, 2)).toEqual(['+ 1'])
  })

  it('is what the warehouse says about the same two batches', async () => {
    const rows = await system.query(`
      select
          coalesce(a.sales_order_id, b.sales_order_id) as id,
          b.units_sold as units_before,
          a.units_sold as units_after
      from fact_sales_order_as_of_batch(1) as b
      full join fact_sales_order_as_of_batch(2) as a using (sales_order_id)
      where a.sales_record_id is distinct from b.sales_record_id
      order by 1`)
    expect(rows).toEqual([
      { id: 1, units_before: 10, units_after: 11 },
      { id: 2, units_before: 20, units_after: 21 },
      { id: 4, units_before: null, units_after: 40 },
    ])
  })

  it('takes all source tables without a name', async () => {
    expect(linesOf(await diff(system, 1, 3))).toEqual({
      sales_order: ['- 2'],
      staff: ['~ 1 first_name'],
    })
  })
})

describe('diff on the command line', () => {
  let workplace: Workplace
  const command = (line: string) =>
    tidemark(line.split(' '), { env: { TIDEMARK_SOURCE_URL: workplace.source.readerUrl } })

  beforeAll(async () => {
    workplace = await createWorkplace()
    const sql = await workplace.source.client()
    await sql.query(`
      create table seat (hall int, place text, guest text, primary key (hall, place));
      insert into seat values (1, 'A', 'Ann'), (1, E'B,"x"\\n\\u001b[2J', 'Bob');
      create table visit (line text);
      insert into visit values ('a'), ('a'), (null)`)
    await command('run')
    await sql.query(`update seat set guest = null; insert into visit values ('a');
      insert into seat select 2, to_char(n, 'FM00') from generate_series(1, 30) as n`)
    await command('run')
  })
  afterAll(() => workplace[Symbol.asyncDispose]())

  it('prints counts and one line a key, from the lake alone', async () => {
    const { out, code } = await command('diff 1 2')
    expect(code).toBe(0)
    expect(out).toMatch(/^ {2}From batch 1 of [\d: -]+ UTC to batch 2 of [\d: -]+ UTC\n/)
    expect(out).toMatch(/\n {2}seat +30 +2 +0\n {2}visit +0 +1 +0\n/)
    expect(out).toContain(
      '\n  seat\n    ~ 1,A   guest\n    ~ 1,"B,""x""\\n\\u{1b}[2J"   guest\n    + 2,01\n',
    )
    expect(out).toContain('    … 12 more   --limit 32 shows them\n')
    expect(out).toMatch(/\n {4}~ [0-9a-f]{64} {3}line=a × 2 → 3\n/)
    const all = await command('diff 1 2 seat --limit 32')
    expect(all.out).not.toContain('more')
    expect((await command('diff 0 1 visit')).out).toMatch(/\n {4}\+ [0-9a-f]{64} {3}line=∅ × 1\n/)
    const none = await command('diff 2 2')
    expect([none.code, none.out]).toEqual([0, expect.stringContaining('✓ Nothing differs.')])
  })

  it('--json is one object with exact keys', async () => {
    const { events, code } = await command('diff 1 2 seat --limit 2 --json')
    expect(code).toBe(0)
    expect(events.at(-1)).toMatchObject({
      event: 'diff',
      from: 1,
      to: 2,
      tables: [
        {
          table: 'seat',
          inserted: 30,
          updated: 2,
          deleted: 0,
          keys: [
            { change: 'update', key: { hall: '1', place: 'A' }, columns: ['guest'] },
            { change: 'update', key: { hall: '1', place: 'B,"x"\n\u001B[2J' } },
          ],
        },
      ],
    })
  })

  it('refuses what it cannot compare, with exit 2', async () => {
    for (const [line, says] of [
      ['diff 1 3', 'The newest batch that was captured is 2'],
      ['diff 2 1', 'give the earlier one first'],
      ['diff a 1', 'a is not a batch number'],
      ['diff 1 2 nobody', 'one of: seat, visit'],
      ['diff 1 2 --limit many', '--limit needs a whole number'],
      ['diff 1', 'Missing required argument'],
    ] as const) {
      const { code, err, out } = await command(line)
      expect([code, err, out]).toEqual([2, expect.stringContaining(says), ''])
    }
  })
})
