import { expect, it } from 'vitest'
import type { ResultColumn } from '../../../platform/presentation/cursor.ts'
import { dashboard } from '../../../totesys/presentation/pages.ts'
import { renderAnswerRows } from './answer-rows.ts'

/** The table of one row, each column written as `name:kind`. */
async function tableOf(
  names: string,
  row: readonly (string | null)[],
  chart?: { kind: 'table'; columns: string[] },
): Promise<string> {
  const columns = names.split(' ').map((text) => {
    const [name = '', kind = 'text'] = text.split(':')
    return { name, kind } as ResultColumn
  })
  const shown = { dashboard, label: 'test', ...(chart === undefined ? {} : { chart }) }
  const page = await renderAnswerRows({ columns, rows: [row], isTruncated: false }, shown)
  return String(page).replaceAll(/\s+/g, ' ')
}

it('a table leaves out an id beside the name of the same thing', async () => {
  const table = await tableOf('counterparty_id:number counterparty orders:number', [
    '7',
    'Acme',
    '1200',
  ])
  expect(table).not.toContain('Counterparty id')
  expect(table).toContain('href="/counterparty?counterparty=7"')
  expect(table).toContain('>1,200</td>')
})

it('a table shows a share as a percentage, and money with its currency or beside it', async () => {
  const names = 'currency_code share:number amount:number'
  const row = ['GBP', '0.1234', '-1234.50']
  const whole = await tableOf(names, row)
  expect(whole).toContain('>12.3 %</td>')
  expect(whole).toContain('>−1,234.50</td>')
  const alone = await tableOf(names, row, { kind: 'table', columns: ['amount'] })
  expect(alone).toContain('>GBP −1,234.50</td>')
})

it('a row with many cells is a card in a narrow window and begins with its amount', async () => {
  const names = 'created_date:date counterparty currency_code amount:number paid:boolean'
  const row = ['2026-11-30', null, 'GBP', '12', 't']
  const table = await tableOf(names, row)
  expect(table).toContain('class="table-wrap stack ')
  expect(table).toContain('<td class="number foremost" data-label="Amount">12</td>')
  expect(table).toMatch(/<td class="currency" data-label="Currency"/)
  expect(table).toContain('<td class="muted none" data-label="Counterparty">–</td>')
  expect(await tableOf('orders:number', ['1'])).not.toContain('stack')
})

it('a card begins with the amount of its row, not with the price of one', async () => {
  const names = 'design_name units:number unit_price:number currency_code amount:number'
  const table = await tableOf(names, ['Cotton', '100', '2.50', 'GBP', '250.00'])
  expect(table).toContain('<td class="number foremost" data-label="Amount">250.00</td>')
  expect(table).toContain('<td class="number" data-label="Unit price">2.50</td>')
  const item = ['A1', 'Leeds', 'Jersey', 'GBP', '2.50']
  const alone = await tableOf('item city country currency_code unit_price:number', item)
  expect(alone).toContain('<td class="number foremost" data-label="Unit price">2.50</td>')
})

it('a name that several things share has its number, unless a column shows that', async () => {
  const row = ['7', 'Cotton', '100']
  const names = 'design_id:number design_name units:number'
  const chart = { kind: 'table' as const, columns: ['design_name', 'units'] }
  expect(await tableOf(names, row, chart)).toMatch(/design=7">Cotton 7<\/a>/)
  expect(await tableOf(names, row)).toMatch(/design=7">Cotton<\/a>/)
  expect(await tableOf('design_name', ['Cotton'])).toMatch(/>\s*Cotton\s*</)
})
