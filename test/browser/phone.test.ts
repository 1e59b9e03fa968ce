import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { launchChromium } from './chromium.ts'
import { auditPage, openVisit, untilLive } from './visit.ts'

const site = inject('site')
const { amended = 0, deleted = 0, paid = 0, counterparty = 0 } = site ?? {}
const PAGES = [
  '/',
  '/sales',
  '/changes?period=all',
  '/purchases',
  '/payments',
  `/counterparty?counterparty=${counterparty}&period=all`,
  '/counterparty',
  '/order',
  `/order/sales_order/${amended}`,
  `/order/sales_order/${deleted}`,
  `/order/payment/${paid}`,
  '/tables',
  '/table/fact_sales_order',
  `/table/fact_sales_order/row?key.sales_order_id=${amended}`,
  '/lineage',
  '/ask',
  '/ask?saved=units-by-day',
  '/my',
  '/pipeline',
  '/run/4',
  '/quarantine',
  '/catalogue',
  '/catalogue/staff',
  '/questions/s06_biggest_customers',
]
const viewport = { width: 390, height: 844 }

describe.skipIf(site === undefined)('on a phone', () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await launchChromium(site?.chromium ?? '')
  })
  afterAll(() => browser?.close())

  it.each(PAGES)('%s has no element wider than the page, its tables opened', async (path) => {
    await using visit = await openVisit(browser, { url: site?.url ?? '', viewport })
    const { page, faults } = visit
    await page.goto(path)
    await untilLive(page)
    await page.evaluate(() => {
      for (const details of document.querySelectorAll('details')) details.open = true
    })
    const wide = await page.evaluate(() =>
      [...document.querySelectorAll('body *')].flatMap((element) => {
        const { right, left, width } = element.getBoundingClientRect()
        // What scrolls within its own box may be wider than the page; cards have no need to.
        const scroller = element.parentElement?.closest('.table-wrap, pre, svg, .choices')
        const isOutside = right > innerWidth + 1 || left < -1
        return width > 1 && isOutside && (scroller === null || scroller?.matches('.stack'))
          ? [`${left} to ${right}: ${element.outerHTML.slice(0, 120)}`]
          : []
      }),
    )
    expect(wide).toEqual([])
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390)
    expect(await auditPage(page)).toEqual([])
    expect(faults).toEqual([])
  })

  it.each(PAGES)('%s has one line of navigation that names the page', async (path) => {
    await using visit = await openVisit(browser, {
      url: site?.url ?? '',
      viewport,
      javaScriptEnabled: false,
    })
    const { page } = visit
    await page.goto(path)
    const nav = page.locator('nav[aria-label=Pages]')
    const [current = 'Pages'] = await nav.locator('.menu [aria-current=page]').allTextContents()
    expect(await nav.innerText()).toBe(current)
    expect(current === 'Pages').toBe(path.startsWith('/questions/'))
    const brand = await page.locator('.brand').boundingBox()
    const summary = await nav.locator('summary').boundingBox()
    expect(Math.abs(brand!.y + brand!.height / 2 - summary!.y - summary!.height / 2)).toBeLessThan(
      16,
    )
    expect(summary!.height).toBeGreaterThanOrEqual(24)
    await nav.locator('summary').click()
    await nav.getByRole('link', { name: 'Quarantine' }).click()
    await page.waitForURL('**/quarantine')
  })

  it('the amount of a row comes first and is seen without scrolling', async () => {
    await using visit = await openVisit(browser, { url: site?.url ?? '', viewport })
    const { page } = visit
    for (const path of ['/', '/payments', '/changes?period=all']) {
      await page.goto(path)
      await untilLive(page)
      const rows = page.locator('.panel > .stack tbody tr')
      expect(await rows.count()).toBeGreaterThan(0)
      for (const row of (await rows.all()).slice(0, 3)) {
        const amount = await row.locator('td.foremost').boundingBox()
        const tops = await row
          .locator('td:visible:not(.foremost, .currency)')
          .evaluateAll((cells) => cells.map((cell) => cell.getBoundingClientRect().top + scrollY))
        const scrolled = await page.evaluate(() => scrollY)
        expect(amount!.x + amount!.width).toBeLessThanOrEqual(390)
        expect(amount!.y + scrolled).toBeLessThan(Math.min(...tops))
      }
    }
  })

  it.each([390, 768, 1024, 1280])('%i px wide, no label of a chart is cut off', async (width) => {
    const size = { width, height: 900 }
    await using visit = await openVisit(browser, { url: site?.url ?? '', viewport: size })
    const { page } = visit
    for (const path of PAGES.slice(0, 6)) {
      await page.goto(path)
      await untilLive(page)
      const cut = await page.evaluate(() =>
        [...document.querySelectorAll('.drawing svg')].flatMap((svg) => {
          const place = svg.getBoundingClientRect()
          return [...svg.querySelectorAll('text')].flatMap((text) => {
            const { left, right, top, bottom } = text.getBoundingClientRect()
            const isInside =
              left >= place.left - 1 &&
              right <= place.right + 1 &&
              top >= place.top - 2 &&
              bottom <= place.bottom + 2
            return isInside
              ? []
              : [`${svg.closest('.panel')?.querySelector('h2')?.textContent}: ${text.textContent}`]
          })
        }),
      )
      expect(cut, path).toEqual([])
    }
  })
})
