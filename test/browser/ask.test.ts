import { readFile } from 'node:fs/promises'
import type { Browser, Page } from 'playwright-core'
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

  const statementOf = (page: Page) => page.locator('#sql').inputValue()

  it.each(['auto', 'none', 'bars', 'lines'])(
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
      expect(await statementOf(page)).toBe(sql)
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

  it('completes the names of tables and columns, and runs by the keyboard alone', async () => {
    await using visit = await openVisit(browser, { url: site?.url ?? '' })
    const { page, faults } = visit
    await page.goto('/ask')
    const editor = page.getByLabel('SQL, one select')
    await editor.fill('')
    await editor.pressSequentially('select * from fact_pay')
    const choices = page.locator('.cm-tooltip-autocomplete li')
    await expect.poll(() => choices.allInnerTexts()).toContain('fact_payment_current')
    expect(await auditPage(page)).toEqual([])
    await choices.getByText('fact_payment_current', { exact: true }).click()
    expect(await statementOf(page)).toBe('select * from fact_payment_current')
    await editor.fill('')
    await editor.pressSequentially('select count(*) as n from dim_currency where currency_co')
    await expect.poll(() => choices.allInnerTexts()).toContain('currency_code')
    await page.keyboard.press('Escape')
    await editor.fill('select 6 * 7 as answer')
    await page.keyboard.press('Control+Enter')
    await page.waitForURL(/\/ask\?sql=select\+6\+\*\+7\+as\+answer/)
    expect(await page.locator('#result tbody td').allInnerTexts()).toEqual(['42'])
    // Tab leaves the editor: nobody is caught in it.
    await page.getByLabel('SQL, one select').focus()
    await page.keyboard.press('Tab')
    expect(await page.evaluate(() => document.activeElement?.closest('.editor'))).toBe(null)
    expect(faults).toEqual([])
  })

  it('sorts an answer by a column: numbers by value, nothing last', async () => {
    await using visit = await openVisit(browser, { url: site?.url ?? '' })
    const { page } = visit
    const sql = `select * from (values ('b', 1000), ('a', -9), ('c', null), ('ä', 20)) as t (who, n)`
    await page.goto(`/ask?${new URLSearchParams({ sql })}`)
    const column = (place: number) =>
      page.locator(`#result tbody td:nth-child(${place})`).allInnerTexts()
    const sort = (name: string) => page.getByRole('columnheader', { name }).getByRole('button')
    await sort('n').click()
    expect(await column(2)).toEqual(['−9', '20', '1,000', '∅'])
    expect(await page.locator('th[aria-sort]').getAttribute('aria-sort')).toBe('ascending')
    await sort('n').press('Enter')
    expect(await column(2)).toEqual(['1,000', '20', '−9', '∅'])
    await sort('who').click()
    expect(await column(1)).toEqual(['a', 'ä', 'b', 'c'])
    expect(await page.locator('th[aria-sort]').count()).toBe(1)
    await untilLive(page)
    expect(await auditPage(page)).toEqual([])
  })

  it('saves a question, opens it at its address, shows it on My page, and removes it', async () => {
    await using visit = await openVisit(browser, { url: site?.url ?? '' })
    const { page, faults } = visit
    await page.goto('/ask')
    await page.getByLabel('SQL, one select').fill(`select 'é' as letter, 6 * 7 as answer`)
    await page.getByRole('button', { name: 'Run' }).click()
    await page.getByLabel('Save under the title').fill('The answer, for a test')
    await page.getByLabel('Put on My page').check()
    await page.getByRole('button', { name: 'Save', exact: true }).click()
    await page.waitForURL(/saved=the-answer-for-a-test/)
    expect(await page.locator('#h-editor').innerText()).toBe('The answer, for a test')
    await untilLive(page)
    expect(await auditPage(page)).toEqual([])
    await page.getByRole('link', { name: 'My page', exact: true }).first().click()
    const panel = page.locator('section', { has: page.locator('#h-the-answer-for-a-test') })
    expect(await panel.locator('tbody td').allInnerTexts()).toEqual(['é', '42'])
    for (const [file, begins] of [
      ['CSV', Buffer.from('\uFEFFletter,answer\r\né,42\r\n')],
      ['Excel', Buffer.from('PK')],
    ] as const) {
      const coming = page.waitForEvent('download')
      await panel.getByRole('link', { name: file }).click()
      const content = await readFile(await (await coming).path())
      expect(content.subarray(0, begins.length)).toEqual(begins)
    }
    await panel.getByRole('button', { name: 'Take off' }).click()
    await page.waitForURL('**/my')
    expect(await panel.count()).toBe(0)
    await page.goto('/ask')
    await page.getByRole('link', { name: 'The answer, for a test' }).click()
    await page.getByRole('button', { name: 'Remove for everybody' }).click()
    await page.waitForURL(/\/ask$/)
    expect(await page.getByRole('link', { name: 'The answer, for a test' }).count()).toBe(0)
    expect(faults).toEqual([])
  })
})
