import { readFile } from 'node:fs/promises'
import { DuckDBInstance, type DuckDBConnection, type Json } from '@duckdb/node-api'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { totesys } from '../totesys.ts'

let connection: DuckDBConnection

beforeEach(async () => {
  const instance = await DuckDBInstance.create(':memory:')
  connection = await instance.connect()
  await connection.run(`set timezone = 'UTC'`)
})
afterEach(() => connection.closeSync())

/** The complete output of a model over the views that `inputs` makes, values as text. */
async function run(table: string, inputs: Record<string, string>): Promise<Json[][]> {
  for (const [name, sql] of Object.entries(inputs)) {
    await connection.run(`create or replace view "${name}" as ${sql}`)
  }
  const reader = await connection.runAndReadAll(await modelSql(table))
  return reader.getRowsJson()
}

async function modelSql(table: string): Promise<string> {
  const model = totesys.models.find((each) => each.table === table)
  if (model === undefined) throw new Error(`no model ${table}`)
  return readFile(model.sql, 'utf8')
}

const stamps = `timestamp '2022-11-03 14:20:49.962' as created_at, timestamp '2022-11-03 14:20:49.962' as last_updated`

const address = `
  select
    id as address_id, line_1 as address_line_1, line_2 as address_line_2, district, city,
    postal_code, country, phone, ${stamps}
  from (values
    (1, '6826 Herzog Via', null::varchar, 'Avon', 'New Patienceburgh', '08841', 'Turkey', '0803 637401'),
    (2, '179 Alexie Cliffs', 'Apt. 4', null::varchar, 'Aliso Viejo', '99305-7380', 'Svalbard & Jan Mayen Islands', '9621 880720')
  ) as made (id, line_1, line_2, district, city, postal_code, country, phone)`

