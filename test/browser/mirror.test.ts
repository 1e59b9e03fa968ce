import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import pg from 'pg'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { openEnvironment } from '../../src/apps/environment.ts'
import { startEmbeddedPostgres } from '../../src/apps/local/embedded-postgres.ts'
import { readConfig } from '../../src/apps/read-config.ts'
import { openServer } from '../../src/apps/server/open-server.ts'
import { run } from '../../src/platform/pipeline.ts'
import { standardProject } from '../../src/standard-project.ts'
import { launchChromium } from './chromium.ts'
import { auditPage, findOverflow, openVisit, untilLive } from './visit.ts'

const site = inject('site')

const SCHEMA = `
  create table customer (
    id integer primary key, name text not null, email text, born date, score numeric(8, 2),
    joined timestamptz not null default now(), tags text[], profile jsonb
  );
  comment on table customer is 'People who buy';
  comment on column customer.score is 'From 0 to 100 & more';
  insert into customer (id, name, email, born, score)
    select n, 'Customer ' || n, 'c' || n || '@example.org', date '1970-01-01' + n, n / 3.0
    from generate_series(1, 140) as n;
  create table "Stock ""Room""" (
    "Aisle" integer, "No." text, "what <is> in it" text, primary key ("Aisle", "No.")
  );
  insert into "Stock ""Room""" values (1, 'a&b', '<img src=x onerror=alert(1)>'), (1, '', repeat('long ', 300));
  create table visit (path text);
  insert into visit values ('/'), ('/'), ('/a');
  create table nothing (id integer primary key)`
const CHANGES = [
  `update customer set name = name || '!' where id % 3 = 0; alter table customer add column phone text`,
  `delete from customer where id in (8, 9);
   update customer set phone = '+44 1', score = null where id < 5; insert into visit values ('/')`,
]

/** A source with a history, mirrored into a warehouse of its own, and its server. */
async function openMirror() {
  const home = mkdtempSync(path.join(os.tmpdir(), 'tidemark-browser-'))
  chmodSync(home, 0o711)
  const ends: (() => Promise<unknown>)[] = [
    async () => rmSync(home, { recursive: true, force: true }),
  ]
  const close = async (): Promise<void> => {
    for (const end of ends.toReversed()) await end()
  }
  try {
    const postgres = await startEmbeddedPostgres({ dataDir: path.join(home, 'source') })
    ends.push(() => postgres.stop())
    const source = new pg.Client(postgres.url('postgres'))
    await source.connect()
    ends.push(() => source.end())
    await source.query(SCHEMA)
    const environment = await openEnvironment({
      config: readConfig({
        TIDEMARK_HOME: path.join(home, 'home'),
        TIDEMARK_SOURCE_URL: postgres.url('postgres'),
      }),
      given: standardProject,
      log: () => {},
      fill: false,
      embedWarehouse: true,
      signal: new AbortController().signal,
    })
    ends.push(async () => environment[Symbol.asyncDispose]())
    for (const sql of ['select 1', ...CHANGES]) {
      await source.query(sql)
      const { failures } = await run(environment.deps)
      if (failures[0] !== undefined) throw failures[0].error
    }
    const server = await openServer(environment, { log: () => {}, port: 0 })
    ends.push(async () => server[Symbol.asyncDispose]())
    return { url: server.url, close }
  } catch (error) {
    await close()
    throw error
  }
}

const STOCK = `/table/${encodeURIComponent('Stock "Room"')}`
const PAGES = [
  '/',
  '/table/customer',
  '/table/customer?q=customer+1&from.born=1970-01-20&sort=name&order=desc',
  '/table/customer?from.born=soon&contains.email=org',
  '/table/customer?state=deleted',
  '/table/customer/row?key.id=3',
  '/table/customer/row?key.id=8',
  STOCK,
  `${STOCK}/row?key.Aisle=1&key.No.=a%26b`,
  '/table/visit',
  '/table/nothing',
  '/lineage',
  '/lineage?table=customer',
  '/ask',
  '/my',
  '/pipeline',
  '/run/2',
  '/quarantine',
  '/catalogue',
  '/catalogue/customer',
  '/docs',
]

describe.skipIf(site === undefined)('the pages of a mirror', () => {
  let browser: Browser
  let mirror: Awaited<ReturnType<typeof openMirror>>
  beforeAll(async () => {
    mirror = await openMirror()
    browser = await launchChromium(site?.chromium ?? '')
  })
  afterAll(async () => {
    await browser?.close()
    await mirror?.close()
  })

  describe.each([
    ['in light', { colorScheme: 'light', viewport: { width: 1280, height: 900 } }],
    ['in dark', { colorScheme: 'dark', viewport: { width: 768, height: 900 } }],
    ['390 px wide', { colorScheme: 'light', viewport: { width: 390, height: 844 } }],
  ] as const)('%s', (_, theme) => {
    it.each(PAGES)('%s', async (address) => {
      await using visit = await openVisit(browser, { url: mirror.url, ...theme })
      const { page, faults } = visit
      const response = await page.goto(address)
      expect(response?.status()).toBe(200)
      await untilLive(page)
      await page.evaluate(() => {
        for (const details of document.querySelectorAll('main details')) {
          ;(details as HTMLDetailsElement).open = true
        }
      })
      expect(await findOverflow(page)).toEqual([])
      expect(await auditPage(page)).toEqual([])
      expect(faults).toEqual([])
    })
  })

  it.each([true, false])(
    'lead from a search and a filter to the versions of a row, with a script: %s',
    async (javaScriptEnabled) => {
      await using visit = await openVisit(browser, { url: mirror.url, javaScriptEnabled })
      const { page, faults } = visit
      await page.goto('/')
      await page.getByRole('link', { name: 'customer', exact: true }).first().click()
      await page.locator('input[name=q]').fill('customer 1')
      await page.getByRole('button', { name: 'Search' }).click()
      await page.waitForURL('**/table/customer?q=customer+1')
      await page.getByText('Add a filter').click()
      await page.locator('select[name=column]').selectOption('phone')
      await page.locator('select[name=is]').selectOption('is not null')
      await page.getByRole('button', { name: 'Add', exact: true }).click()
      await page.waitForURL('**/table/customer?q=customer+1&filled.phone=yes')
      expect(await page.locator('.grid tbody tr').count()).toBe(1)
      await page.getByRole('link', { name: 'History of 1' }).click()
      await page.waitForURL('**/table/customer/row?key.id=1')
      expect(await page.locator('.timeline > li').count()).toBe(2)
      await page.goBack()
      await page.getByRole('link', { name: /phone is not null/ }).click()
      await page.waitForURL('**/table/customer?q=customer+1')
      expect(faults).toEqual([])
    },
  )

  it('lead from a node of the picture to its table, by keyboard too', async () => {
    await using visit = await openVisit(browser, { url: mirror.url })
    const { page, faults } = visit
    await page.goto('/lineage')
    await page.getByRole('link', { name: /^table customer/ }).focus()
    await page.keyboard.press('Enter')
    await page.waitForURL('**/table/customer')
    expect(faults).toEqual([])
  })
})
