import { readdirSync } from 'node:fs'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createDatabase } from '../../../test/support/database.ts'
import {
  ask,
  askByHand,
  asOf,
  headerOf,
  readRows,
  textOf,
} from '../../../test/support/questions/ask.ts'
import { RUNS } from '../../../test/support/questions/history.ts'
import { askLake, openLake, TODAY } from '../../../test/support/questions/lake.ts'
import { RATES } from '../../../test/support/questions/rates.ts'
import { loadRates } from '../../../test/support/rates.ts'
import { insertOrders, seedTotesys } from '../../../test/support/small-totesys.ts'
import { createSystem, type TestSystem } from '../../../test/support/system.ts'
import { fillTotesys } from '../../../test/support/totesys-source/fill.ts'
import type { DuckDb } from '../../platform/io/duckdb.ts'
import { readQuestions } from '../../platform/presentation/question.ts'
import { findForbidden } from '../../platform/presentation/statement-guard.ts'
import { migrate } from '../../platform/warehouse/migrate.ts'
import { openWarehouse } from '../../platform/warehouse/warehouse.ts'
import { totesys } from '../totesys.ts'

const questions = [...readQuestions(new URL('./', import.meta.url)).values()]

type Filters = Record<string, string>

/** A value for each filter. It must change every answer that knows the filter. */
const VALUES: Filters = {
  from: '2026-10-22',
  to: '2026-10-28',
  currency: 'USD',
  department: 'Production',
  counterparty: '3',
  design: '2',
  today: '2026-10-23',
  in: 'EUR',
  by: 'day',
  against: 'none',
}
/** When each of the runs captures. */
const CAPTURED = ['10-20 12:00', '10-24 12:00', '10-27 12:00', '10-29 12:00', '10-30 15:00'].map(
  (at) => new Date(`2026-${at}Z`),
)

/** What Totesys is filled with before the first run. */
const FILL = { seed: 5, salesOrders: 150, until: new Date('2026-10-30T12:00:00Z') }

/** Questions that have no rows without `in`. */
const IN_ONE = /^r01_|_in_one_currency$/

/** The filters without which a question has little to say. */
function baseOf(name: string): Filters {
  if (name === 's12_order_versions') return { order_id: '11' }
  if (name === 's15_books_as_of') return asOfThen(after2)
  const own: Filters = {
    ...(/^(s01|s16|y08)_|^overview_payments$/.test(name) ? { from: VALUES['from']! } : {}),
    ...(/^p06_|^overview_purchases$/.test(name) ? { from: '2026-10-24' } : {}),
    ...(IN_ONE.test(name) ? { in: 'GBP' } : {}),
  }
  return headerOf(name).filters.includes('today') ? { ...own, today: TODAY } : own
}

/** Not a literal, because an object with a key `then` looks like a promise. */
function asOfThen(moment: string): Filters {
  return Object.fromEntries(['then'].map((filter) => [filter, moment]))
}

/** Another value for a filter, one that changes this question's answer. */
function valueOf(name: string, filter: string): string {
  if (filter === 'order_id') return '5'
  if (filter === 'then' || filter === 'as_of') return after2
  // Nothing was noticed to change before the second run, or to be deleted before the third.
  if (/^s1[037]_/.test(name) && filter === 'from') return '2026-10-28'
  // The items' last whole month is September.
  if (name === 'p03_item_prices' && filter === 'today') return '2026-09-30'
  return VALUES[filter]!
}

let system: TestSystem
let lake: DuckDb
let warehouse: pg.Client
/** When the second batch was captured. */
let after2 = ''

beforeAll(async () => {
  let capturedAt = CAPTURED[0]!
  system = await createSystem({ simulatedTime: () => capturedAt })
  await fillTotesys(system.sql, FILL)
  for (const [index, changes] of RUNS.entries()) {
    await system.sql.query(changes)
    capturedAt = CAPTURED[index]!
    await system.run()
  }
  const records = await system.records()
  after2 = records[1]!.snapshot.takenAt
  lake = await openLake(system)
  warehouse = await system.warehouse.client()
  await warehouse.query(`set timezone = 'UTC'`)
  await loadRates(warehouse, RATES)
})
afterAll(async () => {
  await lake[Symbol.asyncDispose]()
  await system[Symbol.asyncDispose]()
})