describe('dimensions', () => {
  it('dim_location renames the key and keeps nulls, leading zeros and ampersands', async () => {
    expect(await run('dim_location', { address })).toEqual([
      [1, '6826 Herzog Via', null, 'Avon', 'New Patienceburgh', '08841', 'Turkey', '0803 637401'],
      [
        2,
        '179 Alexie Cliffs',
        'Apt. 4',
        null,
        'Aliso Viejo',
        '99305-7380',
        'Svalbard & Jan Mayen Islands',
        '9621 880720',
      ],
    ])
  })

  it('dim_counterparty joins the legal address and leaves out counterparties without one', async () => {
    const counterparty = `
      select
        id as counterparty_id, name as counterparty_legal_name, address_id as legal_address_id,
        'Micheal Toy' as commercial_contact, null::varchar as delivery_contact, ${stamps}
      from (values (7, 'Leannon, Predovic and Morar', 2), (8, 'Nowhere Ltd', 99))
        as made (id, name, address_id)`
    expect(await run('dim_counterparty', { address, counterparty })).toEqual([
      [
        7,
        'Leannon, Predovic and Morar',
        '179 Alexie Cliffs',
        'Apt. 4',
        null,
        'Aliso Viejo',
        '99305-7380',
        'Svalbard & Jan Mayen Islands',
        '9621 880720',
      ],
    ])
  })

  it(`dim_staff joins the department, says Unknown for no location, and keeps O'Keefe`, async () => {
    const department = `
      select id as department_id, name as department_name, location, 'A. Manager' as manager, ${stamps}
      from (values (1, 'Sales', 'Manchester'), (2, 'Facilities', null)) as made (id, name, location)`
    const staff = `
      select
        id as staff_id, first as first_name, last as last_name, department as department_id,
        email as email_address, ${stamps}
      from (values
        (1, 'Jeremie', 'O''Keefe', 1, 'jeremie.o''keefe@terrifictotes.com'),
        (2, 'Deron', 'Beier', 2, 'deron.beier@terrifictotes.com'),
        (3, 'No', 'Department', 9, 'no.department@terrifictotes.com')
      ) as made (id, first, last, department, email)
      order by id`
    expect((await run('dim_staff', { department, staff })).toSorted(byFirst)).toEqual([
      [1, 'Jeremie', `O'Keefe`, 'Sales', 'Manchester', `jeremie.o'keefe@terrifictotes.com`],
      [2, 'Deron', 'Beier', 'Facilities', 'Unknown', 'deron.beier@terrifictotes.com'],
    ])
  })

  it('dim_currency names a currency by its ISO 4217 code, never by position', async () => {
    const currency = `
      select id as currency_id, code as currency_code, ${stamps}
      from (values (1, 'EUR'), (2, 'GBP'), (3, 'USD'), (4, 'JPY'), (5, 'QQQ'), (6, 'TOP'))
        as made (id, code)`
    expect((await run('dim_currency', { currency })).toSorted(byFirst)).toEqual([
      [1, 'EUR', 'Euro'],
      [2, 'GBP', 'Pound Sterling'],
      [3, 'USD', 'US Dollar'],
      [4, 'JPY', 'Yen'],
      [5, 'QQQ', 'QQQ'],
      [6, 'TOP', 'Pa’anga'],
    ])
  })

  it('dim_currency lists no code twice: one row a currency', async () => {
    const [values = ''] = /values\n(.*?)\n\)/s.exec(await modelSql('dim_currency'))?.slice(1) ?? []
    const codes = [...values.matchAll(/\('([A-Z]{3})', /g)].map(([, code]) => code)
    expect(codes.length).toBeGreaterThan(150)
    expect(new Set(codes).size).toBe(codes.length)
    expect(codes).toHaveLength(values.split('\n').length)
  })

  it('dim_design leaves the times out', async () => {
    const design = `
      select
        1 as design_id, timestamp '2022-11-03 14:20:49.962' as created_at, 'Wooden' as design_name,
        '/lib' as file_location, 'wooden-20201128-jdvi.json' as file_name,
        timestamp '2022-11-03 14:20:49.962' as last_updated`
    expect(await run('dim_design', { design })).toEqual([
      [1, 'Wooden', '/lib', 'wooden-20201128-jdvi.json'],
    ])
  })

  it('dim_payment_type', async () => {
    const payment_type = `
      select 1 as payment_type_id, 'SALES_RECEIPT' as payment_type_name, ${stamps}`
    expect(await run('dim_payment_type', { payment_type })).toEqual([[1, 'SALES_RECEIPT']])
  })

  it('dim_transaction keeps the order id that is null', async () => {
    const transaction = `
      select
        id as transaction_id, type as transaction_type, sale as sales_order_id,
        purchase as purchase_order_id, ${stamps}
      from (values (1, 'PURCHASE', null, 2), (2, 'SALE', 5, null), (3, 'SALE', null, null))
        as made (id, type, sale, purchase)`
    expect(await run('dim_transaction', { transaction })).toEqual([
      [1, 'PURCHASE', null, 2],
      [2, 'SALE', 5, null],
      [3, 'SALE', null, null],
    ])
  })
})

