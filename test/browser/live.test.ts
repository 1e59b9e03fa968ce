import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import type { OpenServer } from '../../src/apps/server/open-server.ts'
import { launchChromium } from './chromium.ts'
import { openVisit, untilLive } from './visit.ts'
import { openWorld, type World } from './world.ts'

const site = inject('site')

const ROUNDS = 5

describe.skipIf(site === undefined)('an open page', () => {
  let browser: Browser
  let world: World
  let server: OpenServer
  let loadedAt = 0
  beforeAll(async () => {
    browser = await launchChromium(site?.chromium ?? '')
    world = await openWorld({
      salesOrders: 60,
      days: 3,
      onLog({ event }) {
        if (event === 'batch_loaded') loadedAt = performance.now()
      },
    })
    await world.run()
    server = await world.serve()
  })
  afterAll(async () => {
    await server?.[Symbol.asyncDispose]()
    await world?.[Symbol.asyncDispose]()
    await browser?.close()
  })

  const sell = async (units: number): Promise<void> => {
    await world.totesys.query(
      `update sales_order set units_sold = units_sold + $1
       where sales_order_id = (select max(sales_order_id) from sales_order)`,
      [units],
    )
  }
  const stateOf = (page: Page): Promise<string | null> =>
    page.locator('main').getAttribute('data-state')
  const batchOf = async (page: Page): Promise<number> =>
    Number((await stateOf(page))?.split(' ').at(-1))
  /** Resolves once the page shows another batch than now. */
  const nextSwap = (page: Page): Promise<void> =>
    page.evaluate(
      () =>
        new Promise<void>((resolve) => {
          const before = document.querySelector('main')?.dataset['state']
          new MutationObserver((_, observer) => {
            if (document.querySelector('main')?.dataset['state'] === before) return
            observer.disconnect()
            resolve()
          }).observe(document.body, { childList: true, subtree: true, attributes: true })
        }),
    )

  it('shows a batch as soon as it hears of it, with its freshness and its numbers', async () => {
    await using visit = await openVisit(browser, { url: server.url })
    const { page, faults } = visit
    await page.clock.install()
    await page.goto('/changes?period=all')
    await untilLive(page)
    // The page's clock is stopped, so that no timer of the page counts. The server waits half a
    // second. How long both take beyond that depends on the machine.
    await page.clock.pauseAt(Date.now() + 3_600_000)
    const lags: number[] = []
    for (let round = 0; round < ROUNDS; round++) {
      const before = await batchOf(page)
      const asOf = await page.locator('#freshness time').getAttribute('datetime')
      const swapped = nextSwap(page)
      await sell(1000 + round)
      await world.run()
      await swapped
      lags.push(performance.now() - loadedAt)
      expect(await batchOf(page)).toBe(before + 1)
      const { rows } = await world.totesys.query<{ now: string }>('select now() as now')
      const shown = (await page.locator('#freshness time').getAttribute('datetime')) ?? ''
      expect(shown > (asOf ?? '')).toBe(true)
      expect(Date.parse(shown)).toBeLessThanOrEqual(new Date(rows[0]?.now ?? '').getTime())
    }
    // The order was amended five times since the page was opened, and its chart shows that.
    await page.waitForSelector('#t-s10_order_changes')
    await page.clock.runFor(1000)
    expect(await page.locator('[data-plots] .drawing svg path').count()).toBeGreaterThan(0)
    const sorted = lags.toSorted((a, b) => a - b)
    const median = sorted[ROUNDS >> 1] ?? Number.NaN
    process.stdout.write(
      `from the ledger's row to the open page: median ${Math.round(median)} ms, slowest ${Math.round(sorted.at(-1) ?? 0)} ms\n`,
    )
    expect(faults).toEqual([])
  })

  it('tells of new data, and waits, while somebody has the focus in it', async () => {
    await using visit = await openVisit(browser, { url: server.url })
    const { page, faults } = visit
    await page.goto('/sales')
    await untilLive(page)
    await page.locator('summary', { hasText: 'Filter' }).click()
    const field = page.locator('#filters input[name=from]')
    await field.focus()
    const before = await batchOf(page)
    await sell(77)
    await world.run()
    const news = page.getByRole('status').filter({ hasText: 'New data' })
    await news.waitFor()
    expect(await batchOf(page)).toBe(before)
    expect(await field.evaluate((element) => element === document.activeElement)).toBe(true)
    const swapped = nextSwap(page)
    await news.getByRole('button', { name: 'Refresh' }).click()
    await swapped
    expect(await batchOf(page)).toBe(before + 1)
    expect(await page.locator('#news').textContent()).toBe('')
    // What was unfolded stays so: the next batch must not close it while somebody reads it.
    expect(await page.locator('#filters').getAttribute('open')).not.toBeNull()
    expect(faults).toEqual([])
  })

  it('a page that says an error says the moment and the age of the data too', async () => {
    await using visit = await openVisit(browser, { url: server.url })
    const { page } = visit
    await page.goto('/sales?nonsense=1')
    await page.waitForFunction(() =>
      document.querySelector('#freshness')?.textContent?.includes(' old'),
    )
    const header = await page.locator('#freshness').innerText()
    expect(header).toMatch(/^✓\s*Data as of \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC\s+fresh, \d+ s old$/)
    expect(await page.locator('#freshness').getAttribute('data-promise-ms')).toMatch(/^\d+$/)
  })

  it('keeps the focus outside its content, the scroll position and what is unfolded', async () => {
    await using visit = await openVisit(browser, { url: server.url })
    const { page } = visit
    await page.goto('/sales')
    await untilLive(page)
    await page.locator('.panel').first().locator('summary').click()
    await page.getByRole('link', { name: 'Purchases' }).focus()
    await page.evaluate(() => scrollTo({ top: 300, behavior: 'instant' }))
    const swapped = nextSwap(page)
    await sell(5)
    await world.run()
    await swapped
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe('Purchases')
    expect(await page.evaluate(() => scrollY)).toBe(300)
    expect(await page.locator('.panel details[open]').count()).toBe(1)
  })

  it('says in red that the promise is missed, and for how long', async () => {
    await using visit = await openVisit(browser, { url: server.url })
    const { page } = visit
    await page.clock.install()
    await page.goto('/')
    await untilLive(page)
    const header = page.locator('#freshness')
    expect(await header.getAttribute('class')).toContain('ok')
    await page.clock.fastForward('31:00')
    await page.waitForSelector('#freshness.bad')
    expect(await header.innerText()).toMatch(/✕\s*Data as of .* UTC\s+late, 31 min old/)
  })

  it('says in red that the stream is lost, and takes it up again', async () => {
    const own = await world.serve()
    await using visit = await openVisit(browser, { url: own.url })
    const { page } = visit
    await page.goto('/')
    await untilLive(page)
    await own[Symbol.asyncDispose]()
    await page.waitForSelector('#freshness.bad')
    const header = page.locator('#freshness')
    expect(await header.innerText()).toContain('connection lost, trying again')
    const colors = await header.evaluate((element) => [
      getComputedStyle(element).color,
      getComputedStyle(document.body).color,
    ])
    expect(colors[0]).not.toBe(colors[1])
    await using again = await world.serve(own.port)
    expect(again.url).toBe(own.url)
    await page.waitForSelector('#freshness.ok')
    expect(await header.innerText()).toContain('fresh')
  })
})
