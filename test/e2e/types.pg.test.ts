import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { GivenProject } from '../../src/apps/project-extension.ts'
import { createLibrary, runHistory } from '../projects/library/library-system.ts'
import { library } from '../projects/library/project.ts'
import { tidemark } from '../support/command.ts'
import { createDatabase } from '../support/database.ts'
import { seedTotesys } from '../support/small-totesys.ts'
import { createSystem } from '../support/system.ts'
import { TOTESYS_PROJECT } from '../support/totesys-project.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const page = readFileSync(join(root, 'docs/typed-access.md'), 'utf8')

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tidemark-typed-'))
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
})
afterAll(() => rmSync(folder, { recursive: true }))

/** Compiles a program of the folder, runs it, and returns its lines. */
async function compileAndRun(program: string, warehouseUrl: string): Promise<string[]> {
  const strict = ['--noEmit', '--strict', '--noUnusedLocals', '--module', 'nodenext']
  const options = [...strict, '--target', 'es2023', '--types', 'node']
  expect(await call(['node_modules/typescript/bin/tsc', ...options, program], {})).toBe('')
  const env = { WAREHOUSE_URL: warehouseUrl }
  const said = await call(['node_modules/jiti/lib/jiti-cli.mjs', program], env)
  return said.trimEnd().split('\n')
}

const call = ([file = '', ...args]: readonly string[], env: Record<string, string>) =>
  new Promise<string>((resolve) => {
    const options = { cwd: folder, env: { ...process.env, ...env } }
    execFile(process.execPath, [join(root, file), ...args], options, (_, out, err) =>
      resolve(out + err),
    )
  })

it('the programs in docs/typed-access.md compile, and print what they say', async () => {
  await using source = await createDatabase({ template: 'empty' })
  await using warehouse = await createDatabase({ template: 'empty' })
  await source.query(`
    create table customer (customer_id integer primary key, name text);
    create table orders (
      order_id integer primary key, customer_id integer references customer, state text,
      total numeric(10, 2)
    );
    insert into customer values (1, 'Ada'), (2, 'Bo');
    insert into orders values (1, 1, 'open', 12.5), (2, 1, 'open', 20), (3, 2, 'paid', 5)`)
  const env = { TIDEMARK_SOURCE_URL: source.readerUrl, TIDEMARK_WAREHOUSE_URL: warehouse.url }
  const run = (...argv: string[]) => tidemark([...argv, '--home', join(folder, 'home')], { env })
  expect(await run('run')).toMatchObject({ code: 0 })
  await source.query('update orders set total = 15 where order_id = 1')
  expect(await run('run')).toMatchObject({ code: 0 })
  expect(await run('types', '--out', join(folder, 'warehouse.ts'))).toMatchObject({ code: 0 })
  const programs = [...page.matchAll(/^```ts\n(\/\/ (\S+)\n.*?)^```$/gms)]
  for (const [, text = '', name = ''] of programs) writeFileSync(join(folder, name), text)
  expect(programs.map(([, , name]) => name)).toEqual(['orders.ts', 'past.ts'])
  expect(await compileAndRun('orders.ts', warehouse.url)).toEqual([
    '1 15.00',
    '2 20.00',
    'Ada 35.00',
    'Bo 5.00',
  ])
  expect(await compileAndRun('past.ts', warehouse.url)).toEqual([
    '1 12.50 → 15.00',
    '1 insert 12.50',
    '2 update 15.00',
    '0 orders were known yesterday',
  ])
})

