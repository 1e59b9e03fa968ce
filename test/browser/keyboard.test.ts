import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { launchChromium } from './chromium.ts'
import { openVisit, untilLive, type Visit } from './visit.ts'

const site = inject('site')

/** The element with the focus, in a word or two, and whether it is visible. */
const focused = (page: Page): Promise<{ text: string; isVisible: boolean }> =>
  page.evaluate(() => {
    const element = document.activeElement
    if (!(element instanceof HTMLElement)) return { text: '', isVisible: false }
    const { outlineStyle, outlineWidth } = getComputedStyle(element)
    const box = element.getBoundingClientRect()
    const isInView =
      box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth
    return {
      text: (element.getAttribute('aria-label') ?? element.textContent ?? '').trim(),
      isVisible: isInView && outlineStyle !== 'none' && Number.parseFloat(outlineWidth) >= 2,
    }
  })

/** Presses Tab until the focus is where it should be. Every stop on the way must be visible. */
async function tabTo(page: Page, matches: (text: string) => boolean): Promise<string[]> {
  const stops: string[] = []
  for (let press = 0; press < 300; press++) {
    await page.keyboard.press('Tab')
    const { text, isVisible } = await focused(page)
    expect(isVisible, `the focus on “${text.slice(0, 60)}”`).toBe(true)
    stops.push(text)
    if (matches(text)) return stops
  }
  throw new Error(`Tab does not lead there, but to ${stops.join(' · ')}`)
}

describe.skipIf(site === undefined)('with a keyboard', () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await launchChromium(site?.chromium ?? '')
  })
  afterAll(() => browser?.close())
  const open = async (path: string): Promise<Visit> => {
    const visit = await openVisit(browser, { url: site?.url ?? '' })
    await visit.page.goto(path)
    await untilLive(visit.page)
    return visit
  }

  it('the first stop skips to the content', async () => {
    await using visit = await open('/sales')
    const { page } = visit
    await page.keyboard.press('Tab')
    expect(await focused(page)).toEqual({ text: 'Skip to the content', isVisible: true })
    await page.keyboard.press('Enter')
    expect(await page.evaluate(() => document.activeElement?.id)).toBe('main')
    await page.keyboard.press('Tab')
    expect(await page.evaluate(() => document.activeElement?.closest('main') !== null)).toBe(true)
  })

  it('the navigation leads from page to page', async () => {
    await using visit = await open('/')
    const { page } = visit
    const stops = await tabTo(page, (text) => text === 'Payments')
    expect(stops.slice(0, 3)).toEqual(['Skip to the content', 'Tidemark', 'Overview'])
    await page.keyboard.press('Enter')
    await page.waitForURL('**/payments')
    expect(await page.getByRole('link', { name: 'Payments' }).getAttribute('aria-current')).toBe(
      'page',
    )
  })

  it('filters are unfolded, chosen and sent', async () => {
    await using visit = await open('/sales')
    const { page } = visit
    await tabTo(page, (text) => text.startsWith('Filter'))
    await page.keyboard.press('Enter')
    await page.keyboard.press('Tab')
    expect(await page.evaluate(() => document.activeElement?.closest('form') !== null)).toBe(true)
    const select = page.getByLabel('Currency')
    for (let press = 0; press < 20; press++) {
      if (await select.evaluate((element) => element === document.activeElement)) break
      await page.keyboard.press('Tab')
    }
    await page.keyboard.type('EUR')
    await tabTo(page, (text) => text === 'Show')
    await page.keyboard.press('Enter')
    await page.waitForURL(/[?&]currency=EUR(&|$)/)
    expect(await page.locator('.chip').innerText()).toContain('EUR')
  })

  it('a list is searched, sorted and paged through, and a row leads to its page', async () => {
    await using visit = await open('/sales')
    const { page, faults } = visit
    await tabTo(page, (text) => text === 'The whole list')
    await page.keyboard.press('Enter')
    await page.waitForURL('**/list/sales_order')
    await untilLive(page)
    await tabTo(page, (text) => text.startsWith('Amount'))
    await page.keyboard.press('Enter')
    await page.waitForURL('**/list/sales_order?sort=-amount')
    const sorted = page.locator('th[aria-sort]')
    expect(await sorted.getAttribute('aria-sort')).toBe('descending')
    expect(await sorted.innerText()).toContain('Amount')
    const rows = () => page.locator('tbody tr td:first-child').allInnerTexts()
    const first = await rows()
    await untilLive(page)
    await tabTo(page, (text) => text.startsWith('next'))
    await page.keyboard.press('Enter')
    await page.waitForURL(/cursor=/)
    const second = await rows()
    expect(second.length).toBeGreaterThan(0)
    expect(second.filter((row) => first.includes(row))).toEqual([])
    await page.getByLabel('Customer, design, staff or number').fill(second[0] ?? '')
    await page.keyboard.press('Enter')
    await page.waitForURL(/search=/)
    await untilLive(page)
    await tabTo(page, (text) => text === second[0])
    await page.keyboard.press('Enter')
    await page.waitForURL(`**/order/sales_order/${second[0]}`)
    expect(faults).toEqual([])
  })

  it('a chart is unfolded to its table, which takes the focus to be scrolled', async () => {
    await using visit = await open('/sales')
    const { page } = visit
    await tabTo(page, (text) => text.startsWith('Show as table'))
    const details = page.locator('details:has(> summary:focus)')
    expect(await details.getAttribute('open')).toBeNull()
    await page.keyboard.press('Space')
    const id = (await details.getAttribute('id')) ?? ''
    expect(await page.locator(`#${id}`).getAttribute('open')).not.toBeNull()
    await page.keyboard.press('Tab')
    const region = await page.evaluate(() => ({
      role: document.activeElement?.getAttribute('role'),
      of: document.activeElement?.closest('details')?.id,
    }))
    expect(region).toEqual({ role: 'region', of: id })
  })

  it.each(['/', '/sales', '/payments', '/list/payment', '/pipeline', '/quarantine', '/catalogue'])(
    'everything that scrolls on %s takes the focus',
    async (path) => {
      await using visit = await openVisit(browser, {
        url: site?.url ?? '',
        viewport: { width: 390, height: 844 },
      })
      const { page } = visit
      await page.goto(path)
      await untilLive(page)
      const closed = await page.evaluate(() =>
        [...document.querySelectorAll<HTMLElement>('main *')]
          .filter((element) => /auto|scroll/.test(getComputedStyle(element).overflowX))
          .filter((element) => element.scrollWidth > element.clientWidth && element.tabIndex < 0)
          .filter((element) => !(element instanceof HTMLTextAreaElement))
          .map((element) => element.outerHTML.slice(0, 120)),
      )
      expect(closed).toEqual([])
    },
  )
})
