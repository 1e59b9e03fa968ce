import { describe, expect, it } from 'vitest'
import { catalogueTable as table } from '../../../test/support/catalogue-table.ts'
import { parsePattern, patternOf, selectTables } from './patterns.ts'

const CATALOGUE = [
  table('public.orders'),
  table('public.tmp_load', 'id! row'),
  table('public.tmp', 'id!'),
  table('public.my.table'),
  table('public.sales', 'id! total'),
  table('public.a*b', 'id! x'),
  table('public.Orders', 'id! Total'),
  table('sales.orders', 'id! total note password'),
  table('sales.keyless', 'total note'),
  table('log.password', 'id! at'),
]

function select(...patterns: string[]): string[] {
  return say({ select: patterns })
}

function exclude(...patterns: string[]): string[] {
  return say({ exclude: patterns })
}

/** Each kept table, with the columns left out. */
function say(settings: { select?: string[]; exclude?: string[] }): string[] {
  return selectTables(CATALOGUE, settings).map(({ table: { schema, relation }, exclude: out }) =>
    [`${schema}.${relation}`, ...out.map((name) => `-${name}`)].join(' '),
  )
}

const ALL = CATALOGUE.map(({ schema, relation }) => `${schema}.${relation}`)
const without = (...names: string[]): string[] => ALL.filter((name) => !names.includes(name))

describe('parsePattern()', () => {
  it('reads one to three parts, with or without quotes', () => {
    expect(parsePattern('Order Line').parts).toEqual([{ name: 'Order Line' }])
    expect(parsePattern('"my.table"."say ""hi"""."a*"').parts).toEqual([
      { name: 'my.table' },
      { name: 'say "hi"' },
      { name: 'a*' },
    ])
  })

  it.each(['', '.', 'a.', '.a', 'a..b', 'a.b.c.d', '"a', 'a"b', '""', '"a"b'])(
    'refuses %j',
    (text) => {
      expect(() => parsePattern(text)).toThrow(
        expect.objectContaining({ name: 'ConfigError', code: 'PATTERN_INVALID' }),
      )
    },
  )

  it.each([['orders'], ['sales', 'orders'], ['my.table', 'a*b', 'say "hi"']])(
    'reads what patternOf() writes for %j',
    (...names) => {
      expect(parsePattern(patternOf(...names)).parts).toEqual(names.map((name) => ({ name })))
    },
  )
})

describe('selectTables()', () => {
  it('keeps everything without patterns', () => {
    expect(select()).toEqual(ALL)
    expect(selectTables([], {})).toEqual([])
  })

  it.each([
    ['orders', ['public.orders', 'sales.orders']],
    ['Orders', ['public.Orders']],
    ['sales.orders', ['sales.orders']],
    ['sales.*', ['sales.orders', 'sales.keyless']],
    ['s*.orders', ['sales.orders']],
    ['tmp_*', ['public.tmp_load']],
    ['tmp*', ['public.tmp_load', 'public.tmp']],
    ['*o*d', ['public.tmp_load', 'log.password']],
    ['public."my.table"', ['public.my.table']],
    ['"a*b"', ['public.a*b']],
    ['a*b', ['public.a*b']],
    ['*', ALL],
    ['*.*', ALL],
    ['*.*.*', ALL],
    ['keyless.*', ['sales.keyless']],
    ['public.orders.*', ['public.orders']],
  ])('select %s', (pattern, kept) => {
    expect(select(pattern)).toEqual(kept)
  })

  it('keeps just the named columns of a table, and its key', () => {
    expect(select('sales.orders.total')).toEqual(['sales.orders -note -password'])
    expect(select('sales.orders.total', 'sales.orders.n*')).toEqual(['sales.orders -password'])
    expect(select('sales.*', 'sales.orders.total')).toEqual([
      'sales.orders -note -password',
      'sales.keyless',
    ])
    expect(select('*.total')).toEqual([
      'public.sales',
      'sales.orders -note -password',
      'sales.keyless -note',
    ])
    expect(select('keyless.note')).toEqual(['sales.keyless -total'])
  })

  it('leaves out tables and columns', () => {
    expect(exclude('sales.*', 'tmp')).toEqual(
      without('sales.orders', 'sales.keyless', 'public.tmp'),
    )
    expect(exclude('*.password', 'sales.orders.note')).toEqual([
      'public.orders -password',
      'public.tmp_load',
      'public.tmp',
      'public.my.table -password',
      'public.sales',
      'public.a*b',
      'public.Orders',
      'sales.orders -note -password',
      'sales.keyless',
      'log.password',
    ])
  })

  it('lets exclude win over select', () => {
    expect(say({ select: ['sales.*'], exclude: ['keyless'] })).toEqual(['sales.orders'])
    expect(say({ select: ['*.total'], exclude: ['sales.*.total', 'public.*'] })).toEqual([
      'sales.orders -total -note -password',
      'sales.keyless -total -note',
    ])
  })

  it.each([
    ['*.id', 'public.orders'],
    ['tmp.i*', 'public.tmp'],
    ['log.password.id', 'log.password'],
  ])('refuses to exclude a key with %s', (pattern, place) => {
    expect(() => exclude(pattern)).toThrow(
      expect.objectContaining({
        name: 'ConfigError',
        code: 'PATTERN_EXCLUDES_KEY',
        message: `The pattern ${pattern} in exclude leaves out id, which is in the key of ${place}`,
        hint: expect.stringContaining(`exclude the whole table with ${place}`),
      }),
    )
  })

  it('lets a whole table go with its key', () => {
    expect(say({ select: ['tmp', 'keyless'], exclude: ['tmp', 'tmp.id'] })).toEqual([
      'sales.keyless',
    ])
  })

  it.each([
    ['sales.ordrs', 'table', 'did you mean sales.orders?'],
    ['sale.*', 'table', 'did you mean sales?'],
    ['ordrs', 'table', 'did you mean orders?'],
    ['nothing.like.this', 'table', 'Correct the pattern'],
    ['sales.orders.totl', 'column', 'did you mean sales.orders.total?'],
    ['orders.pasword', 'column', 'did you mean orders.password?'],
    ['*.passwrd', 'column', 'did you mean *.password?'],
    ['*.keyless', 'column', 'did you mean *.keyless.*?'],
    ['*.sales', 'column', 'did you mean *.sales.*?'],
    ['sales.orders.zzzzzz', 'column', 'Correct the pattern'],
  ])('refuses %s, which matches no %s', (pattern, what, hint) => {
    for (const [setting, run] of Object.entries({ select, exclude })) {
      expect(() => run(pattern)).toThrow(
        expect.objectContaining({
          name: 'ConfigError',
          code: 'PATTERN_MATCHES_NOTHING',
          message: `The pattern ${pattern} in ${setting} matches no ${what} of the source`,
          hint: expect.stringContaining(hint),
        }),
      )
    }
  })

  it('handles thousands of tables and of patterns', () => {
    const many = Array.from({ length: 5000 }, (_, n) => table(`public.t${n}`))
    const patterns = many.map(({ relation }) => `public.${relation}.password`)
    const found = selectTables(many, { exclude: [...patterns, 't*.name'] })
    expect(new Set(found.map(({ exclude: out }) => out.join()))).toEqual(new Set(['name,password']))
    expect(found).toHaveLength(5000)
  })
})
