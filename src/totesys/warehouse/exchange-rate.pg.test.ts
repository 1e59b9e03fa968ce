import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createDatabase, type TestDatabase } from '../../../test/support/database.ts'
import { loadRates } from '../../../test/support/rates.ts'
import { createSystem } from '../../../test/support/system.ts'
import { zipFile } from '../../../test/support/zip.ts'
import { run, type RunReport } from '../../platform/pipeline.ts'
import { diskDrop } from '../../platform/source/drop.ts'
import { verify } from '../../platform/inspect/verify.ts'
import { migrate } from '../../platform/warehouse/migrate.ts'
import { openWarehouse } from '../../platform/warehouse/warehouse.ts'
import { totesys } from '../totesys.ts'

let database: TestDatabase
let client: pg.Client

beforeAll(async () => {
  database = await createDatabase({ template: 'empty' })
  await using warehouse = await openWarehouse({
    title: 'the warehouse',
    code: 'WAREHOUSE',
    url: database.url,
    schema: 'public',
  })
  await migrate(warehouse, totesys, { waitMs: 1000 })
  client = await database.client()
  await client.query(`set timezone = 'UTC'`)
  await client.query(`
    insert into dim_currency values (1, 'GBP', 'Sterling'), (2, 'USD', 'Dollar'), (3, 'EUR', 'Euro');
    insert into tidemark_ledger (batch_id, generation, snapshot_at, loaded_at, run_id, row_counts)
    values (1, 'g', now(), now(), 'r', '{}')`)
  await loadRates(client, [
    // A Thursday, a Friday, and the Monday after.
    { base: 'USD', quote: 'GBP', day: '2026-11-12', rate: '0.79' },
    { base: 'USD', quote: 'GBP', day: '2026-11-13', rate: '0.8' },
    { base: 'USD', quote: 'GBP', day: '2026-11-16', rate: '0.81' },
    // One table a day, in euro. The table of the 13th lacks the krone.
    ...['CHF 0.9', 'DKK 7.5', 'JPY 160'].map((rate) => ofEuro('2026-11-12', rate)),
    ...['CHF 0.96', 'JPY 168'].map((rate) => ofEuro('2026-11-13', rate)),
    // Another base that quotes both, on the same day and sooner in the alphabet, then later.
    { base: 'AUD', quote: 'CHF', day: '2026-11-12', rate: '0.5', source: 'another bank' },
    { base: 'AUD', quote: 'JPY', day: '2026-11-12', rate: '100' },
  ])
})
afterAll(() => database.drop())

function ofEuro(day: string, rate: string) {
  const [quote = '', value = ''] = rate.split(' ')
  return { base: 'EUR', quote, day, rate: value, source: 'ECB' }
}

/** `rate of day by source`, with `filled` where it is; `no rate`. */
async function rateOn(from: string, to: string, day: string): Promise<string> {
  const { rows } = await client.query<{ said: string | null }>(
    `select trim_scale(rate) || ' of ' || rate_date || coalesce(' by ' || source, '')
       || case when is_filled then ' filled' else '' end as said
     from exchange_rate_on($1, $2, $3)`,
    [from, to, day],
  )
  expect(rows).toHaveLength(1)
  return rows[0]?.said ?? 'no rate'
}

async function convert(amount: string, from: string, to: string, day: string) {
  const { rows } = await client.query<{ amount: string | null }>(
    'select converted($1, $2, $3, $4) as amount',
    [amount, from, to, day],
  )
  return rows[0]?.amount ?? null
}