describe('each question', () => {
  it('s15_books_as_of says that nothing was known then if there is no `then`', async () => {
    const rows = await ask(warehouse, 's15_books_as_of')
    expect(rows.length).toBeGreaterThan(0)
    for (const row of rows) expect(row).toMatchObject({ orders_then: '0', amount_then: '0.00' })
  })

  it('is a file with a whole header, and the numbers have no gap', () => {
    const files = readdirSync(new URL('.', import.meta.url))
      .filter((file) => file.endsWith('.sql') && !file.startsWith('headline_'))
      .map((file) => file.slice(0, -4))
    const names = questions.map(({ name }) => name)
    expect(names.toSorted()).toEqual(files.toSorted())
    expect(names.map((name) => name.slice(0, 3))).toEqual(
      Object.entries({ o: 1, p: 6, r: 1, s: 17, y: 8 }).flatMap(([letter, count]) =>
        Array.from({ length: count }, (_, index) => letter + String(index + 1).padStart(2, '0')),
      ),
    )
    for (const { name } of questions) {
      const header = headerOf(name)
      expect(header).toMatchObject({
        name,
        question: expect.stringMatching(/\?$/),
        grain: expect.stringMatching(/^one row per .+\.$/),
        unit: expect.stringMatching(/\.$/),
      })
      const used = new Set(Array.from(textOf(name).matchAll(/:'(\w+)'/g), ([, filter]) => filter))
      const canGoBack = /fact_\w+_current/.test(textOf(name))
      if (canGoBack && header.filters.includes('as_of')) used.add('as_of')
      expect(new Set(header.filters), name).toEqual(used)
    }
  })

  it('names the currency of every amount and price it gives', async () => {
    const nameless: string[] = []
    for (const { name } of questions) {
      const { fields } = await warehouse.query({
        text: asOf(textOf(name), {}).replaceAll(/:'\w+'/g, `''`),
        rowMode: 'array',
      })
      const columns = fields.map((field) => field.name)
      const isMoney = columns.some((column) => /amount|price/.test(column))
      if (isMoney && !columns.includes('currency_code')) nameless.push(name)
      expect(new Set(columns).size, name).toBe(columns.length)
    }
    expect(nameless).toEqual([])
  })

  it('is answered to the role that may only read', async () => {
    const readerRole = `${system.warehouse.name}_asks`
    await warehouse.query(`create role ${readerRole}`)
    await using opened = await openWarehouse({ ...system.deps.warehouse, readerRole })
    await migrate(opened, totesys, { waitMs: 1000 })
    await warehouse.query(`set role ${readerRole}`)
    try {
      for (const { name } of questions) {
        expect(await ask(warehouse, name, baseOf(name)), name).not.toEqual([])
        if (!headerOf(name).filters.includes('as_of')) continue
        await ask(warehouse, name, { ...baseOf(name), as_of: after2 })
      }
    } finally {
      await warehouse.query(`reset role; drop owned by ${readerRole}; drop role ${readerRole}`)
    }
  })

  it('takes two ids with one code for one currency', async () => {
    let capturedAt = CAPTURED[0]!
    await using split = await createSystem({ simulatedTime: () => capturedAt })
    const { sql } = split
    await fillTotesys(sql, FILL)
    // Every other row, now and later, has the second id of its currency. The runs rotate the ids by
    // their remainder by 3.
    await sql.query(`
      insert into currency
      select currency_id + 30, currency_code, created_at, last_updated from currency`)
    for (const table of ['sales_order', 'purchase_order', 'payment']) {
      await sql.query(`
        create function split_${table}() returns trigger language plpgsql as $$ begin
          new.currency_id := new.currency_id % 30 + 30 * (new.${table}_id % 2);
          return new;
        end $$;
        create trigger split before insert or update on ${table}
          for each row execute function split_${table}();
        update ${table} set currency_id = currency_id`)
    }
    for (const [index, changes] of RUNS.entries()) {
      await sql.query(changes)
      capturedAt = CAPTURED[index]!
      await split.run()
    }
    const other = await split.warehouse.client()
    await other.query(`set timezone = 'UTC'`)
    await loadRates(other, RATES)
    const otherAfter2 = (await split.records())[1]!.snapshot.takenAt
    // What depends on when this test ran, and on the order of rows in the source.
    const isOwn = (column: string) => /_at$|^valid_|record_id$/.test(column)
    for (const { name } of questions) {
      if (name.startsWith('o')) continue
      const base = baseOf(name)
      const one = await ask(warehouse, name, base)
      const two = await ask(other, name, {
        ...base,
        ...('then' in base ? asOfThen(otherAfter2) : {}),
      })
      const plain = (rows: typeof one) =>
        rows.map((row) => Object.entries(row).filter(([column]) => !isOwn(column)))
      expect(plain(two), name).toEqual(plain(one))
    }
  })

  it('names nothing that Ask with SQL would refuse', async () => {
    for (const { name } of questions) {
      expect(await findForbidden(warehouse, textOf(name)), name).toBeUndefined()
    }
  })

  it('has no rows from an empty warehouse, and does not fail', async () => {
    await using empty = await createDatabase({ template: 'empty' })
    await using opened = await openWarehouse({ ...system.deps.warehouse, url: empty.url })
    await migrate(opened, totesys, { waitMs: 1000 })
    for (const { name } of questions) {
      expect(await ask(opened.client, name), name).toEqual([])
      expect(await ask(opened.client, name, baseOf(name)), name).toEqual([])
    }
  })
})

