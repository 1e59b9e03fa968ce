// `npm run screenshots`, after a build: starts what `tidemark up` starts in a temporary folder,
// captures the past of the simulated company and a few batches more, and takes pictures of the
// dashboard into docs/images/. The company is always the same; its dates follow the current day.
import { existsSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, rm, stat } from 'node:fs/promises'
import os from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { chromium } from 'playwright-core'
import { openEnvironment } from '../dist/apps/environment.js'
import { readConfig } from '../dist/apps/read-config.js'
import { openServer } from '../dist/apps/server/open-server.js'
import { standardProject } from '../dist/standard-project.js'
import { collect, extractUncontested, load, run, transform } from '../dist/platform/pipeline.js'

const MAX_BYTES = 300_000
// Enough for a chart of the lag.
const LIVE_BATCHES = 9
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
    config: readConfig({ TIDEMARK_HOME: home }, { added: await standardProject.settings() }),
    given: standardProject,
    log: () => {},
    fill: true,
    signal: new AbortController().signal,
  })
  ends.push(() => environment[Symbol.asyncDispose]())
  const totesys = new pg.Client(environment.local.databases.adminUrl)
  await totesys.connect()
  ends.push(() => totesys.end())

  const order = await live(totesys, environment)
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
  await shoot('changes', '/changes?period=all', { height: 2060 })
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

/**
 * Captures the company's past with a few faults in it, and some batches after it. Returns an order that was changed several
 * times and then deleted.
 */
async function live(totesys, { deps, local }) {
  const faults = {
    8: 'alter table staff add column nickname text',
    11: `update sales_order set units_sold = 0
         where sales_order_id in (select max(sales_order_id) from sales_order)`,
    12: `update purchase_order set agreed_payment_date = 'to be agreed'
         where purchase_order_id in (select max(purchase_order_id) from purchase_order)`,
  }
  let captures = 0
  await local.livePast(async () => {
    captures += 1
    if (faults[captures] !== undefined) await totesys.query(faults[captures])
    const { record } = await extractUncontested(deps)
    // The feeds hold all of the past.
    if (captures === 1) await collect(deps, { lastKnown: record?.batch ?? 0 })
    await transform(deps)
    await load(deps)
    return true
  })
  for (let batch = 1; batch <= LIVE_BATCHES; batch += 1) {
    await totesys.query(
      `update design set file_name = 'moved-${batch}.json' where design_id = $1`,
      [batch],
    )
    const { failures } = await run(deps)
    if (failures[0] !== undefined) throw failures[0].error
  }
  const warehouse = new pg.Client(local.databases.readerUrl)
  await warehouse.connect()
  const { rows } = await warehouse.query(`
    select sales_order_id from fact_sales_order
    group by sales_order_id
    having bool_or(record_operation = 'delete') and count(distinct units_sold) > 1
    order by count(*) desc, sales_order_id desc limit 1`)
  await warehouse.end()
  return rows[0].sales_order_id
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