describe('exchange_rate_on()', () => {
  it('gives the rate of the pair on that day', async () => {
    expect(await rateOn('USD', 'GBP', '2026-11-13')).toBe('0.8 of 2026-11-13 by a bank')
  })

  it('fills a weekend, and every day after the last, with the last known, and says so', async () => {
    const friday = '0.8 of 2026-11-13 by a bank filled'
    expect(await rateOn('USD', 'GBP', '2026-11-14')).toBe(friday)
    expect(await rateOn('USD', 'GBP', '2026-11-15')).toBe(friday)
    expect(await rateOn('USD', 'GBP', '2027-03-01')).toBe('0.81 of 2026-11-16 by a bank filled')
  })

  it('knows nothing before the first, of pairs nobody quotes, and of no pair or day', async () => {
    expect(await rateOn('USD', 'GBP', '2026-11-11')).toBe('no rate')
    expect(await rateOn('GBP', 'USD', '2026-11-11')).toBe('no rate')
    expect(await rateOn('CHF', 'JPY', '2026-11-11')).toBe('no rate')
    expect(await rateOn('USD', 'CHF', '2026-11-13')).toBe('no rate')
    expect(await rateOn('XXX', 'YYY', '2026-11-13')).toBe('no rate')
    const { rows } = await client.query('select * from exchange_rate_on(null, null, null)')
    expect(rows).toEqual([{ rate: null, rate_date: null, is_filled: null, source: null }])
  })

  it('takes the inverse if the pair is quoted only the other way round', async () => {
    expect(await rateOn('GBP', 'USD', '2026-11-13')).toBe('1.25 of 2026-11-13 by a bank, inverse')
    expect(await rateOn('CHF', 'EUR', '2026-11-12')).toBe(
      '1.11111111111111111111 of 2026-11-12 by ECB, inverse',
    )
  })

  it('crosses over one base that quotes both: the newest, then the first in the alphabet', async () => {
    // 160 / 0.9 over EUR, 100 / 0.5 over AUD.
    expect(await rateOn('CHF', 'JPY', '2026-11-12')).toBe(
      '200 of 2026-11-12 by another bank and a bank, over AUD',
    )
    // 168 / 0.96.
    expect(await rateOn('CHF', 'JPY', '2026-11-13')).toBe('175 of 2026-11-13 by ECB, over EUR')
    expect(await rateOn('CHF', 'JPY', '2026-11-15')).toBe(
      '175 of 2026-11-13 by ECB, over EUR filled',
    )
  })

  it('is as old as the older rate of a cross', async () => {
    // 0.96 of the 13th / 7.5 of the 12th.
    expect(await rateOn('DKK', 'CHF', '2026-11-13')).toBe(
      '0.128 of 2026-11-12 by ECB, over EUR filled',
    )
  })

  it('prefers the pair to its inverse, and both to a cross', async () => {
    await loadRates(client, [
      { base: 'GBP', quote: 'USD', day: '2026-11-13', rate: '1.5' },
      { base: 'JPY', quote: 'CHF', day: '2026-11-12', rate: '0.005' },
    ])
    expect(await rateOn('USD', 'GBP', '2026-11-13')).toBe('0.8 of 2026-11-13 by a bank')
    expect(await rateOn('GBP', 'USD', '2026-11-13')).toBe('1.5 of 2026-11-13 by a bank')
    expect(await rateOn('CHF', 'JPY', '2026-11-13')).toBe(
      '200 of 2026-11-12 by a bank, inverse filled',
    )
    await loadRates(client, [
      { base: 'GBP', quote: 'USD', day: '2026-11-13', rate: undefined },
      { base: 'JPY', quote: 'CHF', day: '2026-11-12', rate: undefined },
    ])
  })

  it.each([
    ['of zero', { day: '2026-11-16', rate: '0' }],
    ['below zero', { day: '2026-11-16', rate: '-0.8' }],
    ['of too much', { day: '2026-11-16', rate: '100000001' }],
    ['of a day long past', { day: '0206-11-16', rate: '0.8' }],
    ['of a day far ahead', { day: '2206-11-16', rate: '0.8' }],
  ])('skips a rate %s, which is kept', async (_, rate) => {
    const pairs = ['NOK GBP', 'GBP SEK', 'EUR NOK'].map((pair) => {
      const [base = '', quote = ''] = pair.split(' ')
      return { base, quote, ...rate }
    })
    await loadRates(client, pairs)
    // The pair, an inverse, and a cross over EUR.
    for (const [from, to] of [
      ['NOK', 'GBP'],
      ['SEK', 'GBP'],
      ['NOK', 'CHF'],
    ] as const) {
      expect(await rateOn(from, to, '2026-11-20')).toBe('no rate')
      expect(await rateOn(from, to, '2300-01-01')).toBe('no rate')
    }
    await loadRates(client, [{ base: 'NOK', quote: 'GBP', day: '2026-11-13', rate: '0.07' }])
    expect(await rateOn('NOK', 'GBP', '2026-11-20')).toBe('0.07 of 2026-11-13 by a bank filled')
    expect(await rateOn('NOK', 'GBP', '2026-11-12')).toBe('no rate')
    const { rows } = await client.query<{ rates: string }>(
      `select count(*) as rates from fact_exchange_rate_current where rate_date = $1`,
      [rate.day],
    )
    expect(Number(rows[0]?.rates)).toBeGreaterThanOrEqual(3)
    await loadRates(client, [
      ...pairs.map((pair) => ({ ...pair, rate: undefined })),
      { base: 'NOK', quote: 'GBP', day: '2026-11-13', rate: undefined },
    ])
  })

  it('is 1 from a currency to itself, without any rate', async () => {
    expect(await rateOn('GBP', 'GBP', '2020-01-01')).toBe('1 of 2020-01-01')
    expect(await rateOn('XXX', 'XXX', '2020-01-01')).toBe('1 of 2020-01-01')
  })

  it('follows a corrected rate and one that is taken away, and history keeps each', async () => {
    const rate = { base: 'USD', quote: 'GBP', day: '2026-11-16' }
    await loadRates(client, [{ ...rate, rate: '0.82', source: 'the bank, corrected' }])
    expect(await rateOn('USD', 'GBP', '2026-11-16')).toBe(
      '0.82 of 2026-11-16 by the bank, corrected',
    )
    await loadRates(client, [{ ...rate, rate: undefined }])
    expect(await rateOn('USD', 'GBP', '2026-11-16')).toBe('0.8 of 2026-11-13 by a bank filled')
    await loadRates(client, [{ ...rate, rate: '0.81' }])
    const { rows } = await client.query<{ said: string }>(
      `select version || ' ' || record_operation || ' ' || trim_scale(rate) as said
       from fact_exchange_rate_history
       where base_currency = 'USD' and rate_date = '2026-11-16' order by version`,
    )
    expect(rows.map(({ said }) => said)).toEqual([
      '1 insert 0.81',
      '2 update 0.82',
      '3 delete 0.82',
      '4 insert 0.81',
    ])
  })
})