const compared = [
  ...questions.map(({ name }) => name).filter((name) => name !== 'o01_freshness'),
  'overview_purchases',
  'overview_payments',
]

describe.each(compared)('%s', (name) => {
  const { filters } = headerOf(name)

  it('says what the source says', async () => {
    const rows = await ask(warehouse, name, baseOf(name))
    expect(rows).toEqual(await askLake(lake, name, baseOf(name)))
    expect(rows).not.toEqual([])
  })

  it('is the same by hand, with an empty text for each omitted filter', async () => {
    const given = baseOf(name)
    expect(await askByHand(warehouse, name, given)).toEqual(await ask(warehouse, name, given))
    const none = Object.fromEntries(filters.map((filter) => [filter, '']))
    expect(await ask(warehouse, name, none)).toEqual(await ask(warehouse, name))
  })

  // Its months are those of this run, and no capture is newer: cover.pg.test.ts sets the clock.
  const changing = filters.filter((filter) => name !== 's10_order_changes' || filter !== 'today')

  it.each(changing)('filters by %s', async (filter) => {
    const base = baseOf(name)
    const given = { ...base, [filter]: valueOf(name, filter) }
    const { [filter]: _, ...without } = base
    const other = base[filter] === given[filter] ? without : base
    const rows = await ask(warehouse, name, given)
    expect(rows).toEqual(await askLake(lake, name, given))
    expect(rows).not.toEqual(await ask(warehouse, name, other))
  })

  it('takes several filters together', async () => {
    const given = { ...baseOf(name) }
    for (const filter of ['from', 'to', 'currency', 'counterparty'].slice(
      filters.length > 6 ? 0 : 2,
    )) {
      if (filters.includes(filter)) given[filter] = valueOf(name, filter)
    }
    expect(await ask(warehouse, name, given)).toEqual(await askLake(lake, name, given))
  })

  it('has no rows if nothing meets the filters', async () => {
    const nothing = filters.includes('currency') ? { currency: 'XXX' } : { order_id: '999999' }
    expect(await ask(warehouse, name, { ...baseOf(name), ...nothing })).toEqual([])
    if (!filters.includes('from')) return
    const never = { ...baseOf(name), from: '2026-10-29', to: '2026-10-22' }
    expect(await ask(warehouse, name, never)).toEqual([])
  })

  it.runIf(filters.includes('as_of'))('knew nothing before the first batch', async () => {
    const given = { ...baseOf(name), as_of: '2020-01-01T00:00:00Z' }
    expect(await ask(warehouse, name, given)).toEqual([])
  })
})

describe('s01_sales_by_currency', () => {
  it('has no period before without from, and one up to today without to', async () => {
    const [all] = await ask(warehouse, 's01_sales_by_currency', { currency: 'USD' })
    expect(all).toMatchObject({ orders_before: null, units_before: null, amount_before: null })
    const open = { currency: 'USD', from: '2026-10-29', today: '2026-10-30' }
    const closed = { ...open, to: '2026-10-30', today: '2000-01-01' }
    expect(await ask(warehouse, 's01_sales_by_currency', open)).toEqual(
      await ask(warehouse, 's01_sales_by_currency', closed),
    )
  })
})

