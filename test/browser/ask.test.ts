import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { launchChromium } from './chromium.ts'
import { auditPage, findOverflow, openVisit, untilLive } from './visit.ts'

const site = inject('site')

describe.skipIf(site === undefined)('Ask', () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await launchChromium(site?.chromium ?? '')
  })
  afterAll(() => browser?.close())

  const HOSTILE = `<script>window.ran=1</script><img src=x onerror=window.ran=1>`

  it.each(['none', 'bars', 'lines'])(
    'shows hostile values, names and statements as text, drawn as %s',
    async (chart) => {
      await using visit = await openVisit(browser, { url: site?.url ?? '' })
      const { page, faults } = visit
      await page.goto('/ask')
      // As text, column name and comment, and with the end of the element that holds the plots.
      const sql = `select '${HOSTILE}' as "${HOSTILE}", '</textarea></script>' as ends, 7 as "<b>n"
-- </textarea>${HOSTILE}`
      await page.getByLabel('SQL, one select').fill(sql)
      await page.getByLabel('Show as').selectOption(chart)
      await page.getByRole('button', { name: 'Run' }).click()
      await page.waitForSelector('#result')
      await page.waitForSelector('#result tbody tr')
      await untilLive(page)
      expect(await page.locator('#result tbody td').allInnerTexts()).toEqual([
        HOSTILE,
        '</textarea></script>',
        '7',
      ])
      // Postgres cuts names to 63 bytes.
      expect(await page.locator('#result th').first().innerText()).toBe(HOSTILE.slice(0, 63))
      expect(await page.getByLabel('SQL, one select').inputValue()).toBe(sql)
      expect(await page.locator('main img, main b').count()).toBe(0)
      if (chart === 'bars') {
        // The tooltip over a bar is made of HTML.
        const bar = await page.locator('.drawing').boundingBox()
        await page.mouse.move((bar?.x ?? 0) + (bar?.width ?? 0) / 2, (bar?.y ?? 0) + 20)
        await page.waitForFunction(() => document.querySelector('.drawing')?.textContent !== '')
      }
      expect(await page.evaluate(() => 'ran' in globalThis)).toBe(false)
      expect(faults).toEqual([])
    },
  )

  it('says where a statement is wrong', async () => {
    await using visit = await openVisit(browser, { url: site?.url ?? '' })
    const { page, faults } = visit
    await page.goto('/ask')
    await page.getByLabel('SQL, one select').fill(`select units_sold,
  '<script>' as x, nope
from fact_sales_order_current`)
    await page.getByRole('button', { name: 'Run' }).click()
    const result = page.locator('#result')
    await result.waitFor()
    const text = await result.innerText()
    expect(text).toContain('column "nope" does not exist')
    expect(text).toContain('42703')
    expect(text).toContain('Line 2, character 20')
    expect(await result.locator('mark').innerText()).toBe('nope')
    expect(await findOverflow(page)).toEqual([])
    await untilLive(page)
    expect(await auditPage(page)).toEqual([])
    // The console reports the refusal too, because it is answered by 400.
    expect(faults.filter((fault) => !/400/.test(fault))).toEqual([])
  })

  it.each([
    ['changes nothing', `delete from fact_payment`],
    ['takes one statement only', `select 1; select 2`],
    ['reads no file', `select pg_read_file('/etc/passwd')`],
    ['reads no password', `select * from pg_authid`],
  ])('%s', async (_, sql) => {
    await using visit = await openVisit(browser, { url: site?.url ?? '' })
    const { page } = visit
    await page.goto('/ask')
    await page.getByLabel('SQL, one select').fill(sql)
    await page.getByRole('button', { name: 'Run' }).click()
    await page.waitForSelector('#result .tag.bad')
    expect(await page.locator('#result').innerText()).toContain('refused')
    expect(await page.locator('#result tbody').count()).toBe(0)
  })
})
