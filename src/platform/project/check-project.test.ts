import { expect, it } from 'vitest'
import { checkProject } from './check-project.ts'
import type { Check, Dimension, Fact } from './model.ts'
import type { Project } from './project.ts'
import type { SourceTable, WideFormat } from './source-contract.ts'

const sql = new URL('file:///none.sql')
const dimension: Dimension = { kind: 'dimension', table: 'dim_a', sql, key: ['id'] }

const fact: Fact = {
  kind: 'fact',
  table: 'fact_b',
  sql,
  key: ['id'],
  from: 'b',
  recordId: 'b_record_id',
  references: [{ columns: ['a_id'], dimension: 'dim_a' }],
}

const table = (name: string, key = ['id']): SourceTable => ({ name, key })
const check = (name: string): Check => ({ name, column: 'id', holds: 'true' })

const project = (change: {
  tables?: SourceTable[]
  models?: Project['models']
  tests?: NonNullable<Project['tests']>
}): Project => ({
  name: 'p',
  title: 'P',
  source: { schema: 'public', tables: change.tables ?? [table('a'), table('b')] },
  models: change.models ?? [dimension, fact],
  tests: change.tests ?? [],
  warehouse: { migrations: sql },
})

it('checkProject() accepts a project whose names are distinct and declared', () => {
  expect(() => checkProject(project({}))).not.toThrow()
})

it.each([
  ['a name that occurs twice', { tables: [table('a'), table('b'), table('a')] }, 'name a is taken'],
  [
    'names that differ in case only',
    { tables: [table('a'), table('b'), table('A')] },
    'name A is taken',
  ],
  [
    'the name of a fact’s changes',
    { tables: [table('a'), table('b'), table('change_b')] },
    'change_b is taken',
  ],
  [
    'a reserved name',
    { tables: [table('a'), table('b'), table('Named_Date')] },
    'named_date is taken',
  ],
  [
    'an excluded column of the key',
    { tables: [{ ...table('a'), exclude: ['id'] }, table('b')] },
    'excludes its column id, which is in its key',
  ],
  [
    'an excluded column that models read',
    {
      tables: [
        { ...table('a'), columns: { id: 'integer', n: 'text' }, exclude: ['n'] },
        table('b'),
      ],
    },
    'excludes its column n, which models read',
  ],
  ['a table without a key', { tables: [table('a', []), table('b')] }, 'a has no key'],
  ['two models with one name', { models: [dimension, dimension, fact] }, 'dim_a is taken'],
  [
    'a model with the name of a fact’s relation',
    {
      models: [
        { ...dimension, table: 'fact_b_current' },
        { ...fact, references: [] },
      ],
    },
    'fact_b_current is taken',
  ],
  ['a model without a key', { models: [{ ...dimension, key: [] }, fact] }, 'dim_a has no key'],
  [
    'a fact from an undeclared table',
    { models: [dimension, { ...fact, from: 'bb' }] },
    'not a declared source table',
  ],
  ['a reference to an undeclared dimension', { models: [fact] }, 'not a declared dimension'],
  [
    'a reference with too many columns',
    { models: [dimension, { ...fact, references: [{ columns: ['x', 'y'], dimension: 'dim_a' }] }] },
    'by 2 columns, but its key has 1',
  ],
  [
    'a name that Postgres would cut',
    { models: [dimension, { ...fact, table: `fact_${'ü'.repeat(30)}` }] },
    'longer than 63 bytes',
  ],
  [
    'a contract without the key',
    { tables: [{ ...table('a'), columns: { name: 'text' } }, table('b')] },
    'a does not declare its key column id',
  ],
  [
    'a model with the name of a table in the contract',
    { tables: [{ ...table('dim_a'), columns: { id: 'integer' } }, table('b')] },
    'dim_a is taken',
  ],
  [
    'two checks with one name',
    { models: [{ ...dimension, checks: [check('odd'), check('odd')] }, fact] },
    'name odd is taken: another check of dim_a',
  ],
  [
    'a check with the name of one of the platform’s reasons',
    { models: [{ ...dimension, checks: [check('cast')] }, fact] },
    'name cast is taken',
  ],
  [
    'a check whose name cannot be a reason code',
    { models: [{ ...dimension, checks: [check('Too big')] }, fact] },
    'Check Too big of dim_a',
  ],
  [
    'a check with the name of a member that every object inherits',
    { models: [{ ...dimension, checks: [check('__proto__')] }, fact] },
    'Check __proto__ of dim_a',
  ],
  [
    'a check whose name is SQL',
    { models: [{ ...dimension, checks: [check(`x" from a; --`)] }, fact] },
    'Check x" from a; -- of dim_a',
  ],
  [
    'two tests with one name',
    {
      tests: [
        { name: 't', sql },
        { name: 't', sql },
      ],
    },
    'name t is taken: another data test',
  ],
  [
    'the name of a view of changes that a test may read',
    { tables: [table('a'), table('b'), table('change_a')], tests: [{ name: 't', sql }] },
    'change_a is taken',
  ],
])('checkProject() refuses %s', (_, change, message) => {
  expect(() => checkProject(project(change))).toThrow(message)
})

