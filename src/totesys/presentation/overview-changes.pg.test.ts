import { expect, it } from 'vitest'
import { ask } from '../../../test/support/questions/ask.ts'
import { seedTotesys } from '../../../test/support/small-totesys.ts'
import { createSystem } from '../../../test/support/system.ts'

it('what changed lately is said in names, with thousands, currency and difference', async () => {
  await using system = await createSystem()
  const { sql } = system
  await seedTotesys(sql)
  await sql.query(`insert into design (design_id, design_name, file_location, file_name, created_at, last_updated)
    select 2, 'Bamboo', file_location, file_name, created_at, last_updated from design`)
  await sql.query('update sales_order set units_sold = 6445 where sales_order_id = 1')
  await system.run()
  await sql.query(
    `update sales_order set units_sold = 6481, unit_price = 1234.5, design_id = 2
     where sales_order_id = 1;
     update sales_order set units_sold = 1 where sales_order_id = 2`,
  )
  await system.run()
  const rows = await ask(await system.warehouse.client(), 'overview_changes')
  const said = (id: string): string | null | undefined =>
    rows.find((row) => row['id'] === id && row['change'] === 'amended')?.['what_changed']
  expect(said('1')).toBe(
    'design: Bee 1 → Bamboo 2, unit price: GBP 2.50 → GBP 1,234.50, units sold: 6,445 → 6,481 (+36)',
  )
  expect(said('2')).toBe('units sold: 20 → 1 (−19)')
})