describe('dim_date', () => {
  const calendar = async (...dates: string[]): Promise<Json[][]> => {
    const rows = dates.map((date) => `(date '${date}')`).join(', ')
    const named_date = `select * from (values ${rows}) as made (date_id)`
    return (await run('dim_date', { named_date })).toSorted(byFirst)
  }

  it('makes each named year whole and once, leap years with their day', async () => {
    const days = (await calendar('2023-06-10', '2024-02-29', '2024-12-31')).map(([day]) => day)
    expect(days).toHaveLength(365 + 366)
    expect(new Set(days).size).toBe(days.length)
    expect([days[0], days.at(-1)]).toEqual(['2023-01-01', '2024-12-31'])
    expect(days).toContain('2024-02-29')
    expect(days).not.toContain('2023-02-29')
  })

  it('knows that 2000 was a leap year and 1900 was not, and makes no year between', async () => {
    const days = (await calendar('1900-05-05', '2000-05-05')).map(([day]) => day)
    expect(days).toHaveLength(365 + 366)
    expect(days).toContain('2000-02-29')
  })

  it('reaches the first and the last year that a text date can name', async () => {
    const days = (await calendar('0001-01-01', '9999-12-31')).map(([day]) => day)
    expect([days[0], days.at(-1), days.length]).toEqual(['0001-01-01', '9999-12-31', 730])
  })

  it('counts weekdays as ISO does, Monday 1 to Sunday 7, and names them in English', async () => {
    const days = await calendar('2024-06-10')
    const week = days.filter((day) => first(day) >= '2024-02-26' && first(day) <= '2024-03-03')
    expect(week).toEqual([
      ['2024-02-26', 2024, 2, 26, 1, 'Monday', 'February', 1],
      ['2024-02-27', 2024, 2, 27, 2, 'Tuesday', 'February', 1],
      ['2024-02-28', 2024, 2, 28, 3, 'Wednesday', 'February', 1],
      ['2024-02-29', 2024, 2, 29, 4, 'Thursday', 'February', 1],
      ['2024-03-01', 2024, 3, 1, 5, 'Friday', 'March', 1],
      ['2024-03-02', 2024, 3, 2, 6, 'Saturday', 'March', 1],
      ['2024-03-03', 2024, 3, 3, 7, 'Sunday', 'March', 1],
    ])
  })

  it('puts the months into quarters', async () => {
    const days = await calendar('2024-06-10')
    const quarters = new Map(days.map(([, , month, , , , , quarter]) => [month, quarter]))
    expect([...quarters.values()]).toEqual([1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4])
  })

  it('is empty while no date is named', async () => {
    const named_date = `select null::date as date_id where false`
    expect(await run('dim_date', { named_date })).toEqual([])
  })
})

const change = (operation: string, ordinal: number): string => `
  '${operation}' as _operation, 42::bigint as _batch,
  timestamptz '2026-11-20 12:00:00.123456+00' as _captured_at, ${ordinal}::bigint as _ordinal`

const salesOrder = (columns: Record<string, string>, operation = 'insert', ordinal = 1): string => `
  select ${list({
    sales_order_id: '1',
    created_at: `timestamp '2022-11-03 14:20:52.186'`,
    last_updated: `timestamp '2022-11-03 23:59:59.999'`,
    design_id: '9',
    staff_id: '13',
    counterparty_id: '18',
    units_sold: '84754',
    unit_price: '2.43::decimal(10, 2)',
    currency_id: '3',
    agreed_delivery_date: `'2022-11-10'`,
    agreed_payment_date: `'2022-11-03'`,
    agreed_delivery_location_id: '4',
    ...columns,
  })}, ${change(operation, ordinal)}`

const purchaseOrder = (columns: Record<string, string>): string => `
  select ${list({
    purchase_order_id: '1',
    created_at: `timestamp '2022-11-03 14:20:52.187'`,
    last_updated: `timestamp '2022-11-03 00:00:00'`,
    staff_id: '12',
    counterparty_id: '11',
    item_code: `'ZDOI5EA'`,
    item_quantity: '371',
    item_unit_price: '361.39::decimal(10, 2)',
    currency_id: '2',
    agreed_delivery_date: `'2022-11-09'`,
    agreed_payment_date: `'2022-11-07'`,
    agreed_delivery_location_id: '6',
    ...columns,
  })}, ${change('insert', 1)}`

const payment = (columns: Record<string, string>, operation = 'insert', ordinal = 1): string => `
  select ${list({
    payment_id: '2',
    created_at: `timestamp '2022-11-03 14:20:52.187'`,
    last_updated: `timestamp '2022-11-07 07:55:11.885'`,
    transaction_id: '2',
    counterparty_id: '15',
    payment_amount: '99999999.99::decimal(10, 2)',
    currency_id: '2',
    payment_type_id: '3',
    paid: 'false',
    payment_date: `'2022-11-04'`,
    company_ac_number: '67305075',
    counterparty_ac_number: '31622269',
    ...columns,
  })}, ${change(operation, ordinal)}`

