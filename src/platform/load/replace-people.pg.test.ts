import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { createDerived } from '../../../test/support/derived.ts'
import {
  besides,
  contentOf,
  expectAsFresh,
  inPlace,
  rebuild,
  withModel,
} from '../../../test/support/replaced.ts'
import type { TestSystem } from '../../../test/support/system.ts'
import { run } from '../pipeline.ts'

/** What people make on the tables of a warehouse, what shows that it is there, and what the event names. */
const THINGS: Readonly<Record<string, { make: string; there: string; why: string }>> = {
  'a view': {
    make: 'create view mine as select sale_id, units from fact_sale_current',
    there: 'select sale_id, units from mine order by 1',
    why: 'view mine depends on fact_sale_current',
  },
  'a view in another schema': {
    make: 'create schema people; create view people.mine as select * from fact_sale_history',
    there: 'select sale_id from people.mine order by 1',
    why: 'view people.mine depends on fact_sale_history',
  },
  'a materialized view': {
    make: 'create materialized view mine as select sale_id from fact_sale',
    there: 'select sale_id from mine order by 1',
    why: 'materialized view mine depends on fact_sale',
  },
  'a function that reads a table': {
    make: `create function mine() returns bigint language sql stable
      begin atomic select count(*) from fact_sale; end`,
    there: 'select mine()::text',
    why: 'function mine() depends on fact_sale',
  },
  'a table that refers to a dimension': {
    make: `create table mine (customer_id int references dim_customer);
      insert into mine values (1)`,
    there: 'select conname::text from pg_constraint where conrelid = to_regclass($$mine$$)',
    why: 'mine depends on dim_customer',
  },
  'a column': {
    make: `alter table dim_customer add column mine text default 'x'`,
    there: 'select mine from dim_customer order by customer_id',
    why: 'dim_customer has the column mine',
  },
  'an index': {
    make: 'create index mine on fact_sale (units)',
    there: `select indexname::text from pg_indexes where indexname = 'mine'`,
    why: 'fact_sale has the index mine',
  },
  'a constraint': {
    make: 'alter table fact_sale_current add constraint mine check (units > -1000)',
    there: `select conname::text from pg_constraint where conname = 'mine'`,
    why: 'fact_sale_current has the constraint mine',
  },
  'a trigger': {
    make: `create function mine() returns trigger language plpgsql as 'begin return new; end';
      create trigger mine before insert on dim_customer for each row execute function mine()`,
    there: `select tgname::text from pg_trigger where tgname = 'mine'`,
    why: 'dim_customer has the trigger mine',
  },
  'a rule': {
    make: 'create rule mine as on update to fact_sale do also select 1',
    there: `select rulename::text from pg_rewrite where rulename = 'mine'`,
    why: 'fact_sale has the rule mine',
  },
  'a policy': {
    make: 'create policy mine on dim_customer using (true)',
    there: `select polname::text from pg_policy where polname = 'mine'`,
    why: 'dim_customer has the policy mine',
  },
  'a publication': {
    make: 'create publication mine for table fact_sale',
    there: `select tablename::text from pg_publication_tables where pubname = 'mine'`,
    why: 'fact_sale has the publication mine',
  },
  statistics: {
    make: 'create statistics mine on units, price from fact_sale',
    there: `select stxname::text from pg_statistic_ext where stxname = 'mine'`,
    why: 'fact_sale has the statistics mine',
  },
  'a comment': {
    make: `comment on column fact_sale.units is 'mine'`,
    there: `select col_description(to_regclass('fact_sale'),
      (select attnum from pg_attribute where attrelid = to_regclass('fact_sale') and attname = 'units')) as c`,
    why: 'fact_sale has the description units',
  },
  'a setting': {
    make: 'alter table fact_sale set (fillfactor = 70)',
    there: `select reloptions::text from pg_class where oid = to_regclass('fact_sale')`,
    why: 'fact_sale has a table of its own',
  },
  'a child table': {
    make: 'create table mine () inherits (dim_customer)',
    there: `select inhrelid::regclass::text from pg_inherits`,
    why: 'dim_customer has the inheritance mine',
  },
  'a table with the type of a row': {
    make: 'create table mine (whole dim_customer)',
    there: `select attname::text from pg_attribute where attrelid = to_regclass('mine') and attnum > 0`,
    why: 'table mine depends on dim_customer',
  },
}

async function createTwice(): Promise<TestSystem> {
  const system = await createDerived()
  await system.run()
  await system.sql.query('update sale set units = 7 where sale_id = 10')
  await system.run()
  return system
}

