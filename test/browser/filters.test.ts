import { readFile } from 'node:fs/promises'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { formatShare } from '../../src/apps/format.ts'
import { units, unlisted } from '../../src/totesys/presentation/columns.ts'
import { readXlsx } from '../support/xlsx.ts'
import { launchChromium } from './chromium.ts'
import { openVisit, untilLive } from './visit.ts'

const site = inject('site')

/** The cells of a CSV file (RFC 4180), quoted ones too. */
function parseCsv(text: string): string[][] {
  const lines: string[][] = [[]]
  for (const [, quoted, plain = '', end = ''] of text.matchAll(
    /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|$)/g,
  )) {
    if (quoted === undefined && plain === '' && end === '') break
    lines.at(-1)?.push(quoted?.replaceAll('""', '"') ?? plain)
    if (end !== ',' && end !== '') lines.push([])
  }
  return lines.filter((cells) => cells.length > 0)
}

const tableOf = (page: Page, id: string): Promise<string[][]> =>
  page
    .locator(`#t-${id} tbody tr`)
    .evaluateAll((rows) =>
      rows.map((row) => [...row.children].map((cell) => (cell.textContent ?? '').trim())),
    )

describe.skipIf(site === undefined)('filters', () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await launchChromium(site?.chromium ?? '')
  })
  afterAll(() => browser?.close())

  it('are carried by the address, undone by going back, and by the links of every chart', async () => {
    await using visit = await openVisit(browser, { url: site?.url ?? '' })
    const { page, faults } = visit
    await page.goto('/sales')
    await untilLive(page)
    const cards = page.locator('.cards').first().locator('.card-name')
    const all = await cards.allInnerTexts()
    expect(all.length).toBeGreaterThan(1)

    await page.locator('summary', { hasText: 'Filter' }).click()
    await page.getByLabel('Currency').selectOption('GBP')
    await page.getByRole('button', { name: 'Show', exact: true }).click()
    await page.waitForURL((url) => url.search === '?currency=GBP')
    expect(await cards.allInnerTexts()).toEqual(['GBP'])

    await page.getByRole('link', { name: '4 weeks' }).click()
    await page.waitForURL((url) => url.searchParams.get('period') === '4w')
    expect(new URL(page.url()).searchParams.get('currency')).toBe('GBP')
    expect(await page.getByRole('link', { name: '4 weeks' }).getAttribute('aria-current')).toBe(
      'true',
    )
    const from = /^\d{4}-\d\d-\d\d/.exec(await page.locator('.range').innerText())?.[0]
    const csv = new URL(
      (await page.locator('a[href*="s02_sales_by_week.csv"]').getAttribute('href')) ?? '',
      page.url(),
    )
    expect(Object.fromEntries(csv.searchParams)).toMatchObject({ currency: 'GBP', from })

    await page.goBack()
    await page.waitForURL((url) => url.search === '?currency=GBP')
    expect(await cards.allInnerTexts()).toEqual(['GBP'])
    await page.goBack()
    await page.waitForURL((url) => url.search === '')
    expect(await cards.allInnerTexts()).toEqual(all)

    await page.goForward()
    await page.waitForURL((url) => url.search === '?currency=GBP')
    await page.locator('.chip').click()
    await page.waitForURL((url) => url.search === '')
    expect(faults).toEqual([])
  })

  it('the step of the charts is chosen in the form, and undone by its chip', async () => {
    await using visit = await openVisit(browser, { url: site?.url ?? '' })
    const { page, faults } = visit
    await page.goto('/sales?period=all')
    await untilLive(page)
    const panel = page.locator('section[aria-labelledby="h-s02_sales_by_week"]')
    const sentences = () =>
      panel
        .locator('.drawing')
        .evaluateAll((drawings) => drawings.map((each) => each.getAttribute('aria-label') ?? ''))
    for (const sentence of await sentences()) expect(sentence).toMatch(/week/)

    await page.locator('summary', { hasText: 'Filter' }).click()
    await page.getByLabel('Draw by').selectOption('Month')
    await page.getByRole('button', { name: 'Show', exact: true }).click()
    await page.waitForURL((url) => url.searchParams.get('by') === 'month')
    await untilLive(page)
    for (const sentence of await sentences()) expect(sentence).toMatch(/month/)
    expect(await panel.locator('canvas, svg').count()).toBeGreaterThan(0)
    await panel.locator('summary').click()
    const starts = (await tableOf(page, 's02_sales_by_week')).map((cells) => cells[1])
    expect(starts.length).toBeGreaterThan(0)
    for (const start of starts) expect(start).toMatch(/^\d{4}-\d\d-01$/)

    await page.locator('.chip', { hasText: 'Draw by: Month' }).click()
    await page.waitForURL((url) => !url.searchParams.has('by'))
    expect(new URL(page.url()).searchParams.get('period')).toBe('all')
    expect(faults).toEqual([])
  })

  it('what the cards compare with is chosen in the form', async () => {
    await using visit = await openVisit(browser, { url: site?.url ?? '' })
    const { page, faults } = visit
    await page.goto('/sales?period=4w')
    await untilLive(page)
    const panel = page.locator('section[aria-labelledby="h-s01_sales_by_currency"]')
    expect(await panel.locator('.delta').count()).toBeGreaterThan(0)
    await page.locator('summary', { hasText: 'Filter' }).click()
    await page.getByLabel('Compare with').selectOption('The same period last year')
    await page.getByRole('button', { name: 'Show', exact: true }).click()
    await page.waitForURL((url) => url.searchParams.get('against') === 'year')
    expect(await panel.innerText()).toMatch(/against the same period last year|the data begin on/)
    await page.locator('summary', { hasText: 'Filter' }).click()
    await page.getByLabel('Compare with').selectOption('Nothing')
    await page.getByRole('button', { name: 'Show', exact: true }).click()
    await page.waitForURL((url) => url.searchParams.get('against') === 'none')
    expect(await panel.locator('.delta').count()).toBe(0)
    await page.locator('.chip', { hasText: 'Compare with: Nothing' }).click()
    await page.waitForURL((url) => !url.searchParams.has('against'))
    expect(faults).toEqual([])
  })

  it('an Excel file holds what the CSV file holds, with numbers and days', async () => {
    await using visit = await openVisit(browser, { url: site?.url ?? '' })
    const { page, faults } = visit
    await page.goto('/sales?currency=GBP&period=26w')
    await untilLive(page)
    const panel = page.locator('section[aria-labelledby="h-s02_sales_by_week"] .links')
    const load = async (name: string): Promise<{ name: string; bytes: Buffer }> => {
      const coming = page.waitForEvent('download')
      await panel.getByRole('link', { name, exact: true }).click()
      const download = await coming
      return {
        name: download.suggestedFilename(),
        bytes: await readFile(await download.path()),
      }
    }
    const excel = await load('Excel')
    const csv = await load('CSV')
    expect(excel.name).toMatch(/^s02_sales_by_week.*GBP.*as-of-.*\.xlsx$/)
    expect(csv.bytes.subarray(0, 3)).toEqual(Buffer.from([0xef, 0xbb, 0xbf]))
    const [header = [], ...lines] = parseCsv(csv.bytes.subarray(3).toString())
    const [names = [], ...rows] = readXlsx(excel.bytes).rows
    expect(names.map((cell) => cell?.value)).toEqual(header)
    const amount = header.indexOf('amount')
    expect(rows.length).toBeGreaterThan(1)
    expect(rows.map((row) => row[amount]?.value)).toEqual(lines.map((line) => line[amount]))
    expect(new Set(rows.map((row) => row[amount]?.type))).toEqual(new Set(['number']))
    const start = rows[0]?.[header.indexOf('week_start')]
    expect([start?.type, start?.format]).toEqual(['number', 'yyyy-mm-dd'])
    expect(faults).toEqual([])
  })

  it('a CSV file holds what the table under the chart shows', async () => {
    await using visit = await openVisit(browser, { url: site?.url ?? '' })
    const { page } = visit
    await page.goto('/sales?currency=GBP&period=26w')
    await untilLive(page)
    for (const question of ['s02_sales_by_week', 's06_biggest_customers']) {
      const coming = page.waitForEvent('download')
      await page.locator(`.links a[href*="${question}.csv"]`).click()
      const download = await coming
      expect(download.suggestedFilename()).toMatch(new RegExp(`^${question}.*GBP.*as-of-.*\\.csv$`))
      const text = await readFile(await download.path(), 'utf8')
      const [header, ...lines] = parseCsv(text.replace(/^\uFEFF/, ''))
      await page.locator(`#t-${question} > summary`).click()
      const rows = await tableOf(page, question)
      expect(header).toContain('currency_code')
      expect(lines.length).toBeGreaterThan(1)
      // The table leaves out ids beside names, and writes shares as percentages.
      const asShown = (cells: readonly string[]): string[] =>
        cells.flatMap((cell, place) => {
          const column = header?.[place] ?? ''
          if (unlisted.includes(column)) return []
          return units[column] === '%' ? formatShare(cell) : unformatted(cell)
        })
      const isShare = (cell: string): boolean => cell.endsWith(' %')
      expect(rows.map((cells) => cells.map((c) => (isShare(c) ? c : unformatted(c))))).toEqual(
        lines.map(asShown),
      )
    }
  })

  it('a filter that is not valid is named, and everything else is still shown', async () => {
    await using visit = await openVisit(browser, { url: site?.url ?? '' })
    const { page } = visit
    await page.goto('/sales?currency=XXX&from=2026-02-30')
    await untilLive(page)
    const alert = page.getByRole('alert')
    expect(await alert.innerText()).toContain('XXX')
    expect(await alert.innerText()).toContain('2026-02-30')
    expect(await page.locator('.cards .card').count()).toBeGreaterThan(0)
  })
})

/** A cell as the CSV has it: digits without separators, booleans as letters. */
function unformatted(cell: string): string {
  const plain = cell.replaceAll(/(?<=\d)[\s,\u202f\u00a0](?=\d{3})/g, '')
  if (plain === '–') return ''
  if (/^(t|true|yes)$/.test(plain)) return 'true'
  if (/^(f|false|no)$/.test(plain)) return 'false'
  return /^-?\d+\.\d+$/.test(plain) ? String(Number(plain)) : plain
}
