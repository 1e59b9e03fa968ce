import { describe, expect, it } from 'vitest'
import { isDifferent } from '../../src/platform/inspect/verified-table.ts'
import { verify } from '../../src/platform/inspect/verify.ts'
import type { Fact, Model } from '../../src/platform/project/model.ts'
import type { Project } from '../../src/platform/project/project.ts'
import { run } from '../../src/platform/pipeline.ts'
import { folderOf } from '../support/bare-project.ts'
import { createDerived, CUSTOMER, DATES, derived, SALE } from '../support/derived.ts'
import type { TestSystem } from '../support/system.ts'

/** Two versions of a sale, and a deletion, in batches of their own. */
async function fill(system: TestSystem): Promise<void> {
  await system.run()
  await system.sql.query(`update sale set units = 5 where sale_id = 10`)
  await system.run()
  await system.sql.query(`delete from sale where sale_id = 11`)
  await system.run()
}

/** Runs with another project over the same databases, and expects that all three places are equal. */
async function switchTo(system: TestSystem, project: Project): Promise<void> {
  const deps = { ...system.deps, project }
  const report = await run(deps)
  expect(report.failures.map(({ error }) => error)).toEqual([])
  expect(report.loaded?.batches).toEqual([1, 2, 3])
  const { tables, faults } = await verify(deps)
  expect(new Set(tables.map(({ where }) => where))).toContain('history')
  expect([...tables.filter(isDifferent), ...faults]).toEqual([])
  // Another batch continues the new generation.
  await system.sql.query(`update sale set units = units + 1 where sale_id = 10`)
  const next = await run(deps)
  expect(next.failures.map(({ error }) => error)).toEqual([])
  expect(next.loaded?.batches).toEqual([4])
  expect((await verify(deps)).tables.filter(isDifferent)).toEqual([])
}

/** The foreign keys of the warehouse, as Postgres prints them, by table. */
async function foreignKeys(system: TestSystem): Promise<string[]> {
  const rows = await system.query<{ found: string }>(
    `select conrelid::regclass || ' ' || pg_get_constraintdef(oid) as found
     from pg_constraint where contype = 'f' order by 1`,
  )
  return rows.map(({ found }) => found)
}

const BY_CODE: Model = { ...CUSTOMER, key: ['code'], nullable: ['city', 'customer_id'] }
const SALE_BY_CODE: Fact = {
  ...SALE,
  sql: `select sale_id, code, units, price, sold_on, note, _operation, _captured_at, _ordinal
    from change_sale`,
  references: [
    { columns: ['code'], dimension: 'dim_customer' },
    { columns: ['sold_on'], dimension: 'dim_date' },
  ],
}

