import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import type { OpenServer } from '../../src/apps/server/open-server.ts'
import { run } from '../../src/platform/pipeline.ts'
import { diskDrop } from '../../src/platform/source/drop.ts'
import { launchChromium } from './chromium.ts'
import { auditPage, openVisit, untilLive } from './visit.ts'
import { openWorld, type World } from './world.ts'

const site = inject('site')

describe.skipIf(site === undefined)('amounts in one currency', () => {
  const drop = mkdtempSync(path.join(os.tmpdir(), 'tidemark-drop-'))
  let browser: Browser
  let world: World
  let server: OpenServer
  beforeAll(async () => {
    browser = await launchChromium(site?.chromium ?? '')
    world = await openWorld({ salesOrders: 120, days: 1 })
    await world.run()
    // Dollars have had rates for a while, euro since yesterday, so most euro orders have none.
    const daysAgo = (days: number): string =>
      new Date(Date.now() - days * 86_400_000).toISOString().slice(0, 10)
    mkdirSync(path.join(drop, 'exchange_rate'))
    writeFileSync(
      path.join(drop, 'exchange_rate', 'rates.csv'),
      `base,quote,rate_date,rate,source
USD,GBP,${daysAgo(60)},0.7801,Bank of Leeds
USD,GBP,${daysAgo(20)},0.7912,Bank of Leeds
EUR,GBP,${daysAgo(3)},0.8712,Bank of Leeds
`,
    )
    const feeds = { drop: diskDrop(drop, { settledMs: 0 }) }
    const { failures } = await run({ ...world.environment.deps, feeds })
    if (failures[0] !== undefined) throw failures[0].error
    server = await world.serve()
  })
  afterAll(async () => {
    await server?.[Symbol.asyncDispose]()
    await world?.[Symbol.asyncDispose]()
    await browser?.close()
    rmSync(drop, { recursive: true, force: true })
  })

  it('are chosen in a form, without a script', async () => {
    await using visit = await openVisit(browser, { url: server.url, javaScriptEnabled: false })
    const { page, faults } = visit
    await page.goto('/sales')
    await page.locator('#filters summary').click()
    await page.getByLabel('In one currency').selectOption('GBP')
    await page.getByRole('button', { name: 'Show' }).click()
    expect(new URL(page.url()).search).toContain('in=GBP')
    const card = page.locator('section[aria-labelledby="h-s16_sales_in_one_currency"] .card')
    const text = await card.innerText()
    expect(text).toMatch(/All in GBP\s+[\d,]+\.\d\d/)
    expect(text).toMatch(
      /USD→GBP 0\.7912 from .* \(last known, \d+ days old\) · source Bank of Leeds/,
    )
    expect(text).toMatch(/\d+ orders not converted: no rate/)
    await page.getByRole('link', { name: 'In one currency: GBP' }).click()
    await expect.poll(() => card.count()).toBe(0)
    expect(faults).toEqual([])
  })

  it('are drawn in one chart in place of one for each currency', async () => {
    await using visit = await openVisit(browser, { url: server.url })
    const { page, faults } = visit
    const panel = page.locator('section[aria-labelledby="h-s02_sales_by_week"]')
    await page.goto('/sales?period=all')
    await untilLive(page)
    expect(await panel.locator('.plot h3 span').allInnerTexts()).toEqual(['EUR', 'GBP', 'USD'])
    await page.goto('/sales?period=all&in=GBP&by=month')
    await untilLive(page)
    expect(await panel.locator('.plot h3 span').allInnerTexts()).toEqual(['GBP'])
    expect(await panel.innerText()).toContain('all in GBP, at each day’s rate')
    expect(await panel.innerText()).toMatch(/\d+ orders left out: no rate/)
    expect(await panel.locator('canvas, svg').count()).toBe(1)
    expect(faults).toEqual([])
  })

  it.each([
    ['/', 'light', 1280],
    ['/', 'dark', 390],
    ['/payments', 'light', 390],
    ['/sales', 'dark', 1280],
  ] as const)(
    'on %s, %s, %i wide, are there for everybody',
    async (address, colorScheme, width) => {
      await using visit = await openVisit(browser, {
        url: server.url,
        colorScheme,
        viewport: { width, height: 900 },
      })
      const { page, faults } = visit
      await page.goto(`${address}?in=GBP`)
      await untilLive(page)
      expect(await auditPage(page)).toEqual([])
      const overflow = await page.evaluate(
        () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
      )
      expect(overflow).toBeLessThanOrEqual(0)
      expect(faults).toEqual([])
    },
  )
})
