import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type CommandResult, tidemark } from '../../../../test/support/command.ts'
import { createDatabase, type TestDatabase } from '../../../../test/support/database.ts'

const root = fileURLToPath(new URL('../../../..', import.meta.url))

/** Names, types and keys that nobody would choose, beside ordinary ones. */
const SOURCE = `
  create type order_state as enum ('new', 'it''s paid');
  create domain email as text check (value like '%@%');
  create table orders (
    id bigint primary key,
    state order_state not null,
    mail email not null,
    total numeric(10,2) not null,
    placed_at timestamptz not null,
    due_on date,
    tags text[],
    extra jsonb,
    took interval,
    version integer not null
  );
  comment on table orders is 'What customers ordered. */ It ends here.';
  comment on column orders.total is 'With tax,
  in pounds.';
  create table "Order Line" ("No." integer primary key, "how many?" integer, "a'b\\c" text);
  create table date (id integer primary key, "class" text);
  create table visit (path text);
  create table constructor (id integer primary key, "toString" text, "constructor" text);
  create table "__proto__" (id integer primary key, "__proto__" text);
  create table a_table_with_a_name_that_takes_all_of_the_sixty_three_bytes_ (id integer primary key);
  insert into orders values
    (9007199254740993, 'new', 'a@b', 12.50, '2026-11-01 12:00+00', '2026-12-01', '{a,null}',
      '{"gift": true}', '1 day', 3);
  insert into "Order Line" values (1, 5, 'x');
  insert into visit values ('/'), ('/')`

let source: TestDatabase
let warehouse: TestDatabase
let folder: string
let file: string

const command = (...argv: string[]): Promise<CommandResult> =>
  tidemark([...argv, '--home', join(folder, 'home')], {
    env: {
      TIDEMARK_SOURCE_URL: source.readerUrl,
      TIDEMARK_WAREHOUSE_URL: warehouse.url,
      TIDEMARK_WAREHOUSE_SCHEMA: 'Ware House',
    },
  })

/** Runs a program of Node in the folder, and returns its exit code and everything it wrote. */
const call = (program: string, ...args: string[]) =>
  new Promise<{ code: number; said: string }>((resolve) => {
    const env = { ...process.env, WAREHOUSE: warehouse.url }
    execFile(
      process.execPath,
      [join(root, program), ...args],
      { cwd: folder, env },
      (error, out, err) =>
        resolve({ code: error === null ? 0 : Number(error.code), said: out + err }),
    )
  })

const STRICT = ['--noEmit', '--strict', '--noUnusedLocals', '--exactOptionalPropertyTypes']
const COMPILE = [...STRICT, '--module', 'nodenext', '--target', 'es2023', '--types', 'node']

/** What the compiler says of a program that imports the types. */
const compile = async (text: string): Promise<string> => {
  writeFileSync(join(folder, 'program.ts'), text)
  const { said } = await call('node_modules/typescript/bin/tsc', ...COMPILE, 'program.ts')
  return said
}

const BEGIN = `
  import { Kysely, PostgresDialect, sql } from 'kysely'
  import pg from 'pg'
  import { asOf, asOfBatch, type Database, SCHEMA } from './warehouse.js'
  const pool = new pg.Pool({ connectionString: process.env['WAREHOUSE'] })
  const db = new Kysely<Database>({ dialect: new PostgresDialect({ pool }) }).withSchema(SCHEMA)
`

/** Runs a command that must not fail. */
async function succeed(...argv: string[]): Promise<void> {
  const { code, err } = await command(...argv)
  if (code !== 0) throw new Error(err)
}

beforeAll(async () => {
  source = await createDatabase({ template: 'empty' })
  warehouse = await createDatabase({ template: 'empty' })
  folder = mkdtempSync(join(tmpdir(), 'tidemark-types-'))
  file = join(folder, 'warehouse.ts')
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  await source.query(SOURCE)
  await succeed('run')
  await source.query(`update orders set total = 13, version = 4; delete from "Order Line"`)
  await succeed('run')
  await succeed('types', '--out', file)
})
afterAll(async () => {
  await source.drop()
  await warehouse.drop()
  rmSync(folder, { recursive: true })
})

describe('tidemark types', () => {
  it('writes a file once, and checks it', async () => {
    const own = join(folder, 'made/own.ts')
    const missing = await command('types', '--check', '--out', own)
    expect([missing.code, missing.err]).toEqual([
      1,
      expect.stringMatching(/does not exist {3}TYPES_OUTDATED\n.*tidemark types --out /),
    ])
    const written = await command('types', '--out', own)
    expect(written).toMatchObject({ code: 0, err: '' })
    expect(written.out).toMatch(/✓ .*own\.ts has the types of 23 tables/)
    const text = readFileSync(own, 'utf8')
    expect((await command('types')).out).toBe(text)
    const { events } = await command('types', '--out', own, '--json')
    expect(events).toMatchObject([{ event: 'types', tables: 23, changed: false, file: own }])
    expect(await command('types', '--check', '--out', own)).toMatchObject({ code: 0, err: '' })
    writeFileSync(own, `${text}// mine\n`)
    const stale = await command('types', '--check', '--out', own)
    expect([stale.code, stale.err]).toEqual([1, expect.stringContaining('does not fit')])
    expect(readFileSync(own, 'utf8')).toMatch(/\/\/ mine\n$/)
    expect(await command('types', '--out', own)).toMatchObject({ code: 0 })
    expect(readFileSync(own, 'utf8')).toBe(text)
  })

  it('refuses --check without a file, and a warehouse without tables', async () => {
    expect((await command('types', '--check')).err).toMatch(/USAGE\n.*--check --out/)
    const empty = await command('types', '--schema', 'empty')
    expect([empty.code, empty.err]).toEqual([2, expect.stringContaining('WAREHOUSE_EMPTY')])
  })

  it('says what columns mean, and where their types come from', () => {
    const text = readFileSync(file, 'utf8')
    for (const part of [
      '  /** What customers ordered. *\\/ It ends here. The rows as they are now. */\n  orders_current: Orders\n',
      "  /** In the source: `public.order_state ('new', 'it's paid')`, not null. `text` */\n  state: Read<string | null>\n",
      '  /** In the source: `public.email`, not null. `text` */\n  mail: Read<string | null>\n',
      '  /** With tax, in pounds. Not null in the source. `numeric(10,2)` */\n  total: Read<string | null>\n',
      '  /** `jsonb` */\n  extra: Read<unknown>\n',
      '  /** `date` */\n  due_on: Read<Date | null>\n',
      '  tidemark_version: Read<string>\n',
      "Kysely would split this name: write it as `sql.id('No.')`. */\n  'No.': Read<number>\n",
      '\n  date_current: Date_2\n',
    ])
      expect(text).toContain(part)
  })
})

