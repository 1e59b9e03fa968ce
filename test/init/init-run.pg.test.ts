import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type CommandResult, tidemark } from '../support/command.ts'
import { createDatabase, type TestDatabase } from '../support/database.ts'

const SHOP = await readFile(new URL('./shop.sql', import.meta.url), 'utf8')

/** What a shop does between two runs: changes of every kind, and changes of its tables. */
const DAY = `
  update customer set name = 'Ada L.' where customer_id = 1;
  update city set name = 'Leeds (UK)' where city_id = 2;
  update sales.orders set state = 'sent', version = version + 1 where order_id = 2;
  delete from sales.payment where payment_id = 2;
  insert into sales.payment values (3, '2024-12-31', 3, 1, 11.00);
  insert into sales.order_line values (2, 1, '00000000-0000-4000-8000-000000000002', 1, 0, null);
  update "Stock Room"."Stock Count" set "how many?" = 5 where "No." = 2;
  insert into visit values ('2024-01-02 00:00:00+00', '/bags', null);
  delete from visit where ctid in (select ctid from visit where path = '/' limit 1);
  alter table product add column weight_kg numeric(6, 3);
  update product set weight_kg = 0.25 where name = 'Bag';
  alter type order_state add value 'returned';
  alter table customer alter column city_id type bigint`

describe.each([
  ['mirror', []],
  ['star', ['--star']],
])('a shop from init to verify, as a %s', (_, options) => {
  let source: TestDatabase
  let warehouse: TestDatabase
  let folder: string
  const command = async (...argv: string[]): Promise<CommandResult> =>
    await tidemark([...argv, '--project', join(folder, 'shop')], {
      env: { TIDEMARK_SOURCE_URL: source.readerUrl, TIDEMARK_WAREHOUSE_URL: warehouse.url },
    })

  beforeAll(async () => {
    source = await createDatabase({ template: 'empty' })
    warehouse = await createDatabase({ template: 'empty' })
    folder = await mkdtemp(join(tmpdir(), 'tidemark-init-'))
    await source.query(SHOP)
    await source.query(`
      grant usage on schema sales, "Stock Room" to ${source.name}_reader;
      grant select on all tables in schema sales, "Stock Room" to ${source.name}_reader`)
  })
  afterAll(async () => {
    await source.drop()
    await warehouse.drop()
    await rm(folder, { recursive: true })
  })

  it('runs, follows what changes, and proves it', async () => {
    const argv = ['init', join(folder, 'shop'), '--source', source.readerUrl, ...options]
    expect(await tidemark(argv)).toMatchObject({ code: 0, err: '' })
    for (const sql of ['select 1', DAY]) {
      await source.query(sql)
      await source.settle()
      const run = await command('run')
      expect([run.code, run.out]).toEqual([0, expect.not.stringContaining('✕')])
      const verified = await command('verify')
      expect([verified.code, verified.out]).toEqual([
        0,
        expect.stringContaining('✓ source = lake = warehouse'),
      ])
    }
  })
})
