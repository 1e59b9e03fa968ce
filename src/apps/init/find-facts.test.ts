import { describe, expect, it } from 'vitest'
import { catalogueTable } from '../../../test/support/catalogue-table.ts'
import type { CatalogueTable } from '../../platform/project/catalogue-table.ts'
import { chooseTables, withoutSecrets } from './choose-tables.ts'
import { isBookkeeping, linkTables } from './find-facts.ts'
import { proposeStar } from './propose-star.ts'

/**
 * A table of `public`. A column is `name:type`, `!` marks the key, and `>other` refers to the key of
 * another table.
 */
function table(name: string, columns: string): CatalogueTable {
  const parts = columns.split(' ').map((text) => {
    const [, column = '', key, to, type = 'text'] =
      /^(\w+)(!?)(?:>(\w+))?(?::(.+))?$/.exec(text) ?? []
    return { column, isKey: key === '!', to, type: type.replaceAll('_', ' ') }
  })
  const key = parts.filter(({ isKey }) => isKey).map(({ column }) => column)
  const bare = catalogueTable(`public.${name}`, 'x')
  return {
    ...bare,
    key: key.length > 0 ? key : undefined,
    columns: parts.map(({ column, type, isKey }) => ({
      ...bare.columns[0]!,
      name: column,
      type,
      baseType: type,
      nullable: !isKey,
    })),
    foreignKeys: parts.flatMap(({ column, to }) =>
      to === undefined
        ? []
        : [{ columns: [column], refersTo: { schema: 'public', relation: to, columns: ['id'] } }],
    ),
  }
}

function factsOf(...tables: CatalogueTable[]): string[] {
  const { tables: chosen } = chooseTables(tables, {})
  const schema = linkTables(chosen)
  return schema.tables.filter(schema.isFact).map((each) => each.table.name)
}

const A = table('a', 'id!:integer name')
const B = table('b', 'id!:integer name')

describe('linkTables()', () => {
  it.each([
    ['a measure', 'id! a_id>a b_id>b amount:numeric(10,2)', true],
    ['a date', 'id! a_id>a b_id>b happened:date', true],
    ['a moment', 'id! a_id>a b_id>b happened:timestamp_with_time_zone', true],
    ['a moment with digits', 'id! a_id>a b_id>b happened:timestamp(3)_without_time_zone', true],
    ['nothing to measure', 'id! a_id>a b_id>b name', false],
    ['only moments of writing', 'id! a_id>a b_id>b created_at:date last_update:date', false],
    ['only numbers that are keys', 'id!:integer a_id>a:integer b_id>b:bigint', false],
    ['an array of numbers', 'id! a_id>a b_id>b amounts:integer[]', false],
    ['one other table', 'id! a_id>a amount:integer', false],
    ['one other table twice', 'id! a_id>a other>a amount:integer', false],
    ['itself and another', 'id! a_id>a up>f amount:integer', false],
    ['no key', 'x a_id>a b_id>b amount:integer', false],
  ])('takes a table with %s: %s is a fact: %s', (_, columns, isFact) => {
    expect(factsOf(A, B, table('f', columns))).toEqual(isFact ? ['f'] : [])
  })

  it('takes what facts refer to for no fact, unless it has a date of its own', () => {
    const product = table('product', 'id! a_id>a b_id>b price:numeric')
    const head = table('head', 'id! a_id>a b_id>b total:numeric sent_on:date')
    const line = table('line', 'id! product_id>product head_id>head amount:integer')
    expect(factsOf(A, B, product)).toEqual(['product'])
    expect(factsOf(A, B, product, head, line)).toEqual(['head', 'line'])
  })

  it('decides where tables refer to each other in a circle', () => {
    const one = table('one', 'id! a_id>a two_id>two amount:integer')
    const two = table('two', 'id! a_id>a one_id>one amount:integer')
    expect(factsOf(A, one, two)).toHaveLength(1)
  })

  it('follows no foreign key to other columns than the key', () => {
    const other = { ...B, key: ['name'] }
    expect(factsOf(A, other, table('f', 'id! a_id>a b_id>b amount:integer'))).toEqual([])
  })
})

it.each([
  ['created_at', true],
  ['createdAt', true],
  ['last_updated', true],
  ['date_modified', true],
  ['deleted_on', true],
  ['ordered_at', false],
  ['created_by_customer', false],
  ['at', false],
])('isBookkeeping() of %s is %s', (name, is) => {
  expect(isBookkeeping({ ...A.columns[0]!, name })).toBe(is)
})

describe('proposeStar()', () => {
  it('proposes nothing without a fact', () => {
    expect(proposeStar(chooseTables([A, B], {}).tables)).toEqual([])
  })

  it('joins three tables far, each once, and only along the one foreign key to it', () => {
    const tables = [
      table('a', 'id!:integer b_id>b near>c far>c up>a'),
      table('b', 'id!:integer d_id>d name'),
      table('c', 'id!:integer name'),
      table('d', 'id!:integer e_id>e name created_at:date'),
      table('e', 'id!:integer g_id>g b_id>b name'),
      table('g', 'id!:integer name'),
      table('f', 'id!:integer a_id>a c_id>c amount:integer'),
    ]
    const models = proposeStar(chooseTables(tables, {}).tables)
    expect(models.map(({ name }) => name)).toEqual(['dim_a', 'dim_c', 'fact_f'])
    expect(models[0]?.reads).toEqual(['a', 'b', 'd', 'e'])
    const names = [...(models[0]?.sql ?? '').matchAll(/^ {4}([a-z].*?),?$/gm)].map(([, sql]) => sql)
    expect(names.slice(0, 10)).toEqual([
      'a.id',
      'a.b_id',
      'a.near',
      'a.far',
      'a.up',
      'b.d_id',
      'b.name',
      'd.e_id',
      'd.name as d_name',
      'e.g_id',
    ])
    expect(models[2]?.config.references).toEqual({ a_id: 'dim_a', c_id: 'dim_c' })
  })

  it('leaves out columns that look like secrets, once the person agrees', () => {
    const secret = table('a', 'id!:integer name password')
    const chosen = chooseTables([secret, B, table('f', 'id! a_id>a b_id>b n:integer')], {})
    const sqlOf = (tables: typeof chosen.tables): string =>
      proposeStar(tables)
        .map(({ sql }) => sql)
        .join('\n')
    expect(sqlOf(chosen.tables)).toContain('a.password')
    expect(sqlOf(withoutSecrets(chosen).tables)).not.toContain('password')
  })
})
