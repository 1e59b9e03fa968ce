import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type pg from 'pg'
import type { FeedServerOptions, SimulatedSource } from '../../apps/local/simulated-source.ts'
import { readTotesysSettings } from '../settings.ts'
import { countAllRows, foundCompany, openCompany, PAST_DAYS, readReached } from './company.ts'
import { dropRateHistory, startRateServer } from './rates.ts'

const schemaSql = readFileSync(new URL('./schema.sql', import.meta.url), 'utf8')

const DAY_MS = 86_400_000

/** Totesys with a company in it that trades. */
export const simulatedSource: SimulatedSource = {
  database: 'totesys',
  clock(config) {
    const { TIDEMARK_TOTESYS_CLOCK: start, TIDEMARK_TOTESYS_SPEED: speed } =
      readTotesysSettings(config)
    return { start, speed }
  },
  async prepare(client) {
    const { rows } = await client.query<{ found: string | null }>(
      `select to_regclass('public.sales_order') as found`,
    )
    // Several statements in one query are one transaction, so the schema is whole or absent.
    if (rows[0]?.found === null) await client.query(schemaSql)
  },
  readReached,
  async found(client, { config, begun }) {
    const { TIDEMARK_TOTESYS_SEED: seed, TIDEMARK_TOTESYS_ORDERS: salesOrders } =
      readTotesysSettings(config)
    await foundCompany(client, { seed, salesOrders, begun })
    const company = await openLife(client)
    const [first] = company.momentsLeft()
    if (first !== undefined) await company.passTime(first)
    return await countAllRows(client)
  },
  open: openLife,
  serveFeeds: serveRates,
}

async function openLife(client: pg.Client) {
  const company = await openCompany(client)
  if (company === undefined) throw new Error('no company was founded in this Totesys')
  return company
}

/** Drops the exchange rates of the past, and starts a server that answers with those of today. */
async function serveRates({ config, life, clock, dropFolder }: FeedServerOptions) {
  const { TIDEMARK_TOTESYS_SEED: seed } = readTotesysSettings(config)
  const path = join(dropFolder, 'exchange_rate', 'history.csv')
  const dayOf = (moment: Date) => new Date(moment.toISOString().slice(0, 10))
  const opened = new Date(life.begun.getTime() - PAST_DAYS * DAY_MS)
  await dropRateHistory(path, { seed, from: dayOf(opened), until: dayOf(life.begun) })
  return startRateServer({ seed, now: clock.now })
}