describe('converted()', () => {
  it('multiplies by the rate of the day, exactly and without rounding', async () => {
    expect(await convert('1234.56', 'USD', 'GBP', '2026-11-12')).toBe('975.302400000000')
    expect(await convert('1234.56', 'GBP', 'GBP', '2026-11-12')).toBe('1234.56')
    // 0.1 + 0.2 is 0.3 in numeric.
    const { rows } = await client.query<{ sum: string }>(
      `select trim_scale(converted(0.1, 'USD', 'USD', '2026-11-12')
         + converted(0.2, 'USD', 'USD', '2026-11-12')) as sum`,
    )
    expect(rows).toEqual([{ sum: '0.3' }])
  })

  it('is exact to the cent over an inverse, up to the largest amounts', async () => {
    const { rows } = await client.query<{ back: string }>(
      `select round(converted(converted(999999999999.99, 'EUR', 'CHF', d), 'CHF', 'EUR', d), 2)
         as back from (values (date '2026-11-12')) as v (d)`,
    )
    expect(rows).toEqual([{ back: '999999999999.99' }])
  })

  it('is null if there is no rate', async () => {
    expect(await convert('5', 'USD', 'GBP', '2026-11-11')).toBeNull()
    expect(await convert('5', 'USD', 'CHF', '2026-11-13')).toBeNull()
  })
})