describe('facts', () => {
  it('fact_sales_order splits times to the millisecond and passes every operation through', async () => {
    const change_sales_order = [
      salesOrder({}),
      salesOrder({ staff_id: '14' }, 'update', 2),
      salesOrder({ staff_id: '14' }, 'delete', 3),
    ].join(' union all ')
    const version = (staff: number, operation: string, ordinal: string): Json[] => [
      1,
      '2022-11-03',
      '14:20:52.186',
      '2022-11-03',
      '23:59:59.999',
      staff,
      18,
      84754,
      '2.43',
      3,
      9,
      '2022-11-03',
      '2022-11-10',
      4,
      operation,
      '2026-11-20 12:00:00.123456+00',
      ordinal,
    ]
    expect(await run('fact_sales_order', { change_sales_order })).toEqual([
      version(13, 'insert', '1'),
      version(14, 'update', '2'),
      version(14, 'delete', '3'),
    ])
  })

  it('fact_purchase_orders has delivery before payment, and midnight as a time', async () => {
    expect(await run('fact_purchase_orders', { change_purchase_order: purchaseOrder({}) })).toEqual(
      [
        [
          1,
          '2022-11-03',
          '14:20:52.187',
          '2022-11-03',
          '00:00:00',
          12,
          11,
          'ZDOI5EA',
          371,
          '361.39',
          2,
          '2022-11-09',
          '2022-11-07',
          6,
          'insert',
          '2026-11-20 12:00:00.123456+00',
          '1',
        ],
      ],
    )
  })

  it('fact_payment keeps cents exact, drops account numbers, passes a delete through', async () => {
    const change_payment = [payment({}), payment({ paid: 'true' }, 'delete', 2)].join(' union all ')
    const version = (paid: boolean, operation: string, ordinal: string): Json[] => [
      2,
      '2022-11-03',
      '14:20:52.187',
      '2022-11-07',
      '07:55:11.885',
      2,
      15,
      '99999999.99',
      2,
      3,
      paid,
      '2022-11-04',
      operation,
      '2026-11-20 12:00:00.123456+00',
      ordinal,
    ]
    expect(await run('fact_payment', { change_payment })).toEqual([
      version(false, 'insert', '1'),
      version(true, 'delete', '2'),
    ])
  })

  const bad = [
    '2024-02-30',
    '2023-02-29',
    '',
    ' ',
    'TBC',
    '10/06/2024',
    'epoch',
    'infinity',
    '-infinity',
    'today',
    '2024-2-3',
    '2024-02-3 ',
    ' 2024-02-03',
    '2024-02-03 ',
    '2024-02-03\n',
    '2024-02-03T00:00',
    '20240203',
    '0000-01-01',
    '12024-02-03',
    '-024-02-03',
    '２０２４-02-03',
    '2024-13-01',
    '2024-00-10',
  ]
  const good = ['2024-02-29', '2022-11-03', '0001-01-01', '9999-12-31']
  const text = (date: string): string => `'${date}'`

  const sources = {
    fact_sales_order: { view: 'change_sales_order', row: salesOrder },
    fact_purchase_orders: { view: 'change_purchase_order', row: purchaseOrder },
    fact_payment: { view: 'change_payment', row: payment },
  } as const

  it.each([
    { table: 'fact_sales_order', column: 'agreed_payment_date', at: 11 },
    { table: 'fact_sales_order', column: 'agreed_delivery_date', at: 12 },
    { table: 'fact_purchase_orders', column: 'agreed_delivery_date', at: 11 },
    { table: 'fact_purchase_orders', column: 'agreed_payment_date', at: 12 },
    { table: 'fact_payment', column: 'payment_date', at: 11 },
  ] as const)('$table reads $column strictly: bad text is null', async ({ table, column, at }) => {
    const { view, row } = sources[table]
    const changes = [...bad, ...good].map((date) => row({ [column]: text(date) }))
    const dates = (await run(table, { [view]: changes.join(' union all ') })).map(
      (each) => each[at],
    )
    expect(dates).toEqual([...bad.map(() => null), ...good])
  })

  it.each([
    { table: 'fact_sales_order' },
    { table: 'fact_purchase_orders' },
    { table: 'fact_payment' },
  ] as const)('$table gives null for moments no calendar has', async ({ table }) => {
    const { view, row } = sources[table]
    const moments = ['infinity', '-infinity', '0001-12-31 (BC) 23:59:59']
    const changes = moments.map((moment) =>
      row({ created_at: `timestamp '${moment}'`, last_updated: `timestamp '${moment}'` }),
    )
    const rows = await run(table, { [view]: changes.join(' union all ') })
    expect(rows.map((each) => each.slice(1, 5))).toEqual(
      moments.map(() => [null, null, null, null]),
    )
  })
})