describe.each(['s02_sales_by_week', 'p01_spend_by_week', 'y03_due_by_week'])('%s', (name) => {
  it.each([
    ['that ended yesterday', { today: '2026-10-26' }, true],
    ['that ends today', { today: '2026-10-25' }, false],
    ['that the filters just hold', { from: '2026-10-19', to: '2026-10-25' }, true],
    ['that `from` cuts', { from: '2026-10-20' }, false],
    ['that `to` cuts', { to: '2026-10-24' }, false],
  ])('knows whether a week is complete %s', async (_, filters: Filters, isComplete) => {
    const given = { today: TODAY, ...filters }
    const rows = await ask(warehouse, name, given)
    expect(rows).toEqual(await askLake(lake, name, given))
    const week = rows.find((row) => row['week_start'] === '2026-10-19')
    expect(week).toMatchObject({ is_complete: String(isComplete) })
  })
})

describe.each(compared.filter((name) => headerOf(name).filters.includes('by')))('%s', (name) => {
  it.each(['day', 'week', 'month', 'quarter', 'year'])('draws by %s', async (by) => {
    for (const more of [{}, { from: '2026-09-30' }, { to: '2026-10-25' }, { as_of: after2 }]) {
      if ('as_of' in more && !headerOf(name).filters.includes('as_of')) continue
      const given = { ...baseOf(name), by, ...more }
      const rows = await ask(warehouse, name, given)
      expect(rows).toEqual(await askLake(lake, name, given))
      // No item was bought in two years, nor in two long steps of a short period.
      const isFew = name === 'p03_item_prices'
      expect(rows.length > 0 || isFew).toBe(true)
    }
  })

  it
    .runIf(!IN_ONE.test(name) && headerOf(name).filters.includes('in'))
    .each(['day', 'week', 'month', 'quarter', 'year'])(
    'is converted into one currency by %s',
    async (by) => {
      for (const code of ['GBP', 'EUR', 'USD', 'CHF', 'XXX']) {
        for (const more of [{}, { currency: 'USD' }, { from: '2026-08-20', to: '2026-10-25' }]) {
          const given = { ...baseOf(name), by, in: code, ...more }
          const rows = await ask(warehouse, name, given)
          expect(rows).toEqual(await askLake(lake, name, given))
          expect(new Set(rows.map((row) => row['currency_code']))).toEqual(new Set([code]))
        }
      }
    },
  )

  it('takes the step of its header without `by`', async () => {
    const standard = /^(s10|p03)_/.test(name) ? 'month' : 'week'
    const rows = await ask(warehouse, name, { ...baseOf(name), by: standard })
    expect(rows).toEqual(await ask(warehouse, name, baseOf(name)))
  })
})

describe.each(['s05_sales_by_staff', 's06_biggest_customers', 'p02_biggest_suppliers'])(
  '%s',
  (name) => {
    it.each(['GBP', 'EUR', 'USD', 'CHF', 'XXX'])('ranks by the amount in %s', async (code) => {
      for (const more of [
        {},
        { currency: 'USD' },
        { from: '2026-08-20', to: '2026-10-25' },
        { department: valueOf(name, 'department') },
        { as_of: after2 },
      ]) {
        const given = { ...baseOf(name), in: code, ...more }
        const rows = await ask(warehouse, name, given)
        expect(rows).toEqual(await askLake(lake, name, given))
        expect(new Set(rows.map((row) => row['currency_code']))).toEqual(new Set([code]))
        // There is no rate into a currency that does not exist.
        expect(rows.some((row) => row['amount'] !== null)).toBe(code !== 'XXX')
      }
    })
  },
)

describe('equal rows', () => {
  it.each([
    's03_best_designs',
    's05_sales_by_staff',
    's06_biggest_customers',
    's07_sales_by_country',
    's09_prices_by_design',
    'p02_biggest_suppliers',
    'p05_both_ways',
    'y07_payment_mismatches',
  ])('of %s come in the order of their keys', async (name) => {
    const day = { from: '2026-09-02', to: '2026-09-02', today: '2026-09-04' }
    const rows = await ask(warehouse, name, day)
    expect(rows).toEqual(await askLake(lake, name, day))
  })
})

