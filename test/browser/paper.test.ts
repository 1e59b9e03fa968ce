import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { launchChromium } from './chromium.ts'
import { openVisit, untilLive } from './visit.ts'

const site = inject('site')
const PAGES = [
  '/',
  '/sales',
  '/changes?period=all',
  '/purchases',
  '/payments',
  `/counterparty?counterparty=${site?.counterparty ?? 0}&period=all`,
]
/** The width of A4 within the margins of the style sheet, in CSS pixels. */
const PAPER_PX = (186 / 25.4) * 96

interface Measured {
  /** Drawings that are wider than the page, or that have no view box to shrink with. */
  readonly faults: readonly string[]
  readonly drawings: number
  /** What the charts are drawn on. */
  readonly paper: string
}

/** Prints the page and returns what its charts were like when it was about to be printed. */
async function print(page: Page): Promise<Measured> {
  await page.evaluate((widthPx) => {
    addEventListener(
      'beforeprint',
      () => {
        const svgs = [...document.querySelectorAll<SVGSVGElement>('.drawing svg')]
        const faults = svgs.flatMap((svg) => {
          const { left, right, width } = svg.getBoundingClientRect()
          const sheet = document.body.getBoundingClientRect()
          const place = svg.closest('.drawing')?.getBoundingClientRect()
          const isOnPage = left >= sheet.left && right <= sheet.left + widthPx + 1
          const isInside = isOnPage && width <= (place?.width ?? 0) + 1
          const isScaled = /^0 0 \d/.test(svg.getAttribute('viewBox') ?? '')
          return isInside && isScaled ? [] : [`${left} to ${right}, ${svg.getAttribute('viewBox')}`]
        })
        const paper = getComputedStyle(document.documentElement).getPropertyValue('--paper').trim()
        Object.assign(globalThis, { measured: { faults, drawings: svgs.length, paper } })
      },
      { once: true },
    )
  }, PAPER_PX)
  await page.pdf({ format: 'A4' })
  return page.evaluate(() => (globalThis as unknown as { measured: Measured }).measured)
}

describe.skipIf(site === undefined)('on paper', () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await launchChromium(site?.chromium ?? '')
  })
  afterAll(() => browser?.close())

  it.each(PAGES)('%s has its charts inside the page, and as before on the screen', async (path) => {
    await using visit = await openVisit(browser, { url: site?.url ?? '', colorScheme: 'dark' })
    const { page, faults } = visit
    await page.goto(path)
    await untilLive(page)
    const widths = () =>
      page.evaluate(() =>
        [...document.querySelectorAll('.drawing svg')].map((svg) => svg.getAttribute('width')),
      )
    const before = await widths()
    const measured = await print(page)
    expect(measured.faults).toEqual([])
    expect(measured.drawings).toBe(before.length)
    // A dark screen does not print dark.
    expect(measured.paper).toBe('#fcfbf8')
    expect(await widths()).toEqual(before)
    expect(await page.locator('.drawing svg[viewBox]').count()).toBe(0)
    expect(faults).toEqual([])
  })

  it.each(PAGES)('%s says its title, period, filters, moment and freshness', async (path) => {
    await using visit = await openVisit(browser, { url: site?.url ?? '', colorScheme: 'dark' })
    const { page } = visit
    await page.goto(path)
    await untilLive(page)
    expect(await page.locator('.on-paper').isVisible()).toBe(false)
    await page.emulateMedia({ media: 'print' })
    const texts = await page.locator('.on-paper').innerText()
    expect(texts).toMatch(/Period\n.* to the newest/)
    expect(texts).toMatch(/Currency\nAll currencies/)
    // A step and a comparison are no moments: *as of* alone says what is known.
    expect(texts.match(/everything captured/g)?.length ?? 0).toBeLessThanOrEqual(1)
    expect(texts).toMatch(/Draw by\nEach chart’s own step/)
    expect(texts).toMatch(/(As of\nnow|What the books said on\n\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC)/)
    expect(await page.locator('h1').isVisible()).toBe(true)
    expect(await page.locator('#freshness').innerText()).toMatch(/Data as of .* UTC/)
    const top = await page.locator('.on-paper').boundingBox()
    const first = await page.locator('.panel').first().boundingBox()
    expect(top!.y).toBeLessThan(first!.y)
    for (const left of ['nav', 'form', 'button', '.links a', '.filters', '.menu'])
      expect(await page.locator(`${left}:visible`).count(), left).toBe(0)
    const background = await page.evaluate(() => getComputedStyle(document.body).color)
    expect(background).toBe('rgb(27, 36, 41)')
  })

  it('a list names its state, what was searched for and the amounts', async () => {
    await using visit = await openVisit(browser, { url: site?.url ?? '' })
    const { page } = visit
    await page.goto('/list/payment?state=overdue&search=a&amount_from=10')
    await page.emulateMedia({ media: 'print' })
    const texts = await page.locator('.on-paper').innerText()
    expect(texts).toMatch(/State\nOverdue/)
    expect(texts).toMatch(/Counterparty, or number of a payment or order\na\n/)
    expect(texts).toMatch(/Amount\n10 to any/)
    expect(texts).toMatch(/Period\nfirst day to the newest, by due date/)
  })

  it('the filters that are set are named, and an earlier moment too', async () => {
    await using visit = await openVisit(browser, { url: site?.url ?? '' })
    const { page } = visit
    const moment = new Date().toISOString().slice(0, 10)
    await page.goto(`/sales?currency=GBP&from=2024-01-02&as_of=${moment}`)
    await page.emulateMedia({ media: 'print' })
    const texts = await page.locator('.on-paper').innerText()
    expect(texts).toContain('2024-01-02 to the newest, by order date')
    expect(texts).toMatch(/Currency\nGBP/)
    expect(texts).toContain(`As of\n${moment} 23:59:59 UTC`)
  })

  it('a table repeats its head and is not cut off', async () => {
    await using visit = await openVisit(browser, { url: site?.url ?? '' })
    const { page } = visit
    await page.setViewportSize({ width: Math.floor(PAPER_PX), height: 1000 })
    for (const path of [...PAGES, '/pipeline', `/order/sales_order/${site?.amended ?? 0}`]) {
      await page.goto(path)
      await page.emulateMedia({ media: 'print' })
      const wide = await page.evaluate(() =>
        [...document.querySelectorAll('table')].flatMap((table) => {
          const { right } = table.getBoundingClientRect()
          const head = getComputedStyle(table.tHead!).display
          const wrap = getComputedStyle(table.parentElement!)
          const isWhole = right <= innerWidth + 1 && wrap.overflow === 'visible'
          return isWhole && head === 'table-header-group'
            ? []
            : [`${table.parentElement!.ariaLabel}: ${right} of ${innerWidth}, ${head}`]
        }),
      )
      expect(wide, path).toEqual([])
    }
  })
})
