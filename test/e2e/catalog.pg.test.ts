import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { tidemark } from '../support/command.ts'
import { seedTotesys } from '../support/small-totesys.ts'
import { createSystem, type TestSystem } from '../support/system.ts'
import { TOTESYS_PROJECT } from '../support/totesys-project.ts'

describe('tidemark catalog', () => {
  let system: TestSystem
  let env: Record<string, string>
  const command = (line: string) => tidemark(line.split(' '), { env })

  beforeAll(async () => {
    system = await createSystem()
    await seedTotesys(system.sql)
    env = {
      TIDEMARK_PROJECT: TOTESYS_PROJECT,
      TIDEMARK_SOURCE_URL: system.source.readerUrl,
      TIDEMARK_WAREHOUSE_URL: system.warehouse.url,
      TIDEMARK_HOME: system.folder,
    }
  })
  afterAll(() => system[Symbol.asyncDispose]())

  it('says before the first run that nothing was captured yet', async () => {
    const list = await command('catalog')
    expect(list.out).toMatch(/staff +0 +not captured yet +0 {2}dim_staff/)
    expect(list.code).toBe(0)
    expect((await command('catalog staff')).out).toContain('not captured yet   Next: tidemark run')
  })

  it('lists the source tables and what they feed', async () => {
    await command('run')
    const { code, out } = await command('catalog')
    expect(out).toMatch(/source table +versions +since \(UTC\) +columns +rows +feeds/)
    expect(out).toMatch(
      /sales_order +1 +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d +12 +3 {2}fact_sales_order, dim_date\n/,
    )
    expect(out).toMatch(/ department +1 .* 1 {2}dim_staff\n/)
    expect(out).toMatch(/ address +1 .* 2 {2}dim_location, dim_counterparty\n/)
    expect(code).toBe(0)
    const { events } = await command('catalog --json')
    expect(events.map(({ event }) => event)).toEqual([
      ...Array<string>(12).fill('catalog_table'),
      'catalog_listed',
    ])
    expect(events[0]).toMatchObject({
      table: 'address',
      feeds: ['dim_location', 'dim_counterparty'],
    })
  })

  it('traces every column of the star schema exactly to columns of the source', async () => {
    const { events } = await command('catalog --json')
    const tables = events.filter(({ event }) => event === 'catalog_table')
    expect(tables.flatMap((event) => event['inexact'])).toEqual([])
    const { out, code } = await command('catalog sales_order')
    for (const line of [
      'sales_order.staff_id                    → fact_sales_order.sales_staff_id\n',
      'sales_order.agreed_delivery_location_id → fact_sales_order.agreed_delivery_location_id\n',
    ]) {
      expect(out).toContain(line)
    }
    expect(out).toMatch(
      /sales_order\.created_at +→ fact_sales_order\.created_date, fact_sales_order\.created_time, dim_date\.\*\n/,
    )
    expect(code).toBe(0)
    const staff = (await command('catalog staff')).out
    expect(staff).toMatch(/staff\.department_id +→ –\n/)
    expect((await command('catalog department')).out).toMatch(
      /department\.location +→ dim_staff\.location\n/,
    )
  })

  it('tells how a table changed from version to version', async () => {
    await system.sql.query(`
      create type mood as enum ('sad', 'glad');
      alter table department
          add rating numeric(5,2) not null default 0,
          add mood mood,
          add twice integer generated always as (department_id * 2) stored`)
    await command('run')
    await system.sql.query(`alter type mood add value 'so-so' before 'glad'`)
    await system.sql.query(`
      update department set mood = 'sad';
      alter table department alter twice drop expression, alter mood set not null, drop rating, alter mood set default 'sad'`)
    await command('run')
    await system.sql.query(`
      create table copy (like department including all);
      insert into copy select * from department;
      alter table department rename to old;
      alter table copy rename to department;
      grant select on department to public`)
    await command('run')
    const { out, code } = await command('catalog department')
    expect(out).toMatch(/department {3}key department_id {3}\d+ columns {3}1 row {3}4 versions\n/)
    expect(out).toMatch(/v1 {2}.* batch 1 {3}first captured, with \d+ columns\n/)
    expect(out).toMatch(/v2 {2}.* batch 2 {3}\+ rating numeric\(5,2\) not null default 0\n/)
    expect(out).toContain('      + mood public.mood\n')
    expect(out).toContain('      + twice integer generated as (department_id * 2)\n')
    expect(out).toMatch(/v3 {2}.* batch 3 {3}- rating numeric\(5,2\) not null default 0\n/)
    expect(out).toContain(
      `~ mood: now not null · default none → 'sad'::public.mood · labels added 'so-so'\n`,
    )
    expect(out).toContain('~ twice: no longer generated · default (department_id * 2) → none\n')
    expect(out).toMatch(/v4 {2}.* batch 4 {3}no column differs: the table or its partitions/)
    expect(code).toBe(0)
    const { events } = await command('catalog department --json')
    expect(events).toHaveLength(1)
    expect(events[0]).toMatchObject({
      event: 'catalog_table',
      table: 'department',
      versions: [
        { firstBatch: 1 },
        { firstBatch: 2, difference: { added: [{ name: 'rating' }, {}, {}] } },
        { firstBatch: 3, difference: { removed: [{ name: 'rating' }] } },
        { firstBatch: 4, difference: { added: [], removed: [], changed: [] } },
      ],
    })
  })

  it('says why a table is held', async () => {
    await system.sql.query('alter table design rename file_name to file')
    expect((await command('run')).code).toBe(4)
    const { code, out } = await command('catalog design')
    expect(out).toMatch(/held since .* UTC: column file_name is gone\n/)
    expect(out).toMatch(/design\.file_name +→ dim_design\.file_name\n/)
    expect(code).toBe(0)
    const { events } = await command('catalog design --json')
    expect(events[0]).toMatchObject({ hold: { reason: 'column_missing' } })
  })

  it('refuses a table that does not exist, and names the tables that do', async () => {
    const { code, err } = await command('catalog fact_sales_order')
    expect(err).toContain('There is no source table called fact_sales_order')
    expect(err).toContain('one of: address, counterparty')
    expect(code).toBe(2)
  })
})