describe('without today', () => {
  it.each(['y01_last_payments', 'y02_next_payments', 'y04_overdue_by_age', 's04_rising_designs'])(
    '%s takes the day it is in UTC',
    async (name) => {
      // An hour at which it is another day to the west.
      await warehouse.query(`set timezone = 'Etc/GMT+12'`)
      const [now] = await readRows(warehouse, {
        text: `select (now() at time zone 'utc')::date::text as today`,
      })
      const rows = await ask(warehouse, name)
      await warehouse.query(`set timezone = 'UTC'`)
      expect(rows).toEqual(await ask(warehouse, name, { today: now!['today']! }))
    },
  )
})

describe('s10_order_changes and s14_value_changes', () => {
  it('count an order as created again if its return was refused at first', async () => {
    await using small = await createSystem()
    await seedTotesys(small.sql)
    await small.run()
    for (const change of [
      'delete from sales_order where sales_order_id = 2',
      `${insertOrders([[2, 40]])};
       update sales_order set agreed_payment_date = 'soon' where sales_order_id = 2`,
      `update sales_order set agreed_payment_date = '2024-02-02' where sales_order_id = 2`,
    ]) {
      await small.sql.query(change)
      await small.run()
    }
    expect(
      await small.query('select record_operation from fact_sales_order where sales_order_id = 2'),
    ).toEqual(['insert', 'delete', 'update'].map((operation) => ({ record_operation: operation })))
    expect(await ask(await small.warehouse.client(), 's14_value_changes')).toEqual([
      {
        currency_code: 'GBP',
        before_amount: '0.00',
        created_amount: '250.00',
        raised_amount: '0.00',
        lowered_amount: '0.00',
        deleted_amount: '-50.00',
        now_amount: '200.00',
      },
    ])
    // Against the version before the deletion, three fields differ. Nobody amended them.
    expect(await ask(await small.warehouse.client(), 's10_order_changes')).toEqual([])
  })

  it('s14_value_changes adds up from what was there before to what there is now, to the cent, under any filter', async () => {
    for (const filter of [
      'none',
      'from',
      'to',
      'currency',
      'department',
      'counterparty',
      'design',
    ]) {
      const rows = await ask(warehouse, 's14_value_changes', { [filter]: VALUES[filter] ?? '' })
      const cents = (amount: string | null | undefined): number =>
        Number(String(amount).replace('.', ''))
      for (const row of rows) {
        const { now_amount, ...steps } = row
        const { currency_code: _, ...amounts } = steps
        const sum = Object.values(amounts)
          .map(cents)
          .reduce((total, amount) => total + amount)
        expect(sum, filter).toBe(cents(now_amount))
      }
      expect(rows.length).toBeGreaterThan(0)
    }
  })
})

