import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { launchChromium } from './chromium.ts'
import { auditPage, openVisit, untilLive } from './visit.ts'

const site = inject('site')

/** The most bytes of a first load, everything included. */
const MAX_LOAD_BYTES = 300_000

describe.skipIf(site === undefined)('the theme', () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await launchChromium(site?.chromium ?? '')
  })
  afterAll(() => browser?.close())

  it('follows the colour scheme while the page is open, charts too', async () => {
    await using visit = await openVisit(browser, { url: site?.url ?? '', colorScheme: 'light' })
    const { page, faults } = visit
    await page.goto('/sales')
    await untilLive(page)
    const colors = () =>
      page.evaluate(() => {
        const texts = [...document.querySelectorAll('.drawing svg text')]
        return {
          page: getComputedStyle(document.body).color,
          chart: texts[0]?.getAttribute('fill') ?? '',
          wanted: getComputedStyle(document.documentElement).getPropertyValue('--ink-muted').trim(),
        }
      })
    const light = await colors()
    await page.emulateMedia({ colorScheme: 'dark' })
    await page.waitForFunction(
      (before) => document.querySelector('.drawing svg text')?.getAttribute('fill') !== before,
      light.chart,
    )
    const dark = await colors()
    expect(dark.page).not.toBe(light.page)
    expect(dark.wanted).not.toBe(light.wanted)
    expect(dark.chart.toLowerCase()).toBe(dark.wanted.toLowerCase())
    await page.emulateMedia({ colorScheme: 'light' })
    await page.waitForFunction(
      (first) => document.querySelector('.drawing svg text')?.getAttribute('fill') === first,
      light.chart,
    )
    expect(faults).toEqual([])
  })

  it('in colours of the reader’s own, shows the current page and period, and can be read', async () => {
    await using visit = await openVisit(browser, { url: site?.url ?? '', forcedColors: 'active' })
    const { page } = visit
    await page.goto('/changes')
    await untilLive(page)
    expect(await auditPage(page)).toEqual([])
    const lineOf = (selector: string) =>
      page
        .locator(selector)
        .first()
        .evaluate((link) => getComputedStyle(link).borderBottomColor)
    const entries = '.in-line a'
    expect(await lineOf(`${entries}[aria-current]`)).not.toBe(
      await lineOf(`${entries}:not([aria-current])`),
    )
    const paint = (selector: string) =>
      page
        .locator(selector)
        .first()
        .evaluate((link) => getComputedStyle(link).backgroundColor)
    expect(await paint('.presets a[aria-current]')).not.toBe(
      await paint('.presets a:not([aria-current])'),
    )
  })

  it.each([
    ['reduce', true],
    ['no-preference', false],
  ] as const)(
    'with reduced motion set to %s, is without animation: %s',
    async (reducedMotion, isStill) => {
      await using visit = await openVisit(browser, { url: site?.url ?? '', reducedMotion })
      const { page } = visit
      await page.goto('/sales')
      await untilLive(page)
      const moving = await page.evaluate(() =>
        [...document.querySelectorAll('*')]
          .map((element) => getComputedStyle(element))
          .some(
            ({ transitionDuration, animationName }) =>
              /[1-9]/.test(transitionDuration) || animationName !== 'none',
          ),
      )
      expect(moving).toBe(!isStill)
    },
  )

  it('prints the content and nothing to click', async () => {
    await using visit = await openVisit(browser, { url: site?.url ?? '' })
    const { page } = visit
    await page.goto('/sales')
    await untilLive(page)
    await page.emulateMedia({ media: 'print' })
    expect(await page.locator('nav[aria-label=Pages]').isVisible()).toBe(false)
    expect(await page.locator('.filters').isVisible()).toBe(false)
    expect(await page.locator('.panel h2').first().isVisible()).toBe(true)
    expect(await page.locator('.drawing svg').first().isVisible()).toBe(true)
  })

  it(`a first load takes less than ${MAX_LOAD_BYTES / 1000} KB`, async () => {
    await using visit = await openVisit(browser, { url: site?.url ?? '' })
    const { page } = visit
    for (const path of ['/', '/sales']) {
      await page.goto(path)
      await untilLive(page)
      const loaded = await page.evaluate(() =>
        [
          ...performance.getEntriesByType('navigation'),
          ...performance.getEntriesByType('resource'),
        ].map((entry) => {
          const { name, transferSize } = entry as PerformanceResourceTiming
          return [name, transferSize] as const
        }),
      )
      const bytes = loaded.reduce((sum, [, size]) => sum + size, 0)
      process.stdout.write(`${path}: ${bytes} bytes in ${loaded.length} answers\n`)
      // The page, its style, its script and its font. The icon is in the page itself.
      expect(loaded.length).toBeGreaterThan(3)
      expect(bytes).toBeLessThan(MAX_LOAD_BYTES)
    }
  })

  it.each(['/', '/ask', '/pipeline', '/order', '/docs', '/no/such/page', '/assets/none.js'])(
    '%s carries the security headers',
    async (path) => {
      await using visit = await openVisit(browser, { url: site?.url ?? '' })
      const response = await visit.page.request.get(path)
      const headers = response.headers()
      const policy = new Map(
        (headers['content-security-policy'] ?? '').split('; ').map((part) => {
          const [name = '', ...sources] = part.split(' ')
          return [name, sources.join(' ')]
        }),
      )
      expect(policy.get('default-src')).toBe(`'self'`)
      expect(policy.get('object-src')).toBe(`'none'`)
      expect(policy.get('base-uri')).toBe(`'none'`)
      expect(policy.get('form-action')).toBe(`'self'`)
      expect(policy.get('frame-ancestors')).toBe(`'none'`)
      // Only scripts from this site: none inline, none made from strings.
      expect(policy.get('script-src') ?? policy.get('default-src')).toBe(`'self'`)
      expect(headers).toMatchObject({
        'x-content-type-options': 'nosniff',
        'x-frame-options': 'DENY',
        'cross-origin-opener-policy': 'same-origin',
        'cross-origin-resource-policy': 'same-origin',
      })
      expect(headers['referrer-policy']).toMatch(/^(no-referrer|same-origin)$/)
      expect(headers['permissions-policy']).toContain('camera=()')
      expect(headers['set-cookie']).toBeUndefined()
    },
  )

  it('a script that gets into a page does not run', async () => {
    await using visit = await openVisit(browser, { url: site?.url ?? '' })
    const { page, faults } = visit
    await page.goto('/')
    await untilLive(page)
    await page.evaluate(() => {
      const script = document.createElement('script')
      script.textContent = 'window.ran = true'
      document.body.append(script)
      const image = document.createElement('img')
      image.src = 'https://example.org/x.png'
      document.body.append(image)
    })
    expect(await page.evaluate(() => 'ran' in globalThis)).toBe(false)
    expect(faults.filter((fault) => fault.startsWith('console: policy: script-src'))).toHaveLength(
      1,
    )
    expect(faults.some((fault) => fault.startsWith('console: policy: img-src'))).toBe(true)
  })
})