describe('the types', () => {
  it('let a program read tables, versions and the past', async () => {
    const program = `${BEGIN}
      const order = await db.selectFrom('orders_current').selectAll().executeTakeFirstOrThrow()
      const id: string = order.id
      const total: string | null = order.total
      const due: Date | null = order.due_on
      const tags: (string | null)[] | null = order.tags
      const days: number | undefined = order.took?.days
      const own: number | null = order.version
      const history = await db
        .selectFrom('orders_history as h')
        .select(['h.total', 'h.record_operation', 'h.is_current', 'h.tidemark_version'])
        .orderBy('h.tidemark_version')
        .execute()
      const [first] = await db.selectFrom('orders').select(sql<string>\`recorded_at::text\`.as('at')).orderBy('record_id').execute()
      const past = await db
        .selectFrom(asOf('orders', first?.at ?? '').as('o'))
        .innerJoin('orders_current as c', 'c.id', 'o.id')
        .select(['o.total as before', 'c.total as now'])
        .execute()
      const lines = await db
        .selectFrom(asOfBatch('Order Line', 1).as('l'))
        .select('l.how many?')
        .execute()
      const long = 'a_table_with_a_name_that_takes_all_of_the_sixty_three_bytes_'
      const none = await db.selectFrom(asOf(long, new Date()).as('l')).selectAll().execute()
      const dates = await db.selectFrom(asOf('date', new Date()).as('d')).select('d.class').execute()
      await db.selectFrom(asOf('__proto__', new Date()).as('p')).select('p.__proto__').execute()
      await db.selectFrom('constructor_current').select(['toString', 'constructor']).execute()
      const visits = await db.selectFrom('visit_current').select(['path', 'row_count']).execute()
      const status = await db.selectFrom('tidemark_status').select('complete_to').executeTakeFirst()
      console.log(JSON.stringify({
        id, total, due, tags, days, own, history, lines, none, dates, visits,
        past: [past.length, typeof past[0]?.before], at: status?.complete_to instanceof Date,
      }))
      await db.destroy()`
    expect(await compile(program)).toBe('')
    const { code, said } = await call('node_modules/jiti/lib/jiti-cli.mjs', 'program.ts')
    expect(code, said).toBe(0)
    expect(JSON.parse(said)).toEqual({
      id: '9007199254740993',
      total: '13.00',
      due: expect.any(String) as string,
      tags: ['a', null],
      days: 1,
      own: 4,
      history: [
        { total: '12.50', record_operation: 'insert', is_current: false, tidemark_version: '1' },
        { total: '13.00', record_operation: 'update', is_current: true, tidemark_version: '2' },
      ],
      past: [1, 'string'],
      lines: [{ 'how many?': 5 }],
      none: [],
      dates: [],
      visits: [{ path: '/', row_count: '2' }],
      at: true,
    })
  })

  it.each([
    ['a column that does not exist', `db.selectFrom('orders').select('totl')`, /'"?totl"?'/],
    ['a table that does not exist', `db.selectFrom('order')`, /"order"/],
    [
      'a number for a decimal',
      `async () => { const n: number = (await db.selectFrom('orders').select('total').executeTakeFirstOrThrow()).total; return n }`,
      /'string \| null' is not assignable to type 'number'/,
    ],
    [
      'a value where there may be none',
      `async () => { const d: Date = (await db.selectFrom('orders').select('due_on').executeTakeFirstOrThrow()).due_on; return d }`,
      /'null' is not assignable to type 'Date'/,
    ],
    ['a write', `db.updateTable('orders').set({ version: 5 })`, /not assignable/],
    [
      'an operation that does not exist',
      `db.selectFrom('orders').where('record_operation', '=', 'upsert')`,
      /"upsert"/,
    ],
    ['the past of what has none', `asOf('tidemark_status', new Date())`, /"tidemark_status"/],
    [
      'a column of the past that does not exist',
      `db.selectFrom(asOf('orders', '').as('o')).select('o.is_current')`,
      /o\.is_current/,
    ],
  ])('do not let a program compile with %s', async (_, text, expected) => {
    const used = `${BEGIN} export const each = [${text}, asOf, asOfBatch, sql]`
    expect(await compile(used)).toMatch(expected)
  })
})
