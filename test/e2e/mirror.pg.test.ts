import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { tidemark } from '../support/command.ts'
import type { TestDatabase } from '../support/database.ts'
import { createWorkplace, type Workplace } from '../support/workplace.ts'

const SCHEMA = `
  create table member (
    id int primary key, name text not null, password text, joined date default '2024-01-01'
  );
  insert into member values (1, 'Ann', 'secret'), (2, 'Bob', null);
  create table visit (line text);
  insert into visit values ('a'), ('a')`

describe('a mirror on the command line', () => {
  let workplace: Workplace
  let source: TestDatabase
  let warehouse: TestDatabase

  beforeEach(async () => {
    workplace = await createWorkplace()
    ;({ source, warehouse } = workplace)
    await (await source.client()).query(SCHEMA)
  })
  afterEach(() => workplace[Symbol.asyncDispose]())

  const command = (line: string, env: Record<string, string> = {}) =>
    tidemark(line.split(' '), { env: { TIDEMARK_SOURCE_URL: source.readerUrl, ...env } })
  const loaded = (line: string) => command(line, { TIDEMARK_WAREHOUSE_URL: warehouse.url })
  const named = async (line: string, event: string) =>
    (await command(line)).events.find((each) => each.event === event)

  it('keeps every table with its history, from one command', async () => {
    const run = await loaded('run')
    expect(run.err + run.out).toMatch(/batch 1 {2}✓ {2}3 new/)
    expect(run.code).toBe(0)
    const [status] = (await loaded('status --json')).events
    expect(status).toMatchObject({
      isLakeOnly: false,
      tables: [
        { table: 'member', rows: 2 },
        { table: 'visit', rows: 1 },
      ],
      facts: [
        { table: 'member', current: 2, versions: 2 },
        { table: 'visit', current: 1, versions: 1 },
      ],
    })
    await (await source.client()).query(`update member set name = 'Anna' where id = 1`)
    expect((await loaded('run')).code).toBe(0)
    expect((await loaded('history member 1')).out).toMatch(/v2 .* name Ann → Anna/)
    expect((await loaded('verify')).code).toBe(0)
    expect((await loaded('verify member')).code).toBe(0)
    const doctor = await loaded('doctor')
    expect(doctor.out).toMatch(/✓ its tables can be read +2 of 2 tables keep their contract/)
    expect(doctor.code).toBe(0)
    expect((await loaded('catalog')).out).toMatch(/member +1 .* 4 +2 {2}member\n/)
    expect((await loaded('quarantine list')).code).toBe(0)
    expect((await loaded('history public.member 1')).out).toMatch(/v2 .* name Ann → Anna/)
    const unknown = await loaded('history nobody 1')
    expect(unknown.err).toContain('one of: member, visit')
    expect(unknown.code).toBe(2)
  })

  it('makes the lake alone without a warehouse, and every command knows it', async () => {
    const run = await command('run')
    expect(run.out).toMatch(/batch 1 {2}✓ {2}3 new/)
    expect(run.code).toBe(0)
    await (
      await source.client()
    ).query(`update member set name = null, id = 3 where id = 5;
      update member set name = 'Anna' where id = 1; delete from member where id = 2`)
    expect((await command('run')).code).toBe(0)
    expect((await command('status')).out).toContain('Lake only')
    expect(await named('status --json', 'status')).toMatchObject({
      isLakeOnly: true,
      tables: [
        { table: 'member', rows: 1 },
        { table: 'visit', rows: 1 },
      ],
    })
    const history = await named('history member 1 --json', 'history')
    expect(history).toMatchObject({
      versions: [
        { version: 1, operation: 'insert', batch: 1, changed: [] },
        { version: 2, operation: 'update', batch: 2, changed: ['name'], values: { name: 'Anna' } },
      ],
    })
    expect((await command('history member 2')).out).toContain('DELETED')
    expect((await command('history member x')).code).toBe(2)
    const verify = await command('verify')
    expect(verify.out).toContain('✓ source = lake, value for value')
    expect(verify.code).toBe(0)
    const doctor = await command('doctor')
    expect(doctor.code).toBe(0)
    // Questions are saved in a warehouse, and there is none.
    expect(doctor.out).not.toContain('TIDEMARK_SAVER_URL')
    expect((await command('catalog member')).code).toBe(0)
    expect((await command('quarantine list')).code).toBe(0)
    for (const line of ['serve', 'status --check']) {
      const refused = await command(line, { TIDEMARK_PORT: '0' })
      expect(refused.err).toContain('set TIDEMARK_WAREHOUSE_URL')
      expect(refused.code).toBe(2)
    }
    // What the lake kept is loaded once there is a warehouse.
    expect((await loaded('run')).code).toBe(0)
    expect((await loaded('history member 1')).out).toMatch(/v2 .* name Ann → Anna/)
    expect((await loaded('verify')).code).toBe(0)
  })

  it('keeps what the patterns select, and nothing of what they exclude', async () => {
    const some = await command('run --select member --exclude *.password')
    expect(some.code).toBe(0)
    expect(
      (await command('catalog member --select member --exclude *.password')).out,
    ).not.toContain('password')
    const wrong = await command('run --select membr')
    expect(wrong.err).toMatch(/membr[^]*did you mean member/i)
    expect(wrong.code).toBe(2)
    const key = await command('run --exclude member.id')
    expect(key.code).toBe(2)
    const status = await named('status --json', 'status')
    expect(status).toMatchObject({ batches: { ingestion: 1 } })
  })

  it('names what looks like a secret when it begins to capture it, and once', async () => {
    const first = await command('run')
    expect(first.err).toContain(
      '1 column that may hold secrets: public.member.password. The lake keeps what it captures.',
    )
    expect(first.err).toContain(
      "leave it out from now on: TIDEMARK_EXCLUDE='public.member.password'",
    )
    await source.query(`insert into member values (3, 'Cy', 'z')`)
    expect((await command('run')).err).not.toContain('secrets')
    const without = await command('run --home other --exclude *.password')
    expect(without.code).toBe(0)
    expect(without.err).not.toContain('secrets')
  })

  it('goes on where it was when a table is left out for a while', async () => {
    await loaded('run')
    await (await source.client()).query(`delete from member where id = 2`)
    expect((await loaded('run --exclude member')).code).toBe(0)
    expect((await loaded('run')).code).toBe(0)
    expect((await loaded('history member 2')).out).toContain('DELETED')
    expect((await loaded('verify')).code).toBe(0)
  })

  it('says how to accept that a table is gone', async () => {
    await loaded('run')
    await (await source.client()).query('drop table visit')
    expect((await loaded('run')).code).toBe(4)
    const { out } = await loaded('doctor')
    expect(out).toContain('or leave it out: TIDEMARK_EXCLUDE=public.visit;')
    expect((await loaded('run --exclude public.visit')).code).toBe(0)
  })

  it('exits 2 and writes nothing while the source has no table to read', async () => {
    const sql = await source.client()
    await sql.query(`revoke select on member, visit from ${new URL(source.readerUrl).username}`)
    const forbidden = await loaded('run')
    expect(forbidden.err).toContain('may not read any of the 2 tables')
    expect(forbidden.err).toContain('grant select on all tables in schema public')
    expect(forbidden.code).toBe(2)
    await sql.query('drop table member, visit')
    const none = await loaded('run')
    expect(none.err).toMatch(/The database has no table[^]*TIDEMARK_SOURCE_URL/)
    expect(none.code).toBe(2)
    expect(await warehouse.query(`select from pg_class where relname ~ '^tidemark'`)).toEqual([])
    await sql.query('create table later (id int primary key)')
    expect((await loaded('run')).code).toBe(0)
  })

  it('refuses a warehouse schema that has a table of the same name', async () => {
    await (await warehouse.client()).query('create table member (id int)')
    const run = await loaded('run')
    expect(run.err).toContain('already has a table member')
    expect(run.err).toContain('--schema')
    expect(run.code).toBe(2)
    expect((await loaded('run --schema mirror')).code).toBe(0)
  })
})
