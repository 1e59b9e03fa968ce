import { describe, expect, it } from 'vitest'
import { catalogueTable as table } from '../../../test/support/catalogue-table.ts'
import type { CatalogueTable } from './catalogue-table.ts'
import { mirroredTables } from './mirror.ts'
import type { MirrorSettings } from './mirror-settings.ts'
import { findNameClash } from './mirrored-names.ts'
import { shortName } from './names.ts'

const mirror = (catalogue: readonly CatalogueTable[], settings: MirrorSettings = {}) =>
  mirroredTables(catalogue, settings, { defaultSchema: 'public' })

const names = (...args: Parameters<typeof mirror>): string[] =>
  mirror(...args).tables.map(({ name }) => name)

const fails = (
  catalogue: readonly CatalogueTable[],
  settings: MirrorSettings,
  expected: { code: string; message?: unknown; hint?: unknown },
): void => {
  expect(() => mirror(catalogue, settings)).toThrow(
    expect.objectContaining({ name: 'ConfigError', ...expected }),
  )
}

describe('mirroredTables()', () => {
  it('keeps each table under its name, with its place, key and description', () => {
    const catalogue = [
      table('public.orders', 'id! line! total', { comment: 'What was sold' }),
      table('sales.orders', 'id! total'),
      table('public.note', 'text', { kind: 'partitioned' }),
    ]
    expect(mirror(catalogue)).toEqual({
      tables: [
        {
          name: 'orders',
          schema: 'public',
          relation: 'orders',
          key: ['id', 'line'],
          description: 'What was sold',
        },
        { name: 'sales_orders', schema: 'sales', relation: 'orders', key: ['id'] },
        {
          name: 'note',
          schema: 'public',
          relation: 'note',
          key: ['row_hash'],
          isByContent: true,
        },
      ],
      leftOut: [],
    })
  })

  it('says why it leaves a table out', () => {
    const catalogue = [
      table('public.a'),
      table('public.closed', 'id', { isReadable: false }),
      table('public.seen', 'id', { kind: 'view' }),
      table('public.stored', 'id', { kind: 'materialized view' }),
      table('public.far', 'id', { kind: 'foreign table' }),
      table('public.keyless', 'x'),
      table('other.my.table'),
    ]
    expect(mirror(catalogue, { exclude: ['other.*'], withoutKey: 'leave' }).leftOut).toEqual([
      { relation: 'public.closed', why: 'not readable' },
      { relation: 'public.seen', why: 'view' },
      { relation: 'public.stored', why: 'view' },
      { relation: 'public.far', why: 'view' },
      { relation: 'public.keyless', why: 'no key' },
      { relation: 'other."my.table"', why: 'not selected' },
    ])
  })

  it('leaves out a table without a key of which no column is left', () => {
    const catalogue = [
      table('public.a'),
      table('public.hashes', 'hash salt'),
      table('public.empty', 'x', { columns: [] }),
    ]
    expect(mirror(catalogue, { exclude: ['hashes.hash'] }).tables).toMatchObject([
      { name: 'a' },
      { name: 'hashes', exclude: ['hash'] },
    ])
    expect(mirror(catalogue, { exclude: ['hashes.hash', '*.salt'] }).leftOut).toEqual([
      { relation: 'public.hashes', why: 'no key' },
      { relation: 'public.empty', why: 'no key' },
    ])
  })

  it('passes on the columns to leave out', () => {
    const catalogue = [table('public.a', 'id! name password'), table('public.b', 'id! name')]
    expect(mirror(catalogue, { select: ['a', 'b.id'], exclude: ['*.password'] }).tables).toEqual([
      { name: 'a', schema: 'public', relation: 'a', key: ['id'], exclude: ['password'] },
      { name: 'b', schema: 'public', relation: 'b', key: ['id'], exclude: ['name'] },
    ])
  })

  it('keeps a view by content, or by the key that the settings declare', () => {
    const catalogue = [
      table('public.seen', 'id name', { kind: 'view' }),
      table('public.far', 'id name', { kind: 'foreign table' }),
    ]
    expect(mirror(catalogue, { views: true }).tables).toMatchObject([
      { name: 'seen', isByContent: true },
      { name: 'far', isByContent: true },
    ])
    expect(mirror(catalogue, { tables: { 'public.seen': { key: ['id'] } } }).tables).toEqual([
      { name: 'seen', schema: 'public', relation: 'seen', key: ['id'], keyIsUnenforced: true },
    ])
  })

  it('takes the key and the name that the settings declare', () => {
    const catalogue = [
      table('public.keyless', 'code text'),
      table('sales.my.orders', 'id! code'),
      table('public.usual'),
    ]
    const tables = {
      'public.keyless': { key: ['code'] },
      'sales."my.orders"': { name: 'orders' },
    }
    expect(mirror(catalogue, { tables, withoutKey: 'leave' }).tables).toEqual([
      {
        name: 'keyless',
        schema: 'public',
        relation: 'keyless',
        key: ['code'],
        keyIsUnenforced: true,
      },
      { name: 'orders', schema: 'sales', relation: 'my.orders', key: ['id'] },
      { name: 'usual', schema: 'public', relation: 'usual', key: ['id'] },
    ])
    fails(
      catalogue,
      { tables, exclude: ['*.code'] },
      { code: 'PATTERN_EXCLUDES_KEY', message: expect.stringContaining('public.keyless') },
    )
  })

  it.each([
    [{ 'public.usal': {} }, 'mirror.tables names public.usal', 'did you mean public.usual?'],
    [{ usual: {} }, 'mirror.tables names usual', 'Correct it'],
    [
      { 'public.usual': { key: ['idd'] } },
      'mirror.tables gives public.usual the key column idd',
      'did you mean id?',
    ],
  ])('refuses settings of what is not there: %j', (tables, message, hint) => {
    fails(
      [table('public.usual')],
      { tables },
      {
        code: 'PATTERN_MATCHES_NOTHING',
        message: expect.stringContaining(message),
        hint: expect.stringContaining(hint),
      },
    )
  })

  it('shortens long names, the same way every time', () => {
    const long = 'x'.repeat(63)
    expect(names([table(`public.${long}`), table(`sales.${long}`)])).toEqual([
      long,
      `sales_${'x'.repeat(48)}_50d78afa`,
    ])
  })

  it.each([
    ['sales.orders', 'public.sales_orders', 'sales_orders', 'public.sales_orders'],
    ['public.orders', 'public.Orders', 'Orders', 'public.Orders'],
    ['public.orders', 'public.orders_history', 'orders_history', 'public.orders_history'],
    ['public.orders_current', 'public.orders', 'orders_current', 'public.orders_current'],
    ['public.orders', 'public.orders_as_of', 'orders_as_of', 'public.orders_as_of'],
    [
      'public.orders',
      'public.orders_as_of_batch',
      'orders_as_of_batch',
      'public.orders_as_of_batch',
    ],
    ['public.orders', 'public.change_orders', 'change_orders', 'public.change_orders'],
  ])('refuses %s beside %s: both need %s', (first, second, name, renamed) => {
    const [own = ''] = renamed.split('.').slice(1)
    const setting = `mirror: { tables: { '${renamed}': { name: '${own}_2' } } }`
    const catalogue = [table(first), table(second)]
    fails(
      catalogue,
      {},
      {
        code: 'NAMES_CLASH',
        message: expect.stringMatching(
          new RegExp(`^Tables .* and ${renamed} both need the name ${name},`),
        ),
        hint: expect.stringContaining(setting),
      },
    )
    expect(names(catalogue, { tables: { [renamed]: { name: `${own}_2` } } })).toContain(`${own}_2`)
  })

  it.each(['public.tidemark_batch', 'public.Tidemark_x', 'tidemark.x'])(
    'refuses %s, because such names are the platform’s',
    (place) => {
      fails(
        [table(place)],
        {},
        {
          code: 'NAMES_CLASH',
          message: expect.stringContaining(`Table ${place} cannot be called`),
          hint: expect.stringMatching(/name: 'source_tidemark_\w+'/i),
        },
      )
    },
  )

  it('refuses more tables than it can keep', () => {
    const many = Array.from({ length: 1001 }, (_, n) => table(`public.t${n}`))
    expect(names(many.slice(1))).toHaveLength(1000)
    fails(
      many,
      {},
      {
        code: 'TOO_MANY_TABLES',
        message: 'The source has 1001 tables to mirror, more than 1000',
        hint: expect.stringContaining('--select'),
      },
    )
  })

  it.each<[string, CatalogueTable[], MirrorSettings, string, string]>([
    ['there is none', [], {}, 'The database has no table', 'TIDEMARK_SOURCE_URL'],
    [
      'none can be read',
      [
        table('sales.a', 'id', { isReadable: false }),
        table('sales.b', 'id', { isReadable: false }),
      ],
      {},
      'This user may not read any of the 2 tables of the database',
      'grant select on all tables in schema sales to',
    ],
    [
      'the only one cannot be read',
      [table('public.a', 'id', { isReadable: false })],
      {},
      'This user may not read the only table of the database',
      'grant usage on schema public',
    ],
    [
      'the settings leave all out',
      [
        table('public.a'),
        table('public.b', 'x'),
        table('public.c', 'x', { kind: 'view' }),
        table('public.d', 'x', { isReadable: false }),
      ],
      { exclude: ['a'], withoutKey: 'leave' },
      '1 not selected, 1 without a key, which mirror.withoutKey keeps, 1 views or foreign tables, which mirror.views keeps, 1 not readable by this user',
      'select more',
    ],
  ])('refuses to mirror nothing: %s', (_, catalogue, settings, message, hint) => {
    fails(catalogue, settings, {
      code: 'NO_TABLES',
      message: expect.stringContaining(message),
      hint: expect.stringContaining(hint),
    })
  })
})

describe('findNameClash()', () => {
  it('proposes a name that is free', () => {
    const tables = ['a_b', 'A_B', 'a_b_2'].map((name) => ({ name, key: ['id'] }))
    expect(findNameClash(tables)).toMatchObject({
      table: { name: 'A_B' },
      other: { name: 'a_b' },
      proposal: 'A_B_3',
    })
  })

  it('knows clashes of shortened names', () => {
    const long = 'x'.repeat(60)
    const name = shortName(long, '_current')
    expect(findNameClash([long, name].map((each) => ({ name: each, key: ['id'] })))).toMatchObject({
      name,
      proposal: shortName(name, '_2'),
    })
  })
})
