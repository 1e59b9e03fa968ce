import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import pg from 'pg'
import { type Environment, openEnvironment } from '../../src/apps/environment.ts'
import { readConfig } from '../../src/apps/read-config.ts'
import { fillTotesys } from '../support/totesys-source/fill.ts'
import { createLiving, type Living } from '../support/totesys-source/living.ts'
import type { AppLogEntry } from '../../src/apps/log.ts'
import { openServer, type OpenServer } from '../../src/apps/server/open-server.ts'
import { standardProject } from '../../src/standard-project.ts'
import { run, type RunReport } from '../../src/platform/pipeline.ts'

/** How a world begins. */
export interface WorldOptions {
  /** How many sales orders Totesys is filled with. */
  readonly salesOrders: number
  /** How many days before now Totesys is filled up to; the rest is for it to live. */
  readonly days: number
  /** Receives what the pipeline and the server log. */
  readonly onLog?: (entry: AppLogEntry) => void
}

/** What `tidemark up` starts, in a folder of its own, except that Totesys lives only when told to. */
export interface World extends AsyncDisposable {
  readonly environment: Environment
  /** A connection that may write to the source. */
  readonly totesys: pg.Client
  readonly living: Living
  /** The moment up to which Totesys was filled. */
  readonly filledTo: Date
  /** One run. Throws if a stage fails. */
  run(): Promise<RunReport>
  /** Serves the dashboard as the reader, on a free port or the one given. The caller disposes it. */
  serve(port?: number): Promise<OpenServer>
}

const DAY_MS = 86_400_000

/** Opens a world. Dispose it, which stops everything and removes its folder. */
export async function openWorld({
  salesOrders,
  days,
  onLog = () => {},
}: WorldOptions): Promise<World> {
  const home = mkdtempSync(path.join(os.tmpdir(), 'tidemark-browser-'))
  // If root runs it, the database server is another user, who must be able to enter.
  chmodSync(home, 0o711)
  const ends: (() => Promise<unknown>)[] = [
    async () => rmSync(home, { recursive: true, force: true }),
  ]
  const dispose = async (): Promise<void> => {
    for (const end of ends.toReversed()) await end()
  }
  try {
    const environment = await openEnvironment({
      config: readConfig({ TIDEMARK_HOME: home }, { added: await standardProject.settings() }),
      given: standardProject,
      log: onLog,
      fill: false,
      signal: new AbortController().signal,
    })
    ends.push(async () => environment[Symbol.asyncDispose]())
    const totesys = new pg.Client(environment.local?.databases.adminUrl)
    await totesys.connect()
    ends.push(() => totesys.end())
    const filledTo = new Date(Date.now() - days * DAY_MS)
    await fillTotesys(totesys, { seed: 1, salesOrders, until: filledTo })
    return {
      environment,
      totesys,
      living: createLiving(totesys, { seed: 1, start: filledTo }),
      filledTo,
      async run() {
        const report = await run(environment.deps)
        if (report.failures[0] !== undefined) throw report.failures[0].error
        return report
      },
      serve: (port = 0) => openServer(environment, { log: onLog, port }),
      [Symbol.asyncDispose]: dispose,
    }
  } catch (error) {
    await dispose()
    throw error
  }
}

/** Orders of a world, each an example of what can happen to one. */
export interface Landmarks {
  /** Amended three times, with its payment paid. */
  readonly amended: number
  readonly deleted: number
  /** A payment that turned paid between two runs. */
  readonly paid: number
  /** A counterparty with orders. */
  readonly counterparty: number
}

/**
 * Lives through a few batches: simulated days, changes to one order that leave its timestamp alone, a
 * payment that turns paid, a deletion, a row that is refused, a row that breaks a check, and a new
 * column.
 */
export async function liveThrough(world: World): Promise<Landmarks> {
  const { totesys, living, filledTo } = world
  await world.run()
  const { rows } = await totesys.query<{
    sales_order_id: number
    counterparty_id: number
    payment_id: number
    transaction_id: number
  }>(`
    select sales_order_id, sales_order.counterparty_id, payment_id, transaction_id
    from sales_order
    inner join transaction using (sales_order_id)
    inner join payment using (transaction_id)
    where not paid and payment_date::date < current_date
    order by sales_order_id desc
    limit 2`)
  const [amended, deleted] = rows
  if (amended === undefined || deleted === undefined) throw new Error('Totesys has too few orders')
  const lengthMs = Date.now() - filledTo.getTime()
  const rounds: string[] = [
    `update sales_order set units_sold = units_sold + 12100
     where sales_order_id = ${amended.sales_order_id}`,
    `update sales_order
     set agreed_delivery_date = (agreed_delivery_date::date + 2)::text, unit_price = unit_price + 0.25
     where sales_order_id = ${amended.sales_order_id};
     update payment set paid = true where payment_id = ${amended.payment_id}`,
    `alter table staff add column nickname text;
     delete from payment where transaction_id = ${deleted.transaction_id};
     delete from transaction where transaction_id = ${deleted.transaction_id};
     delete from sales_order where sales_order_id = ${deleted.sales_order_id}`,
    `update sales_order set units_sold = units_sold - 700
     where sales_order_id = ${amended.sales_order_id};
     insert into sales_order (
       created_at, last_updated, design_id, staff_id, counterparty_id, units_sold, unit_price,
       currency_id, agreed_delivery_date, agreed_payment_date, agreed_delivery_location_id
     )
     select
       created_at, last_updated, design_id, staff_id, counterparty_id, 0, unit_price,
       currency_id, agreed_delivery_date, payment.on_day, agreed_delivery_location_id
     from sales_order
     cross join lateral (values (agreed_payment_date), ('to be agreed')) as payment (on_day)
     where sales_order_id = ${amended.sales_order_id}`,
  ]
  for (const [place, sql] of rounds.entries()) {
    const share = (place + 1) / rounds.length
    await living.advanceTo(new Date(filledTo.getTime() + share * lengthMs))
    await totesys.query(sql)
    await world.run()
  }
  return {
    amended: amended.sales_order_id,
    deleted: deleted.sales_order_id,
    paid: amended.payment_id,
    counterparty: amended.counterparty_id,
  }
}
