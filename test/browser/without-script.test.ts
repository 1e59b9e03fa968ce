import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { launchChromium } from './chromium.ts'
import { openVisit, type Visit } from './visit.ts'

const site = inject('site')

describe.skipIf(site === undefined)('without a script', () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await launchChromium(site?.chromium ?? '')
  })
  afterAll(() => browser?.close())
  const open = async (path: string): Promise<Visit> => {
    const visit = await openVisit(browser, { url: site?.url ?? '', javaScriptEnabled: false })
    await visit.page.goto(path)
    return visit
  }

  it.each([
    '/',
    '/sales',
    '/changes',
    '/purchases',
    '/payments',
    `/counterparty?counterparty=${site?.counterparty}&period=all`,
  ])('%s has every number in a table', async (path) => {
    await using visit = await open(path)
    const { page, faults } = visit
    const panels = await page.locator('.panels > .panel').all()
    expect(panels.length).toBeGreaterThan(1)
    for (const panel of panels) {
      const title = await panel.locator('h2').innerText()
      if ((await panel.locator('.empty').count()) > 0) continue
      const numbers = await panel.locator('tbody td').filter({ hasText: /\d/ }).count()
      expect(numbers, title).toBeGreaterThan(0)
      // In place of each drawing is the sentence that describes it.
      const sentences = await panel
        .locator('.drawing')
        .evaluateAll((drawings) =>
          drawings.map((drawing) => getComputedStyle(drawing, '::before').content),
        )
      for (const sentence of sentences) expect(sentence, title).toMatch(/^"\S+( \S+){4,}\."$/)
    }
    expect(faults).toEqual([])
  })

  it('the rows of a table under a chart lead on', async () => {
    await using visit = await open('/sales')
    const { page, faults } = visit
    await page.locator('#t-s02_sales_by_week summary').click()
    const link = page.locator('#t-s02_sales_by_week tbody a').first()
    const day = await link.innerText()
    await link.click()
    await page.waitForURL(/\/list\/sales_order\?from=/)
    expect(await page.locator('.range').innerText()).toContain(day)
    expect(faults).toEqual([])
  })

  it('a table is unfolded', async () => {
    await using visit = await open('/sales')
    const { page } = visit
    const details = page.locator('#t-s02_sales_by_week')
    expect(await details.locator('table').isVisible()).toBe(false)
    await details.locator('summary').click()
    expect(await details.locator('table').isVisible()).toBe(true)
  })

  it('filters are sent by their form, empty ones left out of the address', async () => {
    await using visit = await open('/sales')
    const { page } = visit
    await page.locator('summary', { hasText: 'Filter' }).click()
    await page.getByLabel('Currency').selectOption('USD')
    await page.getByRole('button', { name: 'Show', exact: true }).click()
    await page.waitForURL((url) => url.search === '?currency=USD')
    expect(await page.locator('.cards').first().locator('.card-name').allInnerTexts()).toEqual([
      'USD',
    ])
  })

  it('the moment of Changes is sent by its form', async () => {
    await using visit = await open('/changes')
    const { page } = visit
    const moment = new Date().toISOString().slice(0, 10)
    await page.locator('form.lead input[type=text]').fill(moment)
    await page.locator('form.lead button').click()
    await page.waitForURL((url) => url.searchParams.get('then')?.startsWith(moment) ?? false)
    expect(await page.locator('.failure, [role=alert]').count()).toBe(0)
  })

  it('Ask answers', async () => {
    await using visit = await open('/ask')
    const { page, faults } = visit
    await page.getByLabel('SQL, one select').fill('select 6 * 7 as answer')
    await page.getByRole('button', { name: 'Run' }).click()
    await page.waitForSelector('#result')
    expect(await page.locator('#result tbody td').allInnerTexts()).toEqual(['42'])
    expect(faults).toEqual([])
  })

  it('an order is found by its number', async () => {
    await using visit = await open('/order')
    const { page } = visit
    await page.getByLabel('What').selectOption('sales_order')
    await page.getByLabel('Number').fill(String(site?.deleted))
    await page.getByRole('button', { name: 'Show' }).click()
    await page.waitForURL(`**/order/sales_order/${site?.deleted}`)
    expect(await page.locator('main').innerText()).toContain('deleted')
    expect(await page.locator('#h-versions ~ .table-wrap tbody tr').count()).toBeGreaterThan(5)
  })
})
