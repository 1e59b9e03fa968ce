import type pg from 'pg'

/** `1 base = rate quote` on a day. Without a rate, the pair's rate of that day is deleted. */
export interface TestRate {
  readonly base: string
  readonly quote: string
  readonly day: string
  readonly rate: string | undefined
  readonly source?: string
}

/**
 * Puts versions of rates into a warehouse as the load of a batch does: the fact is appended to, its
 * current table follows. They belong to the last loaded batch, and their record ids lie below those
 * that a load gives out.
 */
export async function loadRates(client: pg.ClientBase, rates: readonly TestRate[]): Promise<void> {
  await client.query('begin')
  const years = rates.map(({ day }) => day.slice(0, 4))
  await client.query(
    `insert into dim_date
     select d::date, extract(year from d), extract(month from d), extract(day from d),
         extract(isodow from d), to_char(d, 'FMDay'), to_char(d, 'FMMonth'), extract(quarter from d)
     from unnest($1::int[]) as y (year)
     cross join lateral generate_series(
         make_timestamp(y.year, 1, 1, 0, 0, 0), make_timestamp(y.year, 12, 31, 0, 0, 0),
         interval '1 day') as d
     on conflict do nothing`,
    [[...new Set(years)]],
  )
  for (const { base, quote, day, rate, source = 'a bank' } of rates) {
    const key = [base, quote, day]
    const { rows } = await client.query<{ rate: string; source: string }>(
      `select rate, source from fact_exchange_rate_current
       where (base_currency, quote_currency, rate_date) = ($1, $2, $3)`,
      key,
    )
    const [known] = rows
    const operation = rate === undefined ? 'delete' : known === undefined ? 'insert' : 'update'
    await client.query(
      `insert into fact_exchange_rate
       select
           (select coalesce(max(rate_record_id) filter (where rate_record_id < 0), -1000000) + 1
            from fact_exchange_rate),
           $1, $2, $3, $4, $5, $6, clock_timestamp(),
           (select coalesce(max(batch_id), 1) from tidemark_ledger)`,
      [
        ...key,
        rate ?? known?.rate,
        known !== undefined && !rate ? known.source : source,
        operation,
      ],
    )
    await client.query(
      `delete from fact_exchange_rate_current
       where (base_currency, quote_currency, rate_date) = ($1, $2, $3)`,
      key,
    )
    await client.query(
      `insert into fact_exchange_rate_current
       select * from fact_exchange_rate
       where (base_currency, quote_currency, rate_date) = ($1, $2, $3)
           and $4
       order by rate_record_id desc limit 1`,
      [...key, rate !== undefined],
    )
  }
  await client.query('commit')
}