describe('fact_exchange_rate', () => {
  it('renames the pair and keeps every digit of the rate', async () => {
    const change_exchange_rate = `
      select 'USD' as base, 'GBP' as quote, date '2026-11-20' as rate_date,
        0.7912345678::decimal(20, 10) as rate, 'a bank' as source, 'update' as _operation,
        2 as _batch, timestamptz '2026-11-20 12:00:00+00' as _captured_at, 7 as _ordinal`
    expect(await run('fact_exchange_rate', { change_exchange_rate })).toEqual([
      [
        'USD',
        'GBP',
        '2026-11-20',
        '0.7912345678',
        'a bank',
        'update',
        '2026-11-20 12:00:00+00',
        '7',
      ],
    ])
  })

  it.each([
    ['USD', 'GBP', '2026-11-20', '0.79', 'a bank', []],
    ['USD', 'GBP', '1970-01-01', '0.00000001', 'a bank', []],
    ['usd', 'GBP', '2026-11-20', '0.79', 'a bank', ['base_three_letters']],
    ['USD', 'GB', '2026-11-20', '0.79', 'a bank', ['quote_three_letters']],
    ['USD', 'USD', '2026-11-20', '1', 'a bank', ['two_currencies']],
    ['USD', 'GBP', '2026-11-20', '0', 'a bank', ['rate_in_bounds']],
    ['USD', 'GBP', '2026-11-20', '-0.79', 'a bank', ['rate_in_bounds']],
    ['USD', 'GBP', '2026-11-20', '100000001', 'a bank', ['rate_in_bounds']],
    ['USD', 'GBP', '0206-11-20', '0.79', 'a bank', ['date_in_bounds']],
    ['USD', 'GBP', '2106-11-20', '0.79', 'a bank', ['date_in_bounds']],
    ['USD', 'GBP', '9999-12-31', '0.79', 'a bank', ['date_in_bounds']],
    ['USD', 'GBP', '10000-01-01', '0.79', 'a bank', ['date_in_bounds', 'date_in_calendar']],
    ['USD', 'GBP', '2026-11-20', '0.79', ' ', ['source_named']],
  ])(
    'holds %s/%s of %s, %s by “%s” against its checks',
    async (base, quote, day, rate, source, broken) => {
      const { checks = [] } =
        totesys.models.find(({ table }) => table === 'fact_exchange_rate') ?? {}
      const columns = checks.map(({ name, holds }) => `(${holds}) as ${name}`).join(', ')
      const reader = await connection.runAndReadAll(`select ${columns} from (values
      ('${base}', '${quote}', date '${day}', ${rate}::decimal(20, 10), '${source}'))
      as r (base_currency, quote_currency, rate_date, rate, source)`)
      const [held = {}] = reader.getRowObjectsJson()
      expect(Object.keys(held).filter((name) => held[name] !== true)).toEqual(broken)
    },
  )
})

function list(columns: Record<string, string>): string {
  return Object.entries(columns)
    .map(([name, sql]) => `${sql} as ${name}`)
    .join(', ')
}

function byFirst(a: Json[], b: Json[]): number {
  return first(a) < first(b) ? -1 : 1
}

function first([value]: Json[]): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}
