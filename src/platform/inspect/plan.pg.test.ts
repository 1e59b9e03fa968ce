import { describe, expect, it } from 'vitest'
import { createDerived, CUSTOMER, DATES, derived, SALE } from '../../../test/support/derived.ts'
import { folderOf } from '../../../test/support/bare-project.ts'
import { createMirror } from '../../../test/support/mirror.ts'
import { createShop } from '../../../test/support/shop.ts'
import type { TestSystem } from '../../../test/support/system.ts'
import type { Deps } from '../deps.ts'
import { extract } from '../extract/extract.ts'
import { run } from '../pipeline.ts'
import type { Fact } from '../project/model.ts'
import { isEmptyPlan, type Plan, planNextRun } from './plan.ts'

/** Everything in the warehouse's catalogue that a plan could leave behind. */
const CATALOGUE = `
  select n.nspname || '.' || c.relname as name, c.oid::text, c.relfilenode::text
  from pg_class as c inner join pg_namespace as n on n.oid = c.relnamespace
  where n.nspname not in ('pg_catalog', 'information_schema') and n.nspname not like 'pg_toast%'
  union all select nspname, oid::text, '' from pg_namespace where nspname not like 'pg_%'
  union all select proname, oid::text, '' from pg_proc where pronamespace = 'public'::regnamespace
  order by 1, 2`

/** Tables, columns, keys, indexes, comments and functions of the schema `public`. */
const STRUCTURE = `
  select c.relname || ' ' || c.relkind::text || ' ' || coalesce(obj_description(c.oid, 'pg_class'), '') as what
  from pg_class as c where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'v', 'i')
  union all
  select c.relname || '.' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod) || ' ' || a.attnotnull
    || coalesce(col_description(c.oid, a.attnum), '')
  from pg_class as c inner join pg_attribute as a on a.attrelid = c.oid
  where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'v')
    and a.attnum > 0 and not a.attisdropped
  union all
  select conrelid::regclass || ' ' || pg_get_constraintdef(oid) from pg_constraint
  where connamespace = 'public'::regnamespace
  union all
  select p.oid::regprocedure::text || pg_get_function_sqlbody(p.oid) from pg_proc as p
  where p.pronamespace = 'public'::regnamespace
  union all
  select name || fingerprint from tidemark_table
  union all
  select name from tidemark_relation
  union all
  select name || checksum from tidemark_migration
  order by 1`

/** Plans, and expects that nothing was changed. */
async function planUnchanged(system: TestSystem, deps: Deps = system.deps): Promise<Plan> {
  const before = await system.query(CATALOGUE)
  const plan = await planNextRun(deps)
  expect(await system.query(CATALOGUE)).toEqual(before)
  return plan
}

/** A run must end with the tables that the plan's statements give a copy of the warehouse. */
async function expectTrue(system: TestSystem, deps: Deps = system.deps): Promise<Plan> {
  const plan = await planUnchanged(system, deps)
  const client = await system.warehouse.client()
  await client.query('begin')
  for (const statement of plan.statements) await client.query(statement)
  const { rows: planned } = await client.query(STRUCTURE)
  await client.query('rollback')
  const report = await run(deps)
  expect(report.failures.map(({ error }) => error)).toEqual([])
  const made = await system.query(STRUCTURE)
  // A swap makes tables anew, with their columns in the model's order.
  const form = plan.generation === undefined ? asItIs : inAnyOrder
  expect(planned.map(form)).toEqual(made.map(form))
  const after = await planUnchanged(system, deps)
  expect(isEmptyPlan(after)).toBe(true)
  return plan
}

function asItIs({ what }: { readonly what?: string }): string {
  return what ?? ''
}

/** The lines of a definition, sorted. */
function inAnyOrder({ what }: { readonly what?: string }): string {
  const lines = (what ?? '').split('\n').map((line) => line.trim().replace(/,$/, ''))
  return lines.toSorted().join('\n')
}

