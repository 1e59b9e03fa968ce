// `npm run screenshots`, after a build: starts what `tidemark up` starts in a temporary folder, lets
// Totesys live for some weeks with a run every few days, and takes pictures of the dashboard into
// docs/images/. The company is always the same; its dates follow the current day.
import { existsSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, rm, stat } from 'node:fs/promises'
import os from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { chromium } from 'playwright-core'
import { openEnvironment } from '../dist/apps/environment.js'
import { fillTotesys } from '../dist/apps/local/living-totesys/fill.js'
import { createLiving } from '../dist/apps/local/living-totesys/living.js'
import { readConfig } from '../dist/apps/read-config.js'
import { openServer } from '../dist/apps/server/open-server.js'
import { run } from '../dist/platform/pipeline.js'

const SEED = 42
const DAY_MS = 86_400_000
/** The days that pass before the pictures, and the runs on the way. */
const LIFE = { days: 42, runs: 14 }
const MAX_BYTES = 250_000
const ASKED = `select design_name, sum(units_sold) as units
from fact_sales_order_current
inner join dim_design using (design_id)
group by design_name
order by units desc
limit 12
`
const target = fileURLToPath(new URL('../docs/images/', import.meta.url))

const { TIDEMARK_CHROMIUM: named } = process.env
const executablePath = [named, '/usr/bin/chromium', '/usr/bin/google-chrome'].find(
  (path) => path !== undefined && existsSync(path),
)
if (executablePath === undefined) {
  process.stderr.write(
    'Chromium is missing\n  hint: apt-get install chromium, or set TIDEMARK_CHROMIUM=/path/to/it\n',
  )
  process.exit(1)
}

const home = await mkdtemp(join(os.tmpdir(), 'tidemark-screenshots-'))
// For root, the database server runs as another user, who must be able to enter.
await chmod(home, 0o711)
const ends = [() => rm(home, { recursive: true, force: true })]
try {
  const environment = await openEnvironment({
    config: readConfig({ TIDEMARK_HOME: home }),
    log: () => {},
    fill: false,
    signal: new AbortController().signal,
  })
  ends.push(() => environment[Symbol.asyncDispose]())
  const totesys = new pg.Client(environment.local.databases.adminUrl)
  await totesys.connect()
  ends.push(() => totesys.end())

  const order = await live(totesys, environment.deps)
  const server = await openServer(environment, { log: () => {}, port: 0 })
  ends.push(() => server[Symbol.asyncDispose]())
  const browser = await chromium.launch({
    executablePath,
    args: ['--disable-gpu', '--disable-background-networking', '--no-sandbox'],
  })
  ends.push(() => browser.close())

  await mkdir(target, { recursive: true })
  const shoot = (name, path, options) =>
    photograph(browser, { url: server.url, name, path, ...options })
  await shoot('overview', '/?period=12w')
  await shoot('overview-dark', '/?period=12w', { colorScheme: 'dark' })
  await shoot('overview-narrow', '/?period=12w', { width: 390, height: 1500 })
  await shoot('sales', '/sales?period=12w', { height: 1700 })
  await shoot('order', `/order/sales_order/${order}`, { height: 1300 })
  await shoot('changes', '/changes?period=all', { height: 1500 })
  await shoot('payments', '/payments?period=12w', { height: 1500 })
  await shoot('ask', '/ask?question=s03_best_designs', {
    height: 1300,
    async prepare(page) {
      await page.getByLabel('Show as').selectOption('bars')
      await page.getByLabel('SQL, one select').fill(ASKED)
      await page.getByRole('button', { name: 'Run' }).click()
      await page.waitForSelector('#result tbody tr')
    },
  })
  await shoot('pipeline', '/pipeline', { height: 1300 })
  await shoot('quarantine', '/quarantine', { height: 620 })
} finally {
  for (const end of ends.toReversed()) await end()
}

/** Lives through weeks, in batches. Returns an order that was changed and then deleted. */
async function live(totesys, deps) {
  const filledTo = new Date(Date.now() - LIFE.days * DAY_MS)
  await fillTotesys(totesys, { seed: SEED, salesOrders: 1800, until: filledTo })
  const living = createLiving(totesys, { seed: SEED, start: filledTo })
  const carry = async () => {
    const { failures } = await run(deps)
    if (failures[0] !== undefined) throw failures[0].error
  }
  await carry()
  const { rows } = await totesys.query(`
    select sales_order_id, transaction_id from sales_order
    inner join transaction using (sales_order_id)
    order by sales_order_id desc limit 1`)
  const [{ sales_order_id: order, transaction_id: transaction }] = rows
  const steps = {
    3: `update sales_order set units_sold = units_sold + 12100 where sales_order_id = ${order}`,
    6: `update sales_order set agreed_delivery_date = (agreed_delivery_date::date + 2)::text
        where sales_order_id = ${order}`,
    8: 'alter table staff add column nickname text',
    11: `delete from payment where transaction_id = ${transaction};
         delete from transaction where transaction_id = ${transaction};
         delete from sales_order where sales_order_id = ${order}`,
    12: `update sales_order set units_sold = 0
         where sales_order_id in (select max(sales_order_id) from sales_order)`,
    13: `update purchase_order set agreed_payment_date = 'to be agreed'
         where purchase_order_id in (select max(purchase_order_id) from purchase_order)`,
  }
  for (let step = 1; step <= LIFE.runs; step++) {
    await living.advanceTo(new Date(filledTo.getTime() + (step / LIFE.runs) * LIFE.days * DAY_MS))
    if (steps[step] !== undefined) await totesys.query(steps[step])
    await carry()
  }
  return order
}

/** Takes a picture of a page from its top once everything is drawn, cut where the page ends. */
async function photograph(
  browser,
  { url, name, path, width = 1280, height = 1400, colorScheme = 'light', prepare },
) {
  const context = await browser.newContext({
    baseURL: url,
    viewport: { width, height },
    deviceScaleFactor: 1,
    colorScheme,
    reducedMotion: 'reduce',
  })
  const page = await context.newPage()
  await page.goto(path)
  await prepare?.(page)
  await page.waitForFunction(() => {
    const drawings = [...document.querySelectorAll('.drawing')]
    const state = document.querySelector('#freshness .state')?.textContent ?? ''
    return drawings.every((drawing) => drawing.querySelector('svg path')) && state.endsWith(' old')
  })
  const whole = await page.evaluate(() => document.documentElement.scrollHeight)
  const file = join(target, `${name}.png`)
  await page.screenshot({
    path: file,
    fullPage: true,
    clip: { x: 0, y: 0, width, height: Math.min(height, whole) },
  })
  await context.close()
  const { size } = await stat(file)
  process.stdout.write(`docs/images/${name}.png  ${Math.round(size / 1000)} kB\n`)
  if (size > MAX_BYTES) throw new Error(`${name}.png is larger than ${MAX_BYTES} bytes`)
}
