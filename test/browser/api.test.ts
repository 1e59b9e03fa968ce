import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { launchChromium } from './chromium.ts'
import { auditPage, findOverflow, openVisit, untilLive } from './visit.ts'

const site = inject('site')

describe.skipIf(site === undefined)('the page about the API', () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await launchChromium(site?.chromium ?? '')
  })
  afterAll(() => browser?.close())
  const open = async (options: { javaScriptEnabled?: boolean } = {}) => {
    const visit = await openVisit(browser, { url: site?.url ?? '', ...options })
    await visit.page.goto('/')
    await visit.page.getByRole('link', { name: 'API', exact: true }).click()
    await visit.page.waitForURL('**/docs')
    return visit
  }

  it('tries a request with the values of its fields, and shows the answer', async () => {
    await using visit = await open()
    const { page, faults } = visit
    await untilLive(page)
    const payments = page.locator('section', { has: page.locator('#h-payments') })
    await payments.getByLabel('limit').fill('2')
    await payments.getByLabel('direction').selectOption('in')
    await payments.getByRole('button', { name: 'Try it' }).click()
    const answer = payments.getByRole('region', { name: 'Answer to payments' })
    await expect.poll(() => answer.textContent()).toContain('"next": "')
    expect(await answer.textContent()).toContain('GET /payments?direction=in&limit=2\n\n200')
    expect((await answer.textContent())?.match(/"id": \d+,\n {6}"date"/g)).toHaveLength(2)

    await payments.getByLabel('Accept').selectOption('text/csv')
    await payments.getByRole('button', { name: 'Try it' }).click()
    await expect.poll(() => answer.textContent()).toContain('id,date,amount,currency')

    const one = page.locator('section', { has: page.locator('#h-payment') })
    await one.getByRole('textbox', { name: 'id' }).fill(String(site?.paid))
    await one.getByRole('button', { name: 'Try it' }).click()
    const history = one.getByRole('region', { name: 'Answer to payment' })
    await expect.poll(() => history.textContent()).toContain('"operation": "update"')

    const csv = page.locator('#q-s01_sales_by_currency')
    await csv.locator('summary').click()
    await csv.getByRole('button', { name: 'Try it' }).click()
    await expect
      .poll(() => csv.getByRole('region', { name: 'Answer to' }).textContent())
      .toContain('currency_code')
    expect(await findOverflow(page)).toEqual([])
    expect(await auditPage(page)).toEqual([])
    expect(faults).toEqual([])
  })

  it('shows a refusal as it is', async () => {
    await using visit = await open()
    const { page } = visit
    const payments = page.locator('section', { has: page.locator('#h-payments') })
    await payments.getByLabel('limit').fill('none')
    await payments.getByRole('button', { name: 'Try it' }).click()
    const answer = payments.getByRole('region', { name: 'Answer to payments' })
    await expect.poll(() => answer.textContent()).toContain('"code": "BAD_FILTER"')
    expect(await answer.textContent()).toContain('"parameter": "limit"')
  })

  it('shows an example in place of the form without a script', async () => {
    await using visit = await open({ javaScriptEnabled: false })
    const { page, faults } = visit
    expect(await page.getByRole('button', { name: 'Try it' }).count()).toBe(0)
    const example = page.getByRole('region', { name: 'Example of payments' })
    expect(await example.textContent()).toContain('curl -H "Authorization: Bearer $TOKEN"')
    expect(faults).toEqual([])
  })
})
