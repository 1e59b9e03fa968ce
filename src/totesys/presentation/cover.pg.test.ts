import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ask, asOf, headerOf } from '../../../test/support/questions/ask.ts'
import { type AnsweredRow, askLake, openLake } from '../../../test/support/questions/lake.ts'
import { RATES } from '../../../test/support/questions/rates.ts'
import { loadRates } from '../../../test/support/rates.ts'
import { seedTotesys } from '../../../test/support/small-totesys.ts'
import { createSystem, type TestSystem } from '../../../test/support/system.ts'
import type { DuckDb } from '../../platform/io/duckdb.ts'
import { readQuestions } from '../../platform/presentation/question.ts'
import { dashboard } from './pages.ts'

type Filters = Record<string, string>

/** Long after everything that happens here. */
const TODAY = '2026-11-30'

/** The first day with an order, or with a payment due, as of each batch: a Monday in the end. */
const FIRST = ['2025-12-03', '2025-12-02', '2025-12-01'] as const
/** The newest day on which an order was placed and a payment was created: a Monday in the end. */
const NEWEST = ['2026-05-29', '2026-05-31', '2026-06-01'] as const

/**
 * The questions that compare a period with the one before, each with the filters for which the one
 * before begins on a day.
 */
const COMPARED: Readonly<Record<string, (day: string) => Filters>> = {
  s01_sales_by_currency: weekAfterOneFrom,
  s04_rising_designs: (day) => ({ today: later(day, 56) }),
  s16_sales_in_one_currency: weekAfterOneFrom,
  p06_purchases_in_one_currency: weekAfterOneFrom,
  y08_payments_in_one_currency: weekAfterOneFrom,
  overview_purchases: weekAfterOneFrom,
  overview_payments: weekAfterOneFrom,
}

/** The questions that say whether their weeks or months are whole, each with the column of these. */
const DRAWN: Readonly<Record<string, string>> = {
  s02_sales_by_week: 'week_start',
  p01_spend_by_week: 'week_start',
  y03_due_by_week: 'week_start',
  p03_item_prices: 'month',
}

/** Those that go by the days of rates and captures. Each has a test of its own below. */
const DRAWN_BY_OTHER_DAYS = ['r01_rates', 's10_order_changes']

/** The week or month of a column that the data begin in, and the one that they end in. */
const FIRST_OF: Filters = { week_start: '2025-12-01', month: '2025-12-01' }
const LAST_OF: Filters = { week_start: '2026-05-25', month: '2026-05-01' }

function weekAfterOneFrom(day: string): Filters {
  return { from: later(day, 7), to: later(day, 13) }
}

function later(day: string, days: number): string {
  return new Date(Date.parse(day) + days * 86_400_000).toISOString().slice(0, 10)
}

/** Sales, purchases and payments on each day. Those of the first and last days are in dollars. */
const onDays = (first: string, last: string): string => `
  insert into sales_order
  select d, day + time '10:00', day + time '10:00', 1, 1, 1 + d % 2, 10 + d % 7, 2.50, code,
      '2026-07-01', '2026-07-01', 1
  from day_between('${first}', '${last}');
  insert into purchase_order
  select d, day + time '10:00', day + time '10:00', 1, 1 + d % 2, 'ITEM' || d % 3, 5 + d % 4,
      9.99 + d % 5, code, '2026-07-01', '2026-07-01', 1
  from day_between('${first}', '${last}');
  insert into transaction
  select d, 'SALE', d, null, day, day from day_between('${first}', '${last}');
  -- With an even number, a payment is due on the day it is created; otherwise 17 days later.
  insert into payment
  select d, day + time '10:00', day + time '10:00', d, 1 + d % 2, 20 + d % 9, code, 1 + d % 2,
      d % 3 = 0, (day + d % 2 * 17)::text, 10000000, 20000000
  from day_between('${first}', '${last}');`

let system: TestSystem
let lake: DuckDb
let warehouse: pg.Client
/** When each batch was captured. */
let moments: string[] = []

