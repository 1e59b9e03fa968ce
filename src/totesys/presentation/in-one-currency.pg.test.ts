import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ask } from '../../../test/support/questions/ask.ts'
import { loadRates } from '../../../test/support/rates.ts'
import { seedTotesys } from '../../../test/support/small-totesys.ts'
import { createSystem, type TestSystem } from '../../../test/support/system.ts'

type Filters = Record<string, string>

describe('in one currency', () => {
  let small: TestSystem
  let client: pg.Client
  beforeAll(async () => {
    small = await createSystem()
    await seedTotesys(small.sql)
    // Orders of 25.00, 50.00 and 75.00, each on a day and in a currency of its own, with a customer
    // and a member of staff of its own.
    await small.sql.query(`
      insert into currency values (2, 'USD', '2024-01-01', '2024-01-01'),
          (3, 'EUR', '2024-01-01', '2024-01-01');
      insert into department (department_id, department_name, location, created_at, last_updated)
      values (2, 'Support', 'Leeds', '2024-01-01', '2024-01-01');
      insert into staff (staff_id, first_name, last_name, department_id, email_address, created_at, last_updated)
      values (2, 'Bo', 'Cole', 1, 'bo@example.com', '2024-01-01', '2024-01-01'),
          (3, 'Cy', 'Dean', 2, 'cy@example.com', '2024-01-01', '2024-01-01');
      insert into counterparty (counterparty_id, counterparty_legal_name, legal_address_id, created_at, last_updated)
      values (3, 'Cord', 2, '2024-01-01', '2024-01-01');
      update sales_order set staff_id = sales_order_id, counterparty_id = sales_order_id;
      update sales_order set created_at = '2024-01-08 10:00', currency_id = 2
      where sales_order_id = 2;
      update sales_order set created_at = '2024-01-09 10:00', currency_id = 3
      where sales_order_id = 3`)
    await small.run()
    client = await small.warehouse.client()
    await loadRates(client, [
      { base: 'USD', quote: 'GBP', day: '2024-01-05', rate: '0.80' },
      { base: 'USD', quote: 'GBP', day: '2024-01-09', rate: '0.90' },
    ])
  })
  afterAll(() => small[Symbol.asyncDispose]())

  const sales = async (filters: Filters, columns: string): Promise<string[]> =>
    (
      await ask(client, 's16_sales_in_one_currency', {
        in: 'GBP',
        from: '2024-01-08',
        to: '2024-01-14',
        ...filters,
      })
    ).map((row) =>
      columns
        .split(' ')
        .map((column) => row[column] ?? '-')
        .join(' '),
    )

  it('says at which rate, and how many orders have none', async () => {
    expect(
      await sales({}, 'currency_code orders orders_unconverted own_amount amount amount_before'),
    ).toEqual([
      'EUR 1 1 75.00 - 0.00',
      'GBP 0 0 0.00 0.00 25.00',
      // 50.00 at Friday's 0.80, since Monday has none and Tuesday's is later.
      'USD 1 0 50.00 40.00 0.00',
    ])
    expect(await sales({}, 'currency_code rate rate_date is_filled days_old source')).toEqual([
      'EUR - - - - -',
      'GBP - - - - -',
      'USD 0.8000000000 2024-01-05 true 3 a bank',
    ])
    const before = { from: '2024-01-15', to: '2024-01-21' }
    expect(await sales(before, 'currency_code orders_before orders_unconverted_before')).toEqual([
      'EUR 1 1',
      'USD 1 0',
    ])
    expect(await sales(before, 'currency_code amount amount_before')).toEqual([
      'EUR 0.00 -',
      'USD 0.00 40.00',
    ])
  })

  it('adds up steps in one currency, and has no amount where no order has a rate', async () => {
    const steps = async (filters: Filters): Promise<string[]> =>
      (await ask(client, 's02_sales_by_week', { in: 'GBP', today: '2024-02-01', ...filters })).map(
        (row) =>
          ['week_start', 'currency_code', 'orders', 'amount', 'orders_unconverted']
            .map((column) => row[column] ?? '-')
            .join(' '),
      )
    expect(await steps({})).toEqual(['2024-01-01 GBP 1 25.00 0', '2024-01-08 GBP 2 40.00 1'])
    expect(await steps({ by: 'day', from: '2024-01-07' })).toEqual([
      '2024-01-08 GBP 1 40.00 0',
      '2024-01-09 GBP 1 - 1',
    ])
    expect(await steps({ currency: 'EUR', by: 'year' })).toEqual(['2024-01-01 GBP 1 - 1'])
  })

  it('ranks by what is converted, and last what no rate is known for', async () => {
    const ranked = async (question: string, columns: string, filters: Filters = { in: 'GBP' }) =>
      (await ask(client, question, filters)).map((row) =>
        columns
          .split(' ')
          .map((column) => row[column] ?? '-')
          .join(' '),
      )
    // 50.00 USD at 0.80, 25.00 in GBP, and 75.00 EUR without a rate.
    expect(
      await ranked(
        's06_biggest_customers',
        'position counterparty orders amount share cumulative_share orders_unconverted',
      ),
    ).toEqual([
      '1 Bolt 1 40.00 0.615385 0.615385 0',
      '2 Acme 1 25.00 0.384615 1.000000 0',
      '3 Cord 1 - - 1.000000 1',
    ])
    const staff = 'department staff_id orders amount department_amount orders_unconverted'
    expect(await ranked('s05_sales_by_staff', staff)).toEqual([
      'Sales 2 1 40.00 65.00 0',
      'Sales 1 1 25.00 65.00 0',
      'Support 3 1 - - 1',
    ])
    expect(await ranked('s05_sales_by_staff', `currency_code ${staff}`, {})).toEqual([
      'EUR Support 3 1 75.00 75.00 0',
      'GBP Sales 1 1 25.00 25.00 0',
      'USD Sales 2 1 50.00 50.00 0',
    ])
  })

  it('uses the rates that are known now, also as of an earlier moment', async () => {
    const earlier = { as_of: (await small.records())[0]!.snapshot.takenAt, currency: 'USD' }
    expect(await sales(earlier, 'own_amount amount')).toEqual(['50.00 40.00'])
    const rate = { base: 'USD', quote: 'GBP', day: '2024-01-08' }
    await loadRates(client, [{ ...rate, rate: '0.85' }])
    expect(await sales(earlier, 'own_amount amount is_filled')).toEqual(['50.00 42.50 false'])
    await loadRates(client, [{ ...rate, rate: '0.86' }])
    expect(await sales(earlier, 'own_amount amount')).toEqual(['50.00 43.00'])
    await loadRates(client, [{ ...rate, rate: undefined }])
    expect(await sales(earlier, 'own_amount amount is_filled')).toEqual(['50.00 40.00 true'])
  })

  it('rounds the sum, not each order', async () => {
    await small.sql.query(
      `update sales_order set created_at = '2024-01-08 11:00', currency_id = 2, units_sold = 1,
       unit_price = 0.03 where sales_order_id in (1, 3)`,
    )
    await small.run()
    // 2 × 0.03 × 0.80 = 0.048; rounded one by one it would be 0.04.
    expect(await sales({ currency: 'USD' }, 'orders amount')).toEqual(['3 40.05'])
  })
})
