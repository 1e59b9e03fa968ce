import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { launchChromium } from './chromium.ts'
import { auditPage, checkCharts, findOverflow, openVisit, untilLive } from './visit.ts'

const site = inject('site')

/** Every page: the name of its test, its address and, if it must have any, the number of charts. */
const { amended = 0, deleted = 0, paid = 0, counterparty = 0 } = site ?? {}
const PAGES: [name: string, path: string, wants?: { charts?: number }][] = [
  ['Overview', '/', { charts: 1 }],
  ['Sales', '/sales', { charts: 8 }],
  ['Changes', '/changes', { charts: 2 }],
  ['Purchases', '/purchases', { charts: 3 }],
  ['Payments', '/payments', { charts: 3 }],
  ['Counterparty, to be chosen', '/counterparty'],
  ['Counterparty', `/counterparty?counterparty=${counterparty}&period=all`, { charts: 2 }],
  ['Order, to be found', '/order'],
  ['an amended sales order', `/order/sales_order/${amended}`],
  ['a deleted sales order', `/order/sales_order/${deleted}`],
  ['a purchase order', '/order/purchase_order/1'],
  ['a payment', `/order/payment/${paid}`],
  ['the list of sales orders', '/list/sales_order'],
  ['the list of purchase orders', '/list/purchase_order?sort=-amount'],
  ['the list of payments', '/list/payment?state=overdue&search=a'],
  ['an empty list', '/list/sales_order?search=nothing+is+called+so&state=deleted'],
  ['Tables', '/tables'],
  ['a table', '/table/fact_sales_order?sort=units_sold&order=desc'],
  ['a table of a dimension', '/table/dim_staff?q=a'],
  ['a row', `/table/fact_sales_order/row?key.sales_order_id=${amended}`],
  ['Lineage', '/lineage'],
  ['Ask', '/ask'],
  ['Ask, with a question', '/ask?question=s02_sales_by_week', { charts: 1 }],
  ['Ask, with a saved question', '/ask?saved=units-by-day', { charts: 1 }],
  ['My page', '/my', { charts: 2 }],
  ['Pipeline', '/pipeline'],
  ['Run', '/run/1'],
  ['Run with a change of schema', '/run/4'],
  ['Quarantine', '/quarantine'],
  ['Catalogue', '/catalogue'],
  ['a table of the catalogue', '/catalogue/staff'],
  ['a question', '/questions/s06_biggest_customers'],
  ['the API', '/docs'],
]

describe.skipIf(site === undefined)('a chart', () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await launchChromium(site?.chromium ?? '')
  })
  afterAll(() => browser?.close())

  it.each([
    // A lying bar, and a week on a time axis.
    ['/sales', 's03_best_designs', /\/list\/sales_order\?.*design=\d+/],
    ['/sales', 's02_sales_by_week', /\/list\/sales_order\?from=[\d-]+&to=[\d-]+&currency=[A-Z]+/],
    ['/payments', 'y06_biggest_debtors', /\/list\/payment\?.*counterparty=\d+.*state=unpaid/],
    ['/sales', 's08_sales_by_hour', /\/list\/sales_order/],
  ])('on %s leads from a mark of %s to its rows', async (path, question, target) => {
    await using visit = await openVisit(browser, { url: site?.url ?? '' })
    const { page, faults } = visit
    await page.goto(path)
    await untilLive(page)
    const drawing = page.locator(`.panel:has(#h-${question}) .drawing`).first()
    await drawing.scrollIntoViewIfNeeded()
    const { width = 0, height = 0 } = (await drawing.boundingBox()) ?? {}
    await drawing.hover({ position: { x: width / 2, y: height / 2 } })
    await drawing.click({ position: { x: width / 2, y: height / 2 } })
    await page.waitForURL(target)
    expect(await page.locator('tbody tr').count()).toBeGreaterThan(0)
    expect(faults).toEqual([])
  })
})

describe.skipIf(site === undefined)('every page', () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await launchChromium(site?.chromium ?? '')
  })
  afterAll(() => browser?.close())

  describe.each([
    ['in light', { colorScheme: 'light', viewport: { width: 1280, height: 900 } }],
    ['in dark', { colorScheme: 'dark', viewport: { width: 1280, height: 900 } }],
    ['390 px wide', { colorScheme: 'light', viewport: { width: 390, height: 844 } }],
  ] as const)('%s', (_, theme) => {
    it.each(PAGES)('%s', async (_name, path, wants) => {
      const { charts = 0 } = wants ?? {}
      await using visit = await openVisit(browser, { url: site?.url ?? '', ...theme })
      const { page, faults } = visit
      const response = await page.goto(path)
      expect(response?.status()).toBe(200)
      await untilLive(page)
      expect(await checkCharts(page)).toEqual([])
      expect(await page.locator('[data-plots]').count()).toBeGreaterThanOrEqual(charts)
      expect(await page.locator('.failure').count()).toBe(0)
      expect(await findOverflow(page)).toEqual([])
      expect(await auditPage(page)).toEqual([])
      expect(faults).toEqual([])
    })

    it('Ask with a result as bars', async () => {
      await using visit = await openVisit(browser, { url: site?.url ?? '', ...theme })
      const { page, faults } = visit
      await page.goto('/ask?question=s03_best_designs&chart=none')
      await page.getByLabel('Show as').selectOption('bars')
      await page.getByRole('button', { name: 'Run' }).click()
      await page.waitForSelector('#result tbody tr')
      await untilLive(page)
      expect(await checkCharts(page)).toEqual([])
      expect(await page.locator('[data-plots]').count()).toBe(1)
      expect(await findOverflow(page)).toEqual([])
      expect(await auditPage(page)).toEqual([])
      expect(faults).toEqual([])
    })
  })
})