describe('worked out by hand', () => {
  let small: TestSystem
  let client: pg.Client
  let after1 = ''
  beforeAll(async () => {
    small = await createSystem()
    await seedTotesys(small.sql)
    await small.run()
    for (const changes of [
      `update sales_order set units_sold = 40 where sales_order_id = 1;
       update sales_order set units_sold = 5 where sales_order_id = 2`,
      `delete from sales_order where sales_order_id = 3;
       update payment set paid = true, last_updated = '2024-02-06 07:55:11'`,
      insertOrders([[3, 31]]),
      `delete from sales_order where sales_order_id = 3;
       insert into currency values (2, 'USD', '2024-01-01', '2024-01-01');
       update sales_order set currency_id = 2 where sales_order_id = 2`,
    ]) {
      await small.sql.query(changes)
      await small.run()
    }
    after1 = (await small.records())[0]!.snapshot.takenAt
    client = await small.warehouse.client()
  })
  afterAll(() => small[Symbol.asyncDispose]())

  const picked = async (name: string, columns: string[], filters?: Filters): Promise<string[]> =>
    (await ask(client, name, filters)).map((row) =>
      columns.map((column) => row[column] ?? '-').join(' '),
    )

  it('s10_order_changes counts the fields of updates alone', async () => {
    expect(await picked('s10_order_changes', ['field', 'changes', 'orders'])).toEqual([
      'currency_id 1 1',
      'units_sold 2 2',
    ])
  })

  it('s12_order_versions tells of deletion and return', async () => {
    const columns = ['version', 'operation', 'units', 'amount', 'currency_code', 'is_current']
    expect(await picked('s12_order_versions', columns, { order_id: '3' })).toEqual([
      '1 insert 30 75.00 GBP false',
      '2 delete 30 75.00 GBP false',
      '3 insert 31 77.50 GBP false',
      '4 delete 31 77.50 GBP false',
    ])
  })

  it('s13_deleted_orders has each deletion', async () => {
    const columns = ['sales_order_id', 'units', 'amount', 'currency_code', 'has_returned']
    expect(await picked('s13_deleted_orders', columns)).toEqual([
      '3 31 77.50 GBP false',
      '3 30 75.00 GBP true',
    ])
  })

  it('s17_amended_orders has each amendment, and no difference between two currencies', async () => {
    const columns = ['sales_order_id', 'what_changed', 'before_amount', 'amount', 'difference']
    expect(await picked('s17_amended_orders', columns)).toEqual([
      '2 currency - 12.50 -',
      '2 units sold 50.00 12.50 -37.50',
      '1 units sold 25.00 100.00 75.00',
    ])
  })

  it('s14_value_changes books a change of currency as lowered here and raised there', async () => {
    const columns = ['currency_code', 'created', 'raised', 'lowered', 'deleted', 'now']
    const named = columns.map((column) =>
      column === 'currency_code' ? column : `${column}_amount`,
    )
    expect(await picked('s14_value_changes', named)).toEqual([
      'GBP 227.50 75.00 -50.00 -152.50 100.00',
      'USD 0.00 12.50 0.00 0.00 12.50',
    ])
  })

  it('s15_books_as_of sets then against now', async () => {
    const columns = ['currency_code', 'orders_then', 'units_then', 'amount_then']
    const now = ['orders_now', 'units_now', 'amount_now', 'amount_change']
    expect(await picked('s15_books_as_of', [...columns, ...now], asOfThen(after1))).toEqual([
      'GBP 3 60 150.00 1 40 100.00 -50.00',
      'USD 0 0 0.00 1 5 12.50 12.50',
    ])
  })

  it('y05_days_late measures from the day due to the day it was marked', async () => {
    const columns = ['days_late', 'payments']
    expect(await picked('y05_days_late', columns)).toEqual(['3 1'])
  })

  it('y07_payment_mismatches finds orders without payment and with another amount', async () => {
    const columns = [
      'problem',
      'order_kind',
      'order_id',
      'order_amount',
      'payment_amount',
      'difference',
    ]
    expect(await picked('y07_payment_mismatches', columns)).toEqual([
      'no payment purchase 1 49.95 - -',
      'different amount sale 1 100.00 99.50 -0.50',
      'no payment sale 2 12.50 - -',
    ])
  })

  /** Runs `work` after changes to the warehouse that nothing else sees. */
  const after = async (changes: string, work: () => Promise<void>): Promise<void> => {
    await client.query('begin')
    try {
      await client.query(changes)
      await work()
    } finally {
      await client.query('rollback')
    }
  }

  it('y05_days_late takes the first version that is paid, though the payment was deleted and came back', async () => {
    const version = (id: number, what: string): string => `
      insert into fact_payment
      select (jsonb_populate_record(f, '{"payment_record_id": ${id}, ${what}}')).*
      from fact_payment as f order by payment_record_id limit 1;`
    const back = `${version(901, '"record_operation": "delete", "paid": true')}
      ${version(902, '"record_operation": "insert", "paid": false')}
      update fact_payment_current set paid = false, record_operation = 'insert';`
    await after(back, async () => {
      const rows = await picked('y05_days_late', ['days_late', 'payments'])
      expect(rows).toEqual(['3 1'])
    })
  })

  it('y07_payment_mismatches adds up the payments of an order, in one currency', async () => {
    const columns = ['problem', 'order_id', 'payments', 'payment_currency_code', 'payment_amount']
    const another = (id: number, what: string): string => `
      insert into fact_payment_current
      select (jsonb_populate_record(f, '{"payment_id": ${id}, ${what}}')).*
      from fact_payment_current as f where payment_id = 1;`
    const of1 = async (): Promise<string[]> =>
      (await picked('y07_payment_mismatches', columns)).filter((row) => / 1 [2-9]/.test(row))
    await after(another(2, '"payment_amount": 0.50'), async () => {
      expect(await of1()).toEqual([])
    })
    await after(another(2, '"payment_amount": 100'), async () => {
      expect(await of1()).toEqual(['different amount 1 2 GBP 199.50'])
    })
    const exact = `update fact_payment_current set payment_amount = 100;`
    await after(exact + another(2, '"payment_amount": 100'), async () => {
      expect(await of1()).toEqual(['different amount 1 2 GBP 200.00'])
    })
    await after(exact + another(2, '"currency_id": 2'), async () => {
      expect(await of1()).toEqual(['different currency 1 2 - -'])
    })
    const twoTransactions = `insert into dim_transaction
      select 77, transaction_type, sales_order_id, purchase_order_id from dim_transaction
      where sales_order_id = 1;`
    await after(exact + twoTransactions + another(2, '"transaction_id": 77'), async () => {
      expect(await of1()).toEqual(['different amount 1 2 GBP 200.00'])
    })
  })

  it.each([1, 2, 3, 4, 5, 6, 7, 8, 9])(
    's09_prices_by_design finds the quartiles that Postgres finds, in %i orders',
    async (orders) => {
      const sold = `delete from fact_sales_order_current where sales_order_id > 1;
        insert into fact_sales_order_current
        select (jsonb_populate_record(f, jsonb_build_object(
            'sales_order_id', n, 'design_id', 1, 'unit_price', n * n % 7 + 1))).*
        from fact_sales_order_current as f cross join generate_series(2, ${orders}) as n;`
      await after(sold, async () => {
        const columns = ['orders', 'lower_quartile', 'median_price', 'upper_quartile']
        const { rows } = await client.query<{ found: string }>(`
          select array_to_string(count(*)::text || (percentile_disc(array[0.25, 0.5, 0.75])
              within group (order by unit_price))::text[], ' ') as found
          from fact_sales_order_current`)
        const found = rows.map((row) => row.found)
        expect(await picked('s09_prices_by_design', columns)).toEqual(found)
      })
    },
  )
})