describe('the types of a star schema', () => {
  it('name units, words, references and sums, and are for what a reader may read', async () => {
    await using system = await createSystem()
    await seedTotesys(system.sql)
    const env = {
      TIDEMARK_SOURCE_URL: system.source.readerUrl,
      TIDEMARK_WAREHOUSE_URL: system.warehouse.url,
      TIDEMARK_PROJECT: TOTESYS_PROJECT,
    }
    const run = (argv: readonly string[], more: Record<string, string> = {}) =>
      tidemark([...argv, '--home', system.folder], { env: { ...env, ...more } })
    expect((await run(['run'])).code).toBe(0)
    const { out } = await run(['types'])
    const column = (line: string) => `\n  /** ${line}\n`
    for (const part of [
      column(
        'People call it “price”. The price of one, in the currency of `currency_id`. `numeric(10,2)` */\n  unit_price: Read<string>',
      ),
      column(
        'People call it “design”. Refers to `dim_design`. `integer` */\n  design_id: Read<number>',
      ),
      '\n  dim_design: DimDesign\n',
      '\n  fact_sales_order_by_day: FactSalesOrderByDay\n',
      "  grain: Read<'row' | 'day' | 'staff' | 'counterparty' | 'location' | 'hour' | 'delivery'>\n",
      column('The sum of `units_sold * unit_price`. `numeric` */\n  amount: Read<string>'),
      column(
        'Made from each row: `extract(hour from created_time)::integer`. `integer` */\n  created_hour: Read<number>',
      ),
      '\n  exchange_rate_by_day: ExchangeRateByDay\n',
      "\n  fact_sales_order_sums: 'fact_sales_order_sums_as_of',\n",
    ])
      expect(out).toContain(part)
    expect(out).not.toContain('tidemark_ledger')

    writeFileSync(join(folder, 'warehouse.ts'), out)
    writeFileSync(
      join(folder, 'star.ts'),
      `import { Kysely, PostgresDialect } from 'kysely'
       import pg from 'pg'
       import { asOf, type Database, SCHEMA } from './warehouse.js'
       const pool = new pg.Pool({ connectionString: process.env['WAREHOUSE_URL'] })
       const db = new Kysely<Database>({ dialect: new PostgresDialect({ pool }) }).withSchema(SCHEMA)
       const sums = await db
         .selectFrom(asOf('fact_sales_order_sums', '9999-01-01').as('s'))
         .where('s.grain', '=', 'row')
         .select(['s.units', 's.amount'])
         .execute()
       console.log(sums.length, typeof sums[0]?.amount)
       const orders = await db
         .selectFrom('fact_sales_order_current as f')
         .innerJoin('dim_design as d', 'd.design_id', 'f.design_id')
         .select(['f.sales_order_id', 'd.design_name'])
         .execute()
       console.log(orders.length)
       await db.destroy()`,
    )
    const [sums, orders] = await compileAndRun('star.ts', system.warehouse.url)
    const [{ count } = { count: '' }] = await system.warehouse.query<{ count: string }>(
      'select count(*)::text as count from fact_sales_order_current',
    )
    expect([sums, orders]).toEqual([`${count} string`, count])

    // A reader gets types of what it may read, and the same ones as the loader.
    const reader = system.warehouse.readerUrl
    const asReader = { TIDEMARK_WAREHOUSE_READER_URL: reader }
    const { username } = new URL(reader)
    expect((await run(['types'], asReader)).out).toBe(out)
    await system.warehouse.query(`revoke select on dim_staff from ${username}`)
    const less = await run(['types'], asReader)
    expect([
      less.code,
      less.out.includes('dim_staff: '),
      less.out.includes('dim_design: '),
    ]).toEqual([0, false, true])
  })

  it('fit compound keys, quoted names, and facts that follow', async () => {
    await using system = await createLibrary()
    await runHistory(system)
    const given: GivenProject = {
      folders: [],
      upOptions: {},
      settings: async () => undefined,
      load: async () => ({ project: library, extension: {} }),
    }
    const env = {
      TIDEMARK_SOURCE_URL: system.source.readerUrl,
      TIDEMARK_WAREHOUSE_URL: system.warehouse.url,
    }
    const { code, out, err } = await tidemark(['types', '--home', system.folder], { env, given })
    expect(code, err).toBe(0)
    expect(out).toContain('Key: `isbn`, `copy_number`, `lent_at`.')
    expect(out).toContain('Refers to `dim_copy`, with `copy_number`.')
    expect(out).toContain("  record_operation: Read<'insert' | 'update' | 'delete' | 'leave'>\n")
    writeFileSync(join(folder, 'warehouse.ts'), out)
    writeFileSync(
      join(folder, 'library.ts'),
      `import { Kysely, PostgresDialect } from 'kysely'
       import pg from 'pg'
       import { asOf, asOfBatch, type Database, SCHEMA } from './warehouse.js'
       const pool = new pg.Pool({ connectionString: process.env['WAREHOUSE_URL'] })
       const db = new Kysely<Database>({ dialect: new PostgresDialect({ pool }) }).withSchema(SCHEMA)
       const loans = await db
         .selectFrom('fact_loan_current as f')
         .innerJoin('dim_copy as c', (join) =>
           join.onRef('c.isbn', '=', 'f.isbn').onRef('c.copy_number', '=', 'f.copy_number'),
         )
         .select(['f.lent_at', 'c.title'])
         .execute()
       const lines = await db.selectFrom(asOfBatch('fact_Order Line', 1).as('l')).selectAll().execute()
       const left = await db
         .selectFrom('fact_open_loan_history')
         .where('record_operation', '=', 'leave')
         .select('isbn')
         .execute()
       const late = await db
         .selectFrom(asOf('fact_loan_sums', '9999-12-31').as('s'))
         .where('s.grain', '=', 'member')
         .select(({ fn }) => fn.sum<string>('s.late').as('late'))
         .executeTakeFirstOrThrow()
       console.log(loans.length > 0, lines.length > 0, left.length > 0, typeof late.late)
       await db.destroy()`,
    )
    expect(await compileAndRun('library.ts', system.warehouse.url)).toEqual([
      'true true true string',
    ])
  })
})
