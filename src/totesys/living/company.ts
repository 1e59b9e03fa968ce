import { readFileSync } from 'node:fs'
import pg from 'pg'
import type { Life, LivingEvents } from '../../apps/local/simulated-source.ts'
import { ConfigError } from '../../platform/errors.ts'
import { onlyRow } from '../../platform/io/postgres.ts'
import { momentsLeft } from './past.ts'

/** What determines a company. */
export interface CompanyOptions {
  /** A whole number. The same seed, size and moment give the same company, value for value. */
  readonly seed: number
  /** About how many sales orders there are at `begun`. For every 71 there are 29 purchase orders. */
  readonly salesOrders: number
  /** The moment at which the demo begins. Half a year of trade lies before it. */
  readonly begun: Date
}

const DAY_MS = 86_400_000

/** How long the company trades before the demo begins. */
export const PAST_DAYS = 26 * 7

const read = (name: string): string =>
  readFileSync(new URL(`./${name}.sql`, import.meta.url), 'utf8')
const REFERENCE = read('reference')
const PEOPLE = read('people')
const FOUND = read('found-company')
const ROW_COUNT = read('row-count')
const LIFE = ['place-orders', 'change-orders', 'pass-time'].map(read)

/**
 * Founds a company in Totesys (`schema.sql`), in one transaction. An empty Totesys gets its reference
 * data, and the company's first order comes with the first `passTime`. A Totesys that an older version
 * filled keeps its rows, and the company goes on from `begun`.
 */
export async function foundCompany(client: pg.Client, options: CompanyOptions): Promise<void> {
  const opened = new Date(options.begun.getTime() - PAST_DAYS * DAY_MS)
  const before = timestamp(new Date(opened.getTime() - DAY_MS))
  await client.query('begin')
  try {
    const isEmpty = (await client.query('select from currency limit 1')).rowCount === 0
    if (isEmpty) {
      await client.query(REFERENCE, [before])
      await client.query(PEOPLE, [before])
    }
    const { seed, salesOrders: orders, begun } = options
    const reached = isEmpty ? opened : begun
    await client.query(withValues(FOUND, { seed, orders, opened, begun, reached }))
    await client.query('commit')
  } catch (error) {
    await client.query('rollback')
    throw error
  }
}

/** Opens the company in Totesys, and replaces its functions. Undefined if none was founded there. */
export async function openCompany(client: pg.Client): Promise<Life | undefined> {
  const reached = await readReached(client)
  if (reached === undefined) return undefined
  // One query, so one transaction: another process sees all functions of one version.
  await client.query(LIFE.join('\n'))
  const { begun } = onlyRow(
    await client.query<{ begun: number }>(
      'select (extract(epoch from begun) * 1000)::double precision as begun from demo.company',
    ),
  )
  return living(client, { begun: new Date(begun), reached })
}

/** The moment up to which everything has happened in Totesys; undefined if no company lives there. */
export async function readReached(client: pg.Client): Promise<Date | undefined> {
  const { there } = onlyRow(
    await client.query<{ there: boolean }>(
      `select to_regclass('demo.company') is not null as there`,
    ),
  )
  if (!there) return undefined
  const { reached } = onlyRow(
    await client.query<{ reached: number }>(
      'select (extract(epoch from reached) * 1000)::double precision as reached from demo.company',
    ),
  )
  return new Date(reached)
}

/** How many rows the eleven tables of Totesys hold. */
export async function countAllRows(client: pg.Client): Promise<{ tables: 11; rows: number }> {
  const { row_count: rows } = onlyRow(await client.query<{ row_count: number }>(ROW_COUNT))
  return { tables: 11, rows }
}

function living(
  client: pg.Client,
  { begun, reached: start }: { begun: Date; reached: Date },
): Life {
  let reached = start
  return {
    begun,
    get reached() {
      return reached
    },
    momentsLeft: () => momentsLeft({ begun, reached }),
    async passTime(until) {
      const events = onlyRow(
        await client.query<LivingEvents>('select * from demo.pass_time($1)', [timestamp(until)]),
      )
      if (until > reached) reached = until
      return events
    },
  }
}

/** Writes values into SQL: Postgres takes parameters only in single statements. All are checked. */
function withValues(sql: string, values: Readonly<Record<string, number | Date>>): string {
  return sql.replaceAll(/(?<![:\w]):([a-z_]+)/g, (_, name: string) => {
    const value = values[name]
    if (value instanceof Date) return `${pg.escapeLiteral(timestamp(value))}::timestamp`
    if (Number.isSafeInteger(value)) return `${value}::bigint`
    throw new ConfigError(`${name} must be a whole number`, { code: 'TOTESYS_OPTION' })
  })
}

/** A moment as the source writes it: UTC, without a zone. */
export function timestamp(at: Date): string {
  return at.toISOString().slice(0, -1)
}