describe('a new generation of derived tables', () => {
  it('changes the key of a dimension to which facts refer', async () => {
    await using system = await createDerived()
    await fill(system)
    await switchTo(system, derived([BY_CODE, SALE_BY_CODE, DATES]))
    expect(await foreignKeys(system)).toEqual([
      'fact_sale FOREIGN KEY (code) REFERENCES dim_customer(code)',
      'fact_sale FOREIGN KEY (sold_on) REFERENCES dim_date(day)',
    ])
  })

  it('changes the type of a key and of the columns that refer to it', async () => {
    await using system = await createDerived()
    await fill(system)
    const text = (sql: string) =>
      sql.replace('customer_id,', 'customer_id::varchar as customer_id,')
    await switchTo(
      system,
      derived([
        { ...CUSTOMER, sql: text(CUSTOMER.sql as string) },
        { ...SALE, sql: text(SALE.sql as string) },
        DATES,
      ]),
    )
    expect(await foreignKeys(system)).toHaveLength(2)
    expect(await system.query('select customer_id from fact_sale_current')).toEqual([
      { customer_id: '1' },
    ])
  })

  it('changes the types of columns, narrower ones and unlike ones too, with sums over them', async () => {
    const sums = { columns: { units: 'units' }, grains: { customer: ['customer_id'] } }
    await using system = await createDerived(derived([CUSTOMER, { ...SALE, sums }, DATES]))
    await fill(system)
    const sql = `select sale_id, customer_id, units::smallint as units, price::varchar as price,
        (sold_on - date '2000-01-01')::integer as sold_on, note, _operation, _captured_at, _ordinal
      from change_sale`
    const references = SALE.references.slice(0, 1)
    await switchTo(system, derived([CUSTOMER, { ...SALE, sql, sums, references }]))
    expect(await system.query('select units, price, sold_on from fact_sale_current')).toEqual([
      { units: 6, price: '9.50', sold_on: 9498 },
    ])
    expect(await system.query('select units::int from fact_sale_by_customer')).toEqual([
      { units: 6 },
    ])
  })

  it('makes a column required, and another one optional', async () => {
    await using system = await createDerived()
    await fill(system)
    await switchTo(
      system,
      derived([
        { ...CUSTOMER, nullable: ['city', 'name'] },
        { ...SALE, nullable: ['price'] },
        DATES,
      ]),
    )
    expect(
      await system.query(`
        select attrelid::regclass::text || '.' || attname as found from pg_attribute
        where attname in ('note', 'price', 'name') and not attnotnull
          and attrelid in ('fact_sale'::regclass, 'fact_sale_current'::regclass, 'dim_customer'::regclass)
        order by 1`),
    ).toEqual([
      { found: 'dim_customer.name' },
      { found: 'fact_sale.price' },
      { found: 'fact_sale_current.price' },
    ])
  })

  it('gives a fact another record id, with sums', async () => {
    const sums = { columns: { units: 'units' }, grains: { customer: ['customer_id'] } }
    await using system = await createDerived(derived([CUSTOMER, { ...SALE, sums }, DATES]))
    await fill(system)
    await switchTo(system, derived([CUSTOMER, { ...SALE, sums, recordId: 'version_id' }, DATES]))
    expect(
      await system.query('select max(version_id)::int as last from fact_sale_history'),
    ).toEqual([{ last: 5 }])
  })

  it('turns a dimension into a fact of the same name, and back', async () => {
    const customers: Fact = {
      kind: 'fact',
      table: 'dim_customer',
      sql: `select customer_id, code, name, city, _operation, _captured_at, _ordinal
        from change_customer`,
      key: ['customer_id'],
      from: 'customer',
      recordId: 'customer_record_id',
      nullable: ['city'],
      references: [],
    }
    const sale = { ...SALE, references: SALE.references.slice(1) }
    await using system = await createDerived()
    await fill(system)
    await switchTo(system, derived([customers, sale, DATES]))
    expect(await system.query('select count(*)::int as n from dim_customer_history')).toEqual([
      { n: 2 },
    ])
    const back = {
      ...system.deps,
      project: derived([{ ...CUSTOMER, nullable: ['city', 'name'] }, SALE, DATES]),
    }
    expect((await run(back)).failures).toEqual([])
    expect((await verify(back)).tables.filter(isDifferent)).toEqual([])
    expect(await system.query(`select to_regclass('dim_customer_history') as history`)).toEqual([
      { history: null },
    ])
  })

  it('keeps the table of a model that is gone, and lets it be dropped', async () => {
    const stock: Fact = { ...SALE, table: 'fact_gone', recordId: 'gone_record_id' }
    await using system = await createDerived(derived([CUSTOMER, SALE, stock, DATES]))
    await fill(system)
    const before = await system.query('select * from fact_gone order by gone_record_id')
    await switchTo(system, derived())
    expect(await system.query('select * from fact_gone order by gone_record_id')).toEqual(before)
    expect(await foreignKeys(system)).toHaveLength(2)
    await system.query('drop table fact_gone, fact_gone_current cascade')
    const deps = { ...system.deps, project: derived() }
    expect((await run(deps)).failures).toEqual([])
    // The model comes back, and so does all of its history, from the lake.
    const again = { ...system.deps, project: derived([CUSTOMER, SALE, stock, DATES]) }
    expect((await run(again)).failures).toEqual([])
    expect((await verify(again)).tables.filter(isDifferent)).toEqual([])
  })

  it('takes up again a table that it had retired', async () => {
    const gone: Fact = { ...SALE, table: 'fact_gone', recordId: 'gone_record_id' }
    await using system = await createDerived(derived([CUSTOMER, SALE, gone, DATES]))
    await fill(system)
    await switchTo(system, derived())
    const again = { ...system.deps, project: derived([CUSTOMER, SALE, gone, DATES]) }
    expect((await run(again)).failures).toEqual([])
    expect((await verify(again)).tables.filter(isDifferent)).toEqual([])
    expect(await foreignKeys(system)).toHaveLength(4)
  })

  it('changes nothing, and says so, if a view uses what must be made anew', async () => {
    await using system = await createDerived()
    await fill(system)
    await system.query(
      'create view per_customer as select customer_id, count(*) from fact_sale group by 1',
    )
    const project = derived([CUSTOMER, { ...SALE, recordId: 'version_id' }, DATES])
    const [failure] = (await run({ ...system.deps, project })).failures
    expect(failure?.error).toMatchObject({ code: 'WAREHOUSE_IN_USE' })
    expect(String(failure?.error)).toContain('per_customer')
    await system.query('drop view per_customer')
    await switchTo(system, project)
  })

  it.each([
    [
      'fact',
      `drop table if exists fact_sale cascade;
       create table if not exists fact_sale (
         sale_record_id bigint primary key, sale_id bigint not null,
         customer_id int not null references dim_customer, units int not null,
         price numeric not null, sold_on date not null, note text)`,
    ],
    [
      'dimension',
      `drop table if exists dim_customer cascade;
       create table dim_customer (
         customer_id int primary key, code text not null, name text not null, city text)`,
    ],
  ])('hands a %s over to a migration that makes it, and fills it again', async (kind, sql) => {
    await using system = await createDerived()
    await fill(system)
    const project = { ...derived(), warehouse: { migrations: folderOf({ '001_hand.sql': sql }) } }
    await switchTo(system, project)
    const name = kind === 'fact' ? 'fact_sale' : 'dim_customer'
    expect(await system.query('select 1 from tidemark_table where name = $1', [name])).toEqual([])
    expect(await foreignKeys(system)).toHaveLength(kind === 'fact' ? 1 : 2)
  })

  it.each(['create table fact_sale (id int)', 'create table if not exists "fact_sale" (id int)'])(
    'refuses a migration that would make a derived table a second time: %s',
    async (sql) => {
      await using system = await createDerived()
      await fill(system)
      const project = { ...derived(), warehouse: { migrations: folderOf({ '001_hand.sql': sql }) } }
      const [failure] = (await run({ ...system.deps, project })).failures
      expect(failure?.error).toMatchObject({
        code: 'MIGRATION_OF_DERIVED',
        hint: expect.stringContaining('drop table if exists "fact_sale" cascade;'),
      })
      expect((await system.run()).failures).toEqual([])
    },
  )
})
