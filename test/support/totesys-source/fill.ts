import { readFileSync } from 'node:fs'
import pg from 'pg'
import { ConfigError } from '../../../src/platform/errors.ts'
import { dayMs, startOfDay, timestamp, workingDayMs, workingTime } from './working-time.ts'

/** What an empty source is filled with. */
export interface FillOptions {
  /** A whole number. The same seed, size and `until` give the same content, value for value. */
  seed: number
  /** Number of sales orders. For every 71 of them there are 29 purchase orders. */
  salesOrders: number
  /** The moment up to which the source is filled. Nothing in it is later. */
  until: Date
}

/** What was filled in. */
export interface FillResult {
  tables: 11
  rows: number
}

const ordersPerWeekday = 30
const longestWeekdays = 520

const SHARED = new URL('../../../src/totesys/living/', import.meta.url)
const read = (name: string, folder: URL | string = import.meta.url): string =>
  readFileSync(new URL(`./${name}.sql`, folder), 'utf8')
const referenceSql = read('reference', SHARED)
const peopleSql = read('people', SHARED)
const fillSql = read('fill')
const rowCountSql = read('row-count', SHARED)

/**
 * Fills an empty Totesys (`schema.sql`) as it would stand at `until`, in one transaction. There are
 * about 30 orders a weekday for at most two years, so a larger source is a busier one. A
 * superuser's session skips foreign-key checks for speed. Throws `ConfigError` if the source is not
 * empty.
 */
export async function fillTotesys(client: pg.Client, options: FillOptions): Promise<FillResult> {
  const { seed, salesOrders, until } = options
  const orders = salesOrders + Math.round((salesOrders * 29) / 71)
  const weekdays = Math.min(Math.max(Math.round(orders / ordersPerWeekday), 1), longestWeekdays)
  const length = weekdays * workingDayMs
  const begins = workingTime(until) - length
  const opened = openingMoment(until, weekdays)

  await client.query('begin')
  try {
    await refuseFilled(client)
    await client.query(referenceSql, [timestamp(opened)])
    await client.query(peopleSql, [timestamp(new Date(opened.getTime() + 1601))])
    const values = { seed, sales_orders: salesOrders, orders, begins, length, until, opened }
    await client.query(withValues(fillSql, values))
    const { rows } = await client.query<{ row_count: number }>(rowCountSql)
    await client.query('commit')
    await client.query('analyze')
    return { tables: 11, rows: rows[0]!.row_count }
  } catch (error) {
    await client.query('rollback')
    throw error
  }
}

/** A moment before the first order, however many weekends lie between. */
function openingMoment(until: Date, weekdays: number): Date {
  const days = Math.ceil((weekdays * 7) / 5) + 4
  return new Date(
    startOfDay(until).getTime() - days * dayMs + 14 * 3_600_000 + 20 * 60_000 + 49_962,
  )
}

async function refuseFilled(client: pg.Client): Promise<void> {
  const { rowCount } = await client.query('select from currency limit 1')
  if (rowCount === 0) return
  throw new ConfigError('Only an empty source can be filled, and this one has rows', {
    code: 'TOTESYS_NOT_EMPTY',
    hint: 'create a new database and fill that',
  })
}

/** Writes values into SQL: Postgres takes parameters only in single statements. All are checked. */
function withValues(sql: string, values: Record<string, number | Date>): string {
  return sql.replaceAll(/(?<![:\w]):([a-z_]+)/g, (_, name: string) => {
    const value = values[name]
    if (value instanceof Date) return pg.escapeLiteral(timestamp(value))
    if (Number.isSafeInteger(value)) return `${value}::bigint`
    throw new ConfigError(`${name} must be a whole number`, { code: 'FILL_OPTION' })
  })
}