describe('replaceContent() keeps what people have made', () => {
  for (const [what, { make, there, why }] of Object.entries(THINGS)) {
    it(`I8 ${what}, and replaces in place`, async () => {
      await using system = await createTwice()
      const before = await contentOf(system)
      await system.query(make)
      const found = await system.query(there)
      expect(found.length).toBeGreaterThan(0)
      expect(await rebuild(system.deps)).toBe('replaced')
      expect(inPlace(system)).toEqual([expect.stringContaining(why)])
      expect(await system.query(there)).toEqual(found)
      expect(await besides(system)).toEqual([])
      const after = await contentOf(system)
      for (const name of ['fact_sale', 'fact_sale_history', 'dim_date']) {
        expect(after[name], name).toEqual(before[name])
      }
      // Nothing was loaded beside in vain.
      expect(system.entries.filter(({ event }) => event === 'batch_prepared')).toEqual([])
    })
  }

  it('I8 what is beside the tables, and swaps', async () => {
    await using system = await createTwice()
    await system.query(`create table mine (id int); insert into mine values (1);
      create view other as select * from mine; create sequence counted`)
    expect(await rebuild(system.deps)).toBe('replaced')
    expect(inPlace(system)).toEqual([])
    expect(await system.query('select id from other')).toEqual([{ id: 1 }])
    await expectAsFresh(system, system.deps)
  })

  it('I8 rights of other roles, and swaps', async () => {
    await using system = await createTwice()
    await withRole(system, async (role) => {
      await system.query(`
        grant select, update on fact_sale to ${role} with grant option;
        grant select (name) on dim_customer to ${role};
        revoke execute on function fact_sale_as_of from public;
        grant execute on function fact_sale_as_of to ${role}`)
      const before = await rightsOf(system)
      expect(before.filter((right) => right.includes(role))).toHaveLength(4)
      expect(await rebuild(system.deps)).toBe('replaced')
      expect(inPlace(system)).toEqual([])
      expect(await rightsOf(system)).toEqual(before)
    })
  })

  it('I8 a table that no model makes any more, which is retired', async () => {
    await using system = await createTwice()
    const deps = withModel(system.deps, 'fact_sale', (model) => ({ ...model, table: 'fact_sold' }))
    const kept = (await contentOf(system))['fact_sale_history']
    const report = await run(deps)
    expect(report.failures).toEqual([])
    expect(inPlace(system)).toEqual([])
    await expectAsFresh(system, deps)
    const rows = await system.query<{ row: string }>(
      `select to_jsonb(t)::text as row from fact_sale_history as t order by 1`,
    )
    expect(rows.map(({ row }) => row)).toEqual(kept)
  })

  it('I8 a changed model beside an own column goes in place', async () => {
    await using system = await createTwice()
    await system.query(`alter table dim_customer add column mine text default 'x'`)
    const deps = withModel(system.deps, 'dim_customer', (model) => ({
      ...model,
      sql: 'select customer_id, code, upper(name) as name from customer',
      nullable: [],
    }))
    const report = await run(deps)
    expect(report.failures).toEqual([])
    expect(inPlace(system)).toEqual([expect.stringContaining('dim_customer has the column mine')])
    expect(await system.query('select name, mine from dim_customer order by 1')).toEqual([
      { name: 'ADA', mine: 'x' },
      { name: 'BJÖRK', mine: 'x' },
    ])
  })

  it('I8 where the loader may not create a schema, in place', async () => {
    await using system = await createDerived()
    const { name } = system.warehouse
    await withRole(system, async (role) => {
      await system.query(`grant connect on database ${name} to ${role};
        grant usage, create on schema public to ${role}`)
      const url = new URL(system.deps.warehouse.url)
      url.username = role
      url.password = role
      const deps = { ...system.deps, warehouse: { ...system.deps.warehouse, url: url.href } }
      expect((await run(deps)).failures).toEqual([])
      const before = await contentOf(system)
      expect(await rebuild(deps)).toBe('replaced')
      expect(inPlace(system)).toEqual([expect.stringContaining('permission denied for database')])
      expect(await contentOf(system)).toEqual(before)
      // With the right, it swaps; and not if the name is somebody else's.
      await system.query(`grant create on database ${name} to ${role}`)
      expect(await rebuild(deps)).toBe('replaced')
      expect(inPlace(system)).toHaveLength(1)
      expect(await contentOf(system)).toEqual(before)
      await system.query('create schema "public next"; create table "public next".mine ()')
      expect(await rebuild(deps)).toBe('replaced')
      expect(inPlace(system)[1]).toBe(`the schema public next is not Tidemark's`)
      expect(await besides(system)).toEqual(['public next'])
    })
  })
})

/** Every right of another role on a table, a column or a function of the warehouse. */
async function rightsOf({ query }: TestSystem): Promise<string[]> {
  const rows = await query<{ right: string }>(`
    select concat_ws(' ', o.name, a.grantee::regrole, a.privilege_type, a.is_grantable) as right
    from (
      select relname::text as name, relacl as rights, relowner as owner from pg_class
      where relnamespace = 'public'::regnamespace and relkind in ('r', 'v') and relname !~ '^tidemark'
      union all
      select proname, coalesce(proacl, acldefault('f', proowner)), proowner from pg_proc
      where pronamespace = 'public'::regnamespace
      union all
      select attname, attacl, 0 from pg_attribute where attrelid = to_regclass('dim_customer')
    ) as o
    cross join lateral aclexplode(o.rights) as a
    where a.grantee <> o.owner
    order by 1`)
  return rows.map(({ right }) => right)
}

/** Does `work` with a role of its own, which is dropped afterwards with all its rights. */
async function withRole(system: TestSystem, work: (role: string) => Promise<void>): Promise<void> {
  const role = `test_${randomBytes(6).toString('hex')}`
  await system.query(`create role ${role} login password '${role}'`)
  try {
    await work(role)
  } finally {
    await system.query(`drop owned by ${role} cascade; drop role ${role}`)
  }
}