beforeAll(async () => {
  let day = 10
  system = await createSystem({ simulatedTime: () => new Date(`2026-06-${day++}T12:00:00Z`) })
  const { sql } = system
  await seedTotesys(sql)
  await sql.query(`
    delete from payment; delete from transaction; delete from sales_order;
    delete from purchase_order;
    insert into currency values (2, 'USD', '2024-01-01', '2024-01-01');
    insert into payment_type values (2, 'PURCHASE_PAYMENT', '2024-01-01', '2024-01-01');
    create function day_between(first date, last date)
    returns table (d integer, day date, code integer) language sql as $$
      -- The first of each day has an even number.
      select (n.day - date '2000-01-01') * 2, n.day,
          case when n.day between '2025-12-04' and '2026-05-28' then 1 + (n.day - first) % 2 else 2 end
      from (select generate_series(first, last, interval '1 day')::date as day) as n
      union all
      select (n.day - date '2000-01-01') * 2 + 1, n.day, 1
      from (select generate_series(first, last, interval '1 day')::date as day) as n
      where n.day between '2025-12-04' and '2026-05-28'
    $$;
    ${onDays(FIRST[0], NEWEST[0])}`)
  await system.run()
  await sql.query(`${onDays(FIRST[1], FIRST[1])} ${onDays(NEWEST[1], NEWEST[1])}
    update sales_order set units_sold = units_sold + 1 where created_at < '2025-12-20'`)
  await system.run()
  await sql.query(`${onDays(FIRST[2], FIRST[2])} ${onDays(NEWEST[2], NEWEST[2])}`)
  await system.run()
  moments = (await system.records()).map(({ snapshot }) => snapshot.takenAt)
  lake = await openLake(system)
  warehouse = await system.warehouse.client()
  await warehouse.query(`set timezone = 'UTC'`)
  await loadRates(warehouse, RATES)
})
afterAll(async () => {
  await lake[Symbol.asyncDispose]()
  await system[Symbol.asyncDispose]()
})

/** Asks the warehouse, and the source's own tables by another query: both must say the same. */
async function askBoth(name: string, given: Filters): Promise<AnsweredRow[]> {
  const known = headerOf(name).filters
  const own = Object.entries({ today: TODAY, in: 'GBP', ...given }).filter(([filter]) =>
    known.includes(filter),
  )
  const filters = Object.fromEntries(own)
  const rows = await ask(warehouse, name, filters)
  expect(rows).toEqual(await askLake(lake, name, filters))
  expect(rows).not.toEqual([])
  return rows
}

/** Asks after changes to the warehouse that nothing else sees. */
async function askAfter(changes: string, name: string, given: Filters): Promise<AnsweredRow[]> {
  await warehouse.query('begin')
  try {
    await warehouse.query(changes)
    return await ask(warehouse, name, given)
  } finally {
    await warehouse.query('rollback')
  }
}

/** What a row says about the period before. Dollars have no rate, so no amount in pounds. */
function beforeOf(row: AnsweredRow): (string | null)[] {
  const isConverted = 'in_currency' in row && row['currency_code'] === 'USD'
  const known = Object.entries(row).filter(
    ([column]) => column.endsWith('_before') && !(isConverted && column.startsWith('amount_')),
  )
  return known.map(([, value]) => value)
}

describe('every question', () => {
  it('that compares periods or draws them is tested here', async () => {
    const comparing: string[] = []
    const drawing: string[] = []
    const found = dashboard.questions.flatMap((folder) => [...readQuestions(folder).values()])
    for (const { name, sql } of found) {
      const text = asOf(sql, {}).replaceAll(/:'\w+'/g, `''`)
      const { fields } = await warehouse.query({ text, rowMode: 'array' })
      const columns = fields.map((field) => field.name)
      if (columns.includes('is_complete')) drawing.push(name)
      if (!columns.some((column) => /_before$|^change_ratio$/.test(column))) continue
      comparing.push(name)
      expect(columns.at(-1), name).toBe('data_since')
    }
    expect(drawing.toSorted()).toEqual([...Object.keys(DRAWN), ...DRAWN_BY_OTHER_DAYS].toSorted())
    // An item's change of price is that from its first month to its last, whatever the period.
    expect(comparing.toSorted()).toEqual([...Object.keys(COMPARED), 'p03_item_prices'].toSorted())
  })
})

describe.each(Object.entries(COMPARED))('%s', (name, periodsFrom) => {
  // As of the first batch. The orders of the first day are in dollars, whatever is asked for.
  const cases = [
    ['begins on the first day of the data', 0, true],
    ['begins one day before the data', -1, false],
    ['has the first day of the data inside', -4, false],
    ['is long after the data begin', 30, true],
  ] as const

  it.each(cases)('compares with the period before if it %s', async (_, shift, isCovered) => {
    for (const currency of ['', 'GBP', 'USD']) {
      const filters = { ...periodsFrom(later(FIRST[0], shift)), as_of: moments[0]! }
      const rows = await askBoth(name, currency === '' ? filters : { ...filters, currency })
      const cells = rows.flatMap((row) => beforeOf(row))
      expect(cells.length).toBeGreaterThan(0)
      expect(new Set(cells.map((cell) => cell !== null))).toEqual(new Set([isCovered]))
      const ratios = rows.filter((row) => typeof row['change_ratio'] === 'string')
      expect(isCovered || ratios.length === 0).toBe(true)
      expect(new Set(rows.map((row) => row['data_since']))).toEqual(new Set([FIRST[0]]))
    }
  })

  it('goes by the data of the moment that is asked for', async () => {
    const filters = periodsFrom(FIRST[1])
    const before = await askBoth(name, { ...filters, as_of: moments[0]! })
    expect(new Set(before.flatMap(beforeOf))).toEqual(new Set([null]))
    const now = await askBoth(name, filters)
    expect(now.flatMap(beforeOf)).not.toContain(null)
    expect(now[0]).toMatchObject({ data_since: FIRST[2] })
  })
})