describe('o01_freshness', () => {
  it('shows the lag of each batch, and whether it kept the promise to the second', async () => {
    await using empty = await createDatabase({ template: 'empty' })
    await using opened = await openWarehouse({ ...system.deps.warehouse, url: empty.url })
    const { client } = opened
    await migrate(opened, totesys, { waitMs: 1000 })
    await client.query(`
      insert into tidemark_ledger (batch_id, generation, snapshot_at, loaded_at, run_id, row_counts)
      values (1, 'g', '2026-10-01 10:00+00', '2026-10-01 10:00:05.5+00', 'r', '{}'),
          (2, 'g', '2026-10-01 23:59+00', '2026-10-02 00:29+00', 'r', '{}'),
          (3, 'g', '2026-10-02 00:01+00', '2026-10-02 00:31:00.001+00', 'r', '{}')`)
    const asked = async (filters?: Filters): Promise<string[]> =>
      (await ask(client, 'o01_freshness', filters)).map((row) =>
        ['batch_id', 'lag_seconds', 'seconds_since_previous', 'is_within_promise']
          .map((column) => row[column] ?? '-')
          .join(' '),
      )
    const rows = ['1 5.500 - true', '2 1800.000 50340.000 true', '3 1800.001 120.000 false']
    expect(await asked()).toEqual(rows)
    expect(await asked({ from: '2026-10-02' })).toEqual(rows.slice(2))
    expect(await asked({ to: '2026-10-01' })).toEqual(rows.slice(0, 2))
    expect(await asked({ from: '2026-10-03' })).toEqual([])

    await client.query(`
      insert into tidemark_ledger (batch_id, generation, snapshot_at, loaded_at, run_id, row_counts)
      select n, 'g', moment, moment, 'r', '{}'
      from generate_series(4, 210) as n
      cross join lateral (select timestamptz '2026-10-03 00:00+00' + n * interval '1 minute')
          as m (moment)`)
    const newest = await asked()
    expect(newest).toHaveLength(200)
    expect(newest[0]).toMatch(/^11 /)
  })

  it('has a row for every batch of a real warehouse', async () => {
    const rows = await ask(warehouse, 'o01_freshness')
    const records = await system.records()
    expect(records).toHaveLength(RUNS.length)
    expect(rows.map(({ batch_id }) => Number(batch_id))).toEqual(records.map(({ batch }) => batch))
    for (const row of rows) expect(Number(row['lag_seconds'])).toBeLessThan(120)
  })
})
