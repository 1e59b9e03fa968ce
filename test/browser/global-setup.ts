import type { TestProject } from 'vitest/node'
import { findChromium, NO_CHROMIUM } from './chromium.ts'
import { type Landmarks, liveThrough, openWorld } from './world.ts'

/** The site that all tests of a run open. No test changes it. */
export interface Site extends Landmarks {
  readonly url: string
  readonly chromium: string
}

declare module 'vitest' {
  interface ProvidedContext {
    /** Undefined if there is no browser. Then the tests are skipped. */
    site: Site | undefined
  }
}

/** Starts a world with a history, and its server, for all files. Stops them after the last test. */
export default async function setup(
  project: TestProject,
): Promise<(() => Promise<void>) | undefined> {
  const chromium = findChromium(process.env)
  if (chromium === undefined) {
    if (process.env['CI'] !== undefined) throw new Error(NO_CHROMIUM)
    process.stderr.write(`Tests in a browser are skipped, ${NO_CHROMIUM}\n`)
    project.provide('site', undefined)
    return undefined
  }
  const world = await openWorld({ salesOrders: 420, days: 12 })
  try {
    const landmarks = await liveThrough(world)
    const server = await world.serve()
    await fillMyPage(server.url)
    project.provide('site', { url: server.url, chromium, ...landmarks })
    return async () => {
      await server[Symbol.asyncDispose]()
      await world[Symbol.asyncDispose]()
    }
  } catch (error) {
    await world[Symbol.asyncDispose]()
    throw error
  }
}

/** Puts three saved questions on My page: bars, lines, and figures. */
async function fillMyPage(url: string): Promise<void> {
  const statements = {
    'Orders by currency': `select currency_code, count(*) as orders, sum(units_sold) as units
      from fact_sales_order_current inner join dim_currency using (currency_id) group by 1`,
    'Units by day': `select created_date, sum(units_sold) as units
      from fact_sales_order_current group by 1`,
    'Orders in short': 'select count(*) as orders, sum(units_sold) from fact_sales_order_current',
  }
  for (const [title, sql] of Object.entries(statements)) {
    const body = new FormData()
    for (const [name, value] of Object.entries({ title, sql, mine: 'on' })) body.set(name, value)
    const response = await fetch(`${url}/ask/save`, { method: 'POST', body, redirect: 'manual' })
    if (response.status !== 303) throw new Error(`${title} was not saved: ${response.status}`)
  }
}