describe('planNextRun()', () => {
  it('plans the tables of a project before the first run', async () => {
    await using system = await createDerived()
    const plan = await expectTrue(system)
    expect(plan.migrations[0]).toBe('platform/001_ledger.sql')
    expect(plan.tables.map(({ table, action, madeBy }) => [table, action, madeBy])).toEqual([
      ['dim_customer', 'create', 'model'],
      ['fact_sale', 'create', 'model'],
      ['dim_date', 'create', 'model'],
    ])
  })

  it('plans a change of models, and says which models changed and what is loaded again', async () => {
    await using system = await createDerived()
    await system.run()
    await system.sql.query('update sale set units = 9 where sale_id = 10')
    await system.run()
    const sale: Fact = {
      ...SALE,
      sql: `select sale_id, code, units::bigint as units, sold_on, note, units * price as worth,
        _operation, _captured_at, _ordinal from change_sale`,
      references: [
        { columns: ['code'], dimension: 'dim_customer' },
        { columns: ['sold_on'], dimension: 'dim_date' },
      ],
    }
    const customer = { ...CUSTOMER, key: ['code'], nullable: ['city', 'customer_id'] }
    const project = derived([customer, sale, DATES])
    const plan = await expectTrue(system, { ...system.deps, project })
    expect(plan).toMatchObject({
      generation: {
        batches: 2,
        rows: 370,
        why: ['the model of dim_customer has changed', 'the model of fact_sale has changed'],
      },
      tables: [
        { table: 'dim_customer', action: 'anew', addedKeys: ['PRIMARY KEY (code)'] },
        {
          table: 'fact_sale',
          action: 'change',
          dropped: ['customer_id', 'price'],
          retyped: [{ name: 'units', from: 'integer', to: 'bigint' }],
          droppedKeys: ['FOREIGN KEY (customer_id) REFERENCES dim_customer(customer_id)'],
          addedKeys: ['FOREIGN KEY (code) REFERENCES dim_customer(code)'],
        },
      ],
    })
    expect(system.entries).toContainEqual(
      expect.objectContaining({
        event: 'generation_announced',
        why: ['the model of dim_customer has changed', 'the model of fact_sale has changed'],
      }),
    )
  })

  it('plans the tables of migrations, and leaves those of applied ones alone', async () => {
    await using shop = await createShop()
    const plan = await expectTrue(shop)
    expect(plan.byHand).toEqual(['dim_item', 'fact_sale', 'fact_stock', 'dim_day'])
    expect(plan.others).toContainEqual({ name: 'sale_units', action: 'create' })
    const project = await shop.changed({
      migrations: { '002_more.sql': 'alter table fact_stock add column seen date' },
    })
    const next = await expectTrue(shop, { ...shop.deps, project })
    expect(next).toMatchObject({
      migrations: ['shop/002_more.sql'],
      generation: undefined,
      tables: [
        { table: 'fact_stock', madeBy: 'migration', added: [{ name: 'seen', type: 'date' }] },
      ],
    })
  })
  it('plans a fact that begins to follow a table, and a model that is gone', async () => {
    await using system = await createDerived()
    await system.run()
    const following: Fact = {
      ...SALE,
      sql: `select s.sale_id, s.units, c.name, s._operation, s._captured_at, s._ordinal
        from change_sale as s inner join customer as c on c.customer_id = s.customer_id
        where s.units > 1`,
      references: [],
      follows: ['customer'],
    }
    const project = derived([following])
    const plan = await expectTrue(system, { ...system.deps, project })
    expect(plan.retired).toEqual(['dim_customer', 'dim_date'])
    expect(plan.tables).toMatchObject([
      {
        table: 'fact_sale',
        added: [{ name: 'name', type: 'text' }],
        dropped: ['customer_id', 'price', 'sold_on', 'note'],
      },
    ])
  })

  it('plans a table that a migration takes over, and sums that are new', async () => {
    await using system = await createDerived()
    await system.run()
    const sql = `drop table fact_sale cascade; create table fact_sale (
      sale_record_id bigint primary key, sale_id int not null, customer_id int not null,
      units int not null, price numeric not null, sold_on date not null, note text)`
    const sums = { columns: { units: 'units' }, grains: { customer: ['customer_id'] } }
    const project = {
      ...derived([CUSTOMER, { ...SALE, sums }, DATES]),
      warehouse: { migrations: folderOf({ '001_hand.sql': sql }) },
    }
    const plan = await expectTrue(system, { ...system.deps, project })
    expect(plan).toMatchObject({
      byHand: ['fact_sale'],
      generation: { why: ['a migration has replaced a derived table'] },
    })
    expect(plan.tables[0]?.history).toContain('fact_sale_by_customer')
  })

  it('plans no rehearsal of a migration that uses what is not of the warehouse', async () => {
    await using system = await createDerived()
    await system.query('create type mood as enum ($1)'.replace('$1', `'good'`))
    const project = {
      ...derived(),
      warehouse: { migrations: folderOf({ '001_mood.sql': 'create table moods (mood mood)' }) },
    }
    const deps = { ...system.deps, project }
    const plan = await planUnchanged(system, deps)
    expect(plan).toMatchObject({
      notRehearsed: { detail: expect.stringContaining('type "mood" does not exist') },
      statements: [],
    })
    expect(plan.migrations).toContain('derived/001_mood.sql')
    expect(plan.tables.map(({ table }) => table)).toContain('fact_sale')
    expect((await run(deps)).failures).toEqual([])
    expect(isEmptyPlan(await planUnchanged(system, deps))).toBe(true)
  })
})

