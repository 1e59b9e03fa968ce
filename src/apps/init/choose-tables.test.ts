import { describe, expect, it } from 'vitest'
import { catalogueTable as table } from '../../../test/support/catalogue-table.ts'
import { mirroredTables } from '../../platform/project/mirror.ts'
import { chooseTables } from './choose-tables.ts'
import { describeTables, remarksOn } from './describe-source.ts'
import { proposeMirror } from './propose-project.ts'

const CHOICES = { name: 'shop', title: 'shop', settings: {}, keepsSecrets: false }

describe('chooseTables()', () => {
  it('calls tables by their names alone if they are all in one schema', () => {
    const tables = [
      table('lending.book'),
      table('lending.loan'),
      table('public.x', 'id', { kind: 'view' }),
    ]
    const chosen = chooseTables(tables, {})
    expect(chosen.schema).toBe('lending')
    expect(chosen.tables.map((each) => each.table.name)).toEqual(['book', 'loan'])
    expect(proposeMirror(chosen, CHOICES).config.source).toEqual({ schema: 'lending' })
    expect(
      chooseTables([...tables, table('public.y')], {}).tables.map((each) => each.table.name),
    ).toEqual(['lending_book', 'lending_loan', 'y'])
  })

  it('finds names that are free, which the mirror then takes', () => {
    const catalogue = [
      table('public.orders'),
      table('public.Orders'),
      table('public.orders_history'),
      table('public.sales_orders'),
      table('sales.orders'),
      table('public.tidemark_x'),
    ]
    const chosen = chooseTables(catalogue, {})
    const { mirror } = proposeMirror(chosen, { ...CHOICES, keepsSecrets: true }).config
    expect(mirror).toEqual({
      tables: {
        'public.Orders': { name: 'Orders_2' },
        'public.orders_history': { name: 'orders_history_2' },
        'sales.orders': { name: 'sales_orders_2' },
        'public.tidemark_x': { name: 'source_tidemark_x' },
      },
    })
    const settings = typeof mirror === 'object' ? mirror : {}
    expect(mirroredTables(catalogue, settings, { defaultSchema: 'public' }).tables).toHaveLength(6)
  })

  it('proposes to leave out secrets, but neither keys nor everything', () => {
    const chosen = chooseTables(
      [
        table('public.user', 'id! name password api_key'),
        table('public.session', 'token! at'),
        table('public.only', 'secret'),
        table('public.half', 'secret note'),
      ],
      { exclude: ['user.api_key'] },
    )
    expect(chosen.tables.map(({ secrets }) => secrets)).toEqual([['password'], [], [], ['secret']])
    expect(
      proposeMirror(chosen, { ...CHOICES, settings: { exclude: ['user.api_key'] } }).config.mirror,
    ).toEqual({
      exclude: ['user.api_key', 'public.user.password', 'public.half.secret'],
    })
    const kept = { ...CHOICES, settings: { select: ['user'] }, keepsSecrets: true }
    expect(proposeMirror(chosen, kept).config.mirror).toEqual({ select: ['user'] })
    expect(proposeMirror(chosen, { ...kept, settings: {} }).config.mirror).toBe(true)
  })
})

describe('what people read about a source', () => {
  it('shows the largest tables and counts the others', () => {
    const many = Array.from({ length: 25 }, (_, n) =>
      table(`public.t${n}`, 'id!', { rows: n * 1000, bytes: n * 8192 }),
    )
    const lines = describeTables(chooseTables(many, {})).split('\n')
    expect(lines).toHaveLength(22)
    expect(lines[1]).toMatch(/^public\.t24 +24,000 +197 kB +id$/)
    expect(lines.at(-1)).toBe('and 5 more')
  })

  it('says what is not kept, or kept in another way', () => {
    const tables = [
      table('public.a', 'id! password pin'),
      table('public.b', 'x', { rows: 1, bytes: 10 }),
      ...['c', 'd', 'e', 'f', 'g', 'h'].map((name) =>
        table(`x.${name}`, 'id', { isReadable: false }),
      ),
      table('public.v', 'id', { kind: 'view' }),
    ]
    expect(remarksOn(chooseTables(tables, {})).map(({ text }) => text)).toEqual([
      '2 tables: about 1 row, 10 B',
      '1 view or foreign table not kept: public.v',
      '1 table without a key, so a row is its values, with a count: public.b',
      '6 tables that this user may not read: x.c, x.d, x.e, x.f, x.g and 1 more',
      '2 columns that look like secrets: public.a.password, public.a.pin',
    ])
  })
})