describe('exchange_rate_by_day', () => {
  it('has every day from the first rate of a pair to today, filled if there was none', async () => {
    // The year 206 is a typing error, and would make charts of 1,800 years.
    const mistyped = { base: 'USD', quote: 'GBP', day: '0206-11-16' }
    await loadRates(client, [{ ...mistyped, rate: '0.7' }])
    const { rows } = await client.query<{ said: string }>(
      `select pair || ' ' || day || ' ' || trim_scale(rate) || ' ' || rate_date || ' ' || is_filled
         as said
       from exchange_rate_by_day
       where from_currency = 'USD' and day <= '2026-11-16' order by pair, day`,
    )
    expect(rows.map(({ said }) => said)).toEqual([
      'USD/GBP 2026-11-12 0.79 2026-11-12 false',
      'USD/GBP 2026-11-13 0.8 2026-11-13 false',
      'USD/GBP 2026-11-14 0.8 2026-11-13 true',
      'USD/GBP 2026-11-15 0.8 2026-11-13 true',
      'USD/GBP 2026-11-16 0.81 2026-11-16 false',
    ])
    const { rows: pairs } = await client.query<{ pair: string; today: boolean }>(
      `select pair, max(day) = (now() at time zone 'utc')::date as today
       from exchange_rate_by_day group by pair order by pair`,
    )
    expect(pairs).toEqual([
      { pair: 'GBP/USD', today: true },
      { pair: 'USD/GBP', today: true },
    ])
    await loadRates(client, [{ ...mistyped, rate: undefined }])
  })
})

describe('the role that may only read', () => {
  it('may ask for rates, and convert', async () => {
    const readerRole = `${database.name}_asks`
    await client.query(`create role ${readerRole}`)
    await using opened = await openWarehouse({
      title: 'the warehouse',
      code: 'WAREHOUSE',
      url: database.url,
      schema: 'public',
      readerRole,
    })
    await migrate(opened, totesys, { waitMs: 1000 })
    await client.query(`set role ${readerRole}`)
    try {
      expect(await convert('1', 'USD', 'GBP', '2026-11-13')).toBe('0.8000000000')
      const { rowCount } = await client.query(
        `select from exchange_rate_by_day where pair = 'USD/GBP' and day = '2026-11-13'`,
      )
      expect(rowCount).toBe(1)
    } finally {
      await client.query(`reset role; drop owned by ${readerRole}; drop role ${readerRole}`)
    }
  })
})