it('checkProject() refuses a wide format whose cells would not be rows of the feed', () => {
  const wide: WideFormat = {
    first: { title: 'Date', column: 'day' },
    titles: { column: 'code', pattern: '[A-Z]{3}' },
    cells: { column: 'rate', absent: [] },
    constants: { source: 'a bank' },
  }
  const columns = {
    day: 'date',
    code: 'text',
    rate: 'numeric(20,10)',
    source: 'text',
    note: 'text',
  }
  const checking = (change: Partial<WideFormat>, key = ['day', 'code']) => {
    const { source, ...rest } = project({})
    const feeds = [{ name: 'f', key, columns, wide: { ...wide, ...change } }]
    return () => checkProject({ ...rest, source: { ...source, feeds } })
  }
  expect(checking({})).not.toThrow()
  expect(checking({}, ['day', 'note'])).toThrow('does not fill its key column note')
  expect(checking({ constants: { other: 'x' } })).toThrow(
    'fills other, which is not one of its columns',
  )
  expect(checking({ constants: { rate: '1' } })).toThrow('name rate is taken')
  expect(checking({ first: { title: 'day', column: 'day' } })).toThrow(
    'is also one of its columns: day',
  )
  expect(checking({ titles: { column: 'code', pattern: '[' } })).toThrow('no valid pattern')
})

const sums = { columns: { units: 'units' }, grains: { day: ['day'] } }

it.each<[string, Partial<Fact>, string]>([
  ['no grain', { sums: { ...sums, grains: {} } }, 'have no grain'],
  ['a grain without columns', { sums: { ...sums, grains: { day: [] } } }, 'have no columns'],
  [
    'a grain that names a column twice',
    { sums: { ...sums, grains: { day: ['day', 'day'] } } },
    'by day name day twice',
  ],
  [
    'a later grain that names one of several columns twice',
    { sums: { ...sums, grains: { day: ['day'], item: ['day', 'item', 'day'] } } },
    'by item name day twice',
  ],
  ['a grain by a column that may be null', { sums, nullable: ['day'] }, 'which may be null'],
  ['the grain of single rows', { sums: { ...sums, grains: { row: ['day'] } } }, 'grain row'],
  ['a grain that is no name', { sums: { ...sums, grains: { 'a b': ['day'] } } }, 'grain a b'],
  [
    'a sum with the name of a column',
    { sums: { ...sums, columns: { day: 'units' } } },
    'day is taken',
  ],
  [
    'a column of every sum',
    { sums: { ...sums, grains: { day: ['row_count'] } } },
    'The name row_count is taken: another sums column of',
  ],
  ['a derived column that no grain names', { sums: { ...sums, derived: { week: '1' } } }, 'week'],
  [
    'a table with a long name',
    { sums: { ...sums, grains: { ['d'.repeat(60)]: ['day'] } } },
    'is longer than 63 bytes',
  ],
])('checkProject() refuses sums with %s', (_, change, said) => {
  expect(() => checkProject(project({ models: [dimension, { ...fact, sums }] }))).not.toThrow()
  expect(() => checkProject(project({ models: [dimension, { ...fact, ...change }] }))).toThrow(said)
})
