import { expect, it } from 'vitest'
import { checkProject } from './check-project.ts'
import type { Dimension, Fact, Project } from './project.ts'

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
const table = (name: string, key = ['id']) => ({ name, key })
const project = (change: {
  tables?: ReturnType<typeof table>[]
  models?: Project['models']
}): Project => ({
  name: 'p',
  title: 'P',
  source: { schema: 'public', tables: change.tables ?? [table('a'), table('b')] },
  models: change.models ?? [dimension, fact],
  warehouse: { migrations: sql },
})

it('checkProject() takes a project whose names lead somewhere', () => {
  expect(() => checkProject(project({}))).not.toThrow()
})

it.each([
  ['one name twice', { tables: [table('a'), table('b'), table('a')] }, 'name a is taken'],
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
    'a name of the platform’s own',
    { tables: [table('a'), table('b'), table('Named_Date')] },
    'named_date is taken',
  ],
  ['a table without a key', { tables: [table('a', []), table('b')] }, 'a has no key'],
  ['two models of one name', { models: [dimension, dimension, fact] }, 'dim_a is taken'],
  [
    'a model called like a relation of a fact',
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
    'a fact from nowhere',
    { models: [dimension, { ...fact, from: 'bb' }] },
    'no declared source table',
  ],
  ['a reference to nothing', { models: [fact] }, 'no declared dimension'],
  [
    'a reference of too many columns',
    { models: [dimension, { ...fact, references: [{ columns: ['x', 'y'], dimension: 'dim_a' }] }] },
    'by 2 columns, its key has 1',
  ],
  [
    'a name that Postgres would cut',
    { models: [dimension, { ...fact, table: `fact_${'ü'.repeat(30)}` }] },
    'longer than 51 bytes',
  ],
])('checkProject() refuses %s', (_, change, message) => {
  expect(() => checkProject(project(change))).toThrow(message)
})