describe('a dropped file of rates', () => {
  it('is converted with, corrected by the next, and kept where it breaks a rule', async () => {
    await using system = await createSystem()
    const drop = join(system.folder, 'drop')
    const deps = { ...system.deps, feeds: { drop: diskDrop(drop, { settledMs: 0 }) } }
    const take = async (file: string, lines: string[]): Promise<RunReport> => {
      await mkdir(join(drop, 'exchange_rate'), { recursive: true })
      const text = ['base,quote,rate_date,rate,source', ...lines].join('\n')
      await writeFile(join(drop, 'exchange_rate', file), `${text}\n`)
      const report = await run(deps)
      expect(report.failures).toEqual([])
      return report
    }
    const ask = async (sql: string): Promise<string[]> =>
      (await system.query<{ said: string }>(sql)).map(({ said }) => said)
    const converted = `select converted(100, 'USD', 'GBP', '2026-11-21')::numeric(20, 2)::text as said`

    // The database first, because feeds wait for its first batch.
    await system.run()
    const friday = await take('friday.csv', [
      'USD,GBP,2026-11-20,0.7912,a bank',
      'USD,EUR,2026-11-20,0.92,a bank',
      'USD,USD,2026-11-20,1,a bank',
      'usd,GBP,2026-11-19,0.79,a bank',
      'GBP,USD,2026-11-19,0,a bank',
      'GBP,USD,2026-11-18,0.12345678901,a bank',
      'GBP,USD,10000-01-01,1.2,a bank',
    ])
    const warned = { table: 'fact_exchange_rate', rows: 1 }
    expect(friday.warnings).toEqual([
      { ...warned, check: 'base_three_letters' },
      { ...warned, check: 'two_currencies' },
      { ...warned, check: 'rate_in_bounds' },
    ])
    // More decimals than fit, and a day beyond the calendar.
    expect(friday.quarantined).toBe(2)
    expect(await ask(converted)).toEqual(['79.12'])
    expect(
      await ask(`select base_currency || quote_currency as said from fact_exchange_rate_current
        order by 1`),
    ).toEqual(['GBPUSD', 'USDEUR', 'USDGBP', 'USDUSD', 'usdGBP'])
    // The rate of zero converts nothing, either way.
    const day = await ask(`select coalesce(rate::text, 'no rate') as said
      from exchange_rate_on('GBP', 'USD', '2026-11-19')`)
    expect(day).toEqual(['no rate'])

    await take('friday, corrected.csv', ['USD,GBP,2026-11-20,0.7932,a bank'])
    expect(await ask(converted)).toEqual(['79.32'])
    expect(
      await ask(`select record_operation || ' ' || trim_scale(rate) as said
        from fact_exchange_rate_history
        where base_currency = 'USD' and quote_currency = 'GBP' order by version`),
    ).toEqual(['insert 0.7912', 'update 0.7932'])
    expect(
      await ask(`select trim_scale(rate)::text as said
        from fact_exchange_rate_as_of((select recorded_at from fact_exchange_rate
          where rate_record_id = 1)) where base_currency = 'USD' and quote_currency = 'GBP'`),
    ).toEqual(['0.7912'])
    expect((await verify(deps)).isEqual).toBe(true)
  })

  it('I6 may be a central bank’s whole history: a column for each currency, gzipped or in a ZIP archive too', async () => {
    await using system = await createSystem()
    const drop = join(system.folder, 'drop')
    const deps = { ...system.deps, feeds: { drop: diskDrop(drop, { settledMs: 0 }) } }
    await system.run()
    await mkdir(join(drop, 'exchange_rate'), { recursive: true })
    const take = async (name: string, content: string | Buffer): Promise<unknown[]> => {
      await writeFile(join(drop, 'exchange_rate', name), content)
      const report = await run(deps)
      expect(report.failures).toEqual([])
      expect(report.quarantined).toBe(0)
      return await system.query(
        `select rate_date::text as day, quote_currency as quote, trim_scale(rate)::text as rate
         from fact_exchange_rate_current where (base_currency, source) = ('EUR', 'ECB') order by 1, 2`,
      )
    }
    const history =
      'Date,USD,JPY,BGN,\n2024-01-02,1.0956,155.84,1.9558,\n2024-01-01,1.09,N/A,1.9558,\n'
    const known = [
      { day: '2024-01-01', quote: 'BGN', rate: '1.9558' },
      { day: '2024-01-01', quote: 'USD', rate: '1.09' },
      { day: '2024-01-02', quote: 'BGN', rate: '1.9558' },
      { day: '2024-01-02', quote: 'JPY', rate: '155.84' },
      { day: '2024-01-02', quote: 'USD', rate: '1.0956' },
    ]
    expect(await take('eurofxref-hist.csv', history)).toEqual(known)
    expect(system.entries).toContainEqual(
      expect.objectContaining({ event: 'cells_absent', table: 'exchange_rate', cells: 1 }),
    )
    // Each day adds one row, and only that is new.
    const next = history.replace('\n', '\n2024-01-03,1.1,156.1234567891,N/A,\n')
    expect(await take('eurofxref-hist-2.csv.gz', gzipSync(next))).toEqual([
      ...known,
      { day: '2024-01-03', quote: 'JPY', rate: '156.1234567891' },
      { day: '2024-01-03', quote: 'USD', rate: '1.1' },
    ])
    const corrected = next.replace('156.1234567891', '157')
    const found = await take('eurofxref-hist.zip', zipFile('eurofxref-hist.csv', corrected))
    expect(found).toContainEqual({ day: '2024-01-03', quote: 'JPY', rate: '157' })
    expect(
      await system.query(`select batch_id::int as batch, count(*)::int as versions
        from fact_exchange_rate group by 1 order by 1`),
    ).toEqual([
      { batch: 2, versions: 5 },
      { batch: 3, versions: 2 },
      { batch: 4, versions: 1 },
    ])
    expect((await verify(deps)).isEqual).toBe(true)
  })
})