describe('planNextRun() of a mirror', () => {
  it('plans the tables that it discovers, and their drift', async () => {
    await using system = await createMirror(`
      create table a (id int primary key, v varchar(5));
      create table "b c" (x int, y numeric(4, 1))`)
    const plan = await expectTrue(system)
    expect(plan.tables.map(({ table, action }) => [table, action])).toEqual([
      ['a', 'create'],
      ['b c', 'create'],
    ])
    await system.sql.query(`
      alter table a add column w date; alter table a alter column v type varchar(9);
      insert into a values (1, 'one');
      alter table "b c" drop column y; create table d (id int primary key)`)
    expect((await expectTrue(system)).tables).toMatchObject([
      {
        table: 'a',
        added: [{ name: 'w', type: 'date', nullable: true }],
        retyped: [{ name: 'v', from: 'character varying(5)', to: 'character varying(9)' }],
      },
      {
        table: 'd',
        action: 'create',
        history: ['d_current', 'd_history', 'd_as_of(…)', 'd_as_of_batch(…)'],
      },
    ])
  })

  it('plans pending batches, each with the schema that it had', async () => {
    await using system = await createMirror('create table a (id int primary key, v int)')
    await system.run()
    for (const sql of [
      'alter table a alter v type text; insert into a values (1, $$x$$)',
      'alter table a add w int; insert into a values (2, $$y$$, 2)',
      'alter table a alter w type date using null; insert into a values (3, $$z$$, null)',
    ]) {
      await system.sql.query(sql)
      await extract(system.deps)
    }
    const plan = await expectTrue(system)
    expect(plan.tables).toMatchObject([
      { table: 'a', retyped: [{ name: 'v', to: 'text' }], added: [{ name: 'w', type: 'text' }] },
    ])
  })

  it('plans another generation over tables whose columns came and went', async () => {
    await using system = await createDerived()
    await system.run()
    await system.sql.query('alter table customer add phone text; update customer set phone = $$1$$')
    await system.run()
    const wide = { ...CUSTOMER, sql: 'select * from customer', nullable: ['city', 'phone'] }
    const first = { ...system.deps, project: derived([wide, SALE, DATES]) }
    await expectTrue(system, first)
    await system.sql.query(`alter table customer drop city; update customer set name = 'Ada L.'`)
    expect((await run(first)).failures).toEqual([])
    const project = derived([{ ...wide, nullable: ['city', 'name', 'phone'] }, SALE, DATES])
    await expectTrue(system, { ...system.deps, project })
  })
})
