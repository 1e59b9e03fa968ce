import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/** A page that is watched for faults. Disposing closes it and its context. */
export interface Visit extends AsyncDisposable {
  readonly page: Page
  /**
   * What went wrong so far, in words: an error in the console, an uncaught one, a violation of the
   * content security policy, a request to anywhere but the server, an answer of 400 or more.
   */
  readonly faults: readonly string[]
}

/** Opens a page in a context of its own, without anything that another visit left behind. */
export async function openVisit(
  browser: Browser,
  { url, ...options }: BrowserContextOptions & { readonly url: string },
): Promise<Visit> {
  const context = await browser.newContext({ baseURL: url, reducedMotion: 'reduce', ...options })
  const faults: string[] = []
  context.on('request', (request) => {
    const { protocol, origin } = new URL(request.url())
    // Only data within the page itself needs no server.
    if (protocol === 'data:' || origin === new URL(url).origin) return
    faults.push(`asks elsewhere: ${request.url()}`)
  })
  context.on('response', (response) => {
    if (response.status() >= 400) faults.push(`${response.status()} ${response.url()}`)
  })
  context.on('console', (message) => {
    if (message.type() === 'error') faults.push(`console: ${message.text()}`)
  })
  context.on('weberror', (error) => faults.push(`uncaught: ${error.error().message}`))
  if (options.javaScriptEnabled !== false) {
    await context.addInitScript(() => {
      document.addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) =>
        console.error(`policy: ${violatedDirective} ${blockedURI}`),
      )
    })
  }
  // As in vitest.config.ts: only for what would never come.
  context.setDefaultTimeout(120_000)
  const page = await context.newPage()
  return { page, faults, [Symbol.asyncDispose]: () => context.close() }
}

/** Resolves once the script has drawn every chart and has heard from the server. */
export async function untilLive(page: Page): Promise<void> {
  await page.waitForFunction(() => {
    const drawings = [...document.querySelectorAll('.drawing')]
    const state = document.querySelector('#freshness .state')?.textContent ?? ''
    return drawings.every((drawing) => drawing.querySelector('svg path')) && state.endsWith(' old')
  })
}

/** What axe-core finds by all of its rules, a line for each fault. Empty if nothing is wrong. */
export async function auditPage(page: Page): Promise<string[]> {
  // The debugger evaluates it, which the policy of the page does not forbid.
  await page.evaluate(AXE)
  return page.evaluate(async () => {
    const { axe } = globalThis as unknown as {
      axe: {
        run(options: { resultTypes: readonly string[] }): Promise<{
          violations: { id: string; nodes: { html: string; failureSummary?: string }[] }[]
        }>
      }
    }
    // Leave out the checks that passed, which are nearly all.
    const { violations } = await axe.run({ resultTypes: ['violations'] })
    return violations.flatMap(({ id, nodes }) =>
      nodes.map(({ html, failureSummary }) => `${id}: ${html.slice(0, 160)} ${failureSummary}`),
    )
  })
}

/** The elements that make the page wider than its window. Empty if there are none. */
export async function findOverflow(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const { scrollWidth, clientWidth } = document.documentElement
    if (scrollWidth <= clientWidth) return []
    const wide = [...document.querySelectorAll('body *')].filter(
      (element) =>
        element.getBoundingClientRect().right > clientWidth + 1 &&
        element.closest('.table-wrap, pre, svg') === null,
    )
    return [
      `${scrollWidth} px wide`,
      ...wide.slice(0, 5).map((element) => element.outerHTML.slice(0, 120)),
    ]
  })
}

/**
 * What is missing from the charts of the page. Empty if each is drawn, described in a sentence, and
 * available as a table, CSV, Excel and SQL.
 */
export async function checkCharts(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const colorOf = (name: string): string =>
      getComputedStyle(document.documentElement).getPropertyValue(name).trim().toLowerCase()
    const frame = new Set(['--paper', '--ink', '--ink-muted', '--line'].map(colorOf))
    const missing: string[] = []
    for (const chart of document.querySelectorAll('[data-plots]')) {
      const panel = chart.closest('.panel')
      const title = panel?.querySelector('h2')?.textContent ?? 'a chart without a heading'
      const json = chart.querySelector('script')?.textContent ?? ''
      const plots = JSON.parse(json) as unknown[]
      const drawings = [...chart.querySelectorAll('.drawing')]
      if (drawings.length === 0 || drawings.length !== plots.length)
        missing.push(`${title}: ${drawings.length} drawings for ${plots.length} plots`)
      for (const [place, drawing] of drawings.entries()) {
        // Everything coloured that is not text or an axis: bars, lines, dots, boxes, cells.
        const marks = [...drawing.querySelectorAll('svg path, svg rect, svg circle')].filter(
          (mark) =>
            ['fill', 'stroke'].some((name) => {
              const color = (mark.getAttribute(name) ?? 'none').toLowerCase()
              return !/^(none|transparent|url)/.test(color) && !frame.has(color)
            }),
        )
        if (marks.length === 0) missing.push(`${title}: no marks in drawing ${place + 1}`)
        const label = drawing.getAttribute('aria-label') ?? ''
        if (drawing.getAttribute('role') !== 'img' || !/^\S+( \S+){4,}\.$/.test(label.trim()))
          missing.push(`${title}: its label is not a sentence: “${label}”`)
      }
      // Ask and My page show the rows below the chart.
      if (/^\/(ask|my)$/.test(location.pathname)) continue
      const links = panel?.querySelector('.links')
      const table = [...(links?.querySelectorAll('details') ?? [])].find((details) =>
        details.querySelector('summary')?.textContent?.includes('Show as table'),
      )
      if ((table?.querySelectorAll('tbody tr').length ?? 0) === 0)
        missing.push(`${title}: no table`)
      for (const [text, pattern] of [
        ['CSV', /^\/questions\/\w+\.csv(\?|$)/],
        ['Excel', /^\/questions\/\w+\.xlsx(\?|$)/],
        ['SQL', /^\/questions\/\w+(\?|$)/],
      ] as const) {
        const link = [...(links?.querySelectorAll('a') ?? [])].find((a) => a.textContent === text)
        if (!pattern.test(link?.getAttribute('href') ?? '')) missing.push(`${title}: no ${text}`)
      }
    }
    return missing
  })
}