describe.each(Object.entries(DRAWN))('%s', (name, column) => {
  it.each([
    ['the data begin and end inside it', 0, false],
    ['a day is missing at its beginning, and nothing is newer than its last day', 1, false],
    ['the data begin with its first day, and the newest lie beyond its last', 2, true],
  ] as const)('knows whether a week or month is whole if %s', async (_, batch, isWhole) => {
    for (const currency of ['', 'GBP']) {
      const filters = { as_of: moments[batch]! }
      const rows = await askBoth(name, currency === '' ? filters : { ...filters, currency })
      const complete = (start: string) =>
        new Set(rows.filter((row) => row[column] === start).map((row) => row['is_complete']))
      expect(complete(FIRST_OF[column]!)).toEqual(new Set([String(isWhole)]))
      expect(complete(LAST_OF[column]!)).toEqual(new Set([String(isWhole)]))
      // The ones between.
      expect(complete(column === 'month' ? '2026-01-01' : '2026-01-05')).toEqual(new Set(['true']))
    }
  })
})

describe.each(Object.entries(DRAWN))('%s', (name, column) => {
  it.each([
    // The data begin on the first day of a month and end on the first day of another.
    ['day', [FIRST[2], NEWEST[2]], [true, false]],
    ['week', ['2025-12-01', '2026-05-25'], [true, true]],
    ['month', ['2025-12-01', '2026-05-01'], [true, true]],
    ['quarter', ['2025-10-01', '2026-01-01'], [false, true]],
    ['year', ['2025-01-01', '2026-01-01'], [false, false]],
  ] as const)('knows whether a %s is whole', async (by, [first, last], areWhole) => {
    const rows = await askBoth(name, { by, to: NEWEST[2] })
    const complete = (start: string) =>
      new Set(rows.filter((row) => row[column] === start).map((row) => row['is_complete']))
    expect([complete(first), complete(last)]).toEqual(
      areWhole.map((isWhole) => new Set([String(isWhole)])),
    )
  })
})

describe('r01_rates', () => {
  it('calls a week whole if its rates begin with its Monday, and newer ones lie beyond it', async () => {
    const wholeOf = (rows: AnsweredRow[]) => [
      ...new Set(rows.flatMap((row) => (row['is_complete'] === 'true' ? [row['week_start']] : []))),
    ]
    const all = wholeOf(await askBoth('r01_rates', { in: 'EUR' }))
    // The newest rate is of 3 November.
    expect([all[0], all.at(-1)]).toEqual(['2026-08-31', '2026-10-26'])
    const filters = { in: 'EUR', today: TODAY }
    const less = `delete from fact_exchange_rate_current
      where rate_date not between '2026-09-01' and '2026-11-01'`
    const cut = wholeOf(await askAfter(less, 'r01_rates', filters))
    expect([cut[0], cut.at(-1)]).toEqual(['2026-09-07', '2026-10-19'])
  })
})

describe('s10_order_changes', () => {
  it.each([
    ['captures begin with its first day, and the newest lies beyond its last', ['', ''], true],
    ['the first capture is a day later', ["+ interval '1 day'", ''], false],
    ['the newest capture is of its last day', ['', "- interval '1 second'"], false],
  ] as const)('knows whether a month is whole if %s', async (_, [first, last], isWhole) => {
    const moved = `
      update tidemark_ledger as l set snapshot_at = case
          when l.batch_id = (select min(batch_id) from tidemark_ledger)
              then date_trunc('month', l.snapshot_at) ${first}
          else date_trunc('month', l.snapshot_at) + interval '1 month' ${last}
      end`
    const rows = await askAfter(moved, 's10_order_changes', { today: '2199-01-01' })
    expect(rows).not.toEqual([])
    for (const row of rows) expect(row).toMatchObject({ is_complete: String(isWhole) })
    const [month = ''] = rows.map((row) => row['month'] ?? '')
    for (const cut of [{ from: `${month.slice(0, 8)}02` }, { to: `${month.slice(0, 8)}27` }]) {
      const inPart = await askAfter(moved, 's10_order_changes', { today: '2199-01-01', ...cut })
      expect(inPart).not.toEqual([])
      for (const row of inPart) expect(row).toMatchObject({ is_complete: 'false' })
    }
    const running = await askAfter(moved, 's10_order_changes', { today: moments[0]!.slice(0, 10) })
    for (const row of running) expect(row).toMatchObject({ is_complete: 'false' })
  })
})
