import { expect, it } from 'vitest'
import type { Model } from '../../../../platform/project/model.ts'
import type { Project } from '../../../../platform/project/project.ts'
import type { Page } from '../../../../platform/project/dashboard.ts'
import { projectLineage } from './project-lineage.ts'

const shelf: Model = {
  kind: 'dimension',
  table: 'dim_shelf',
  sql: 'select shelf_id, label from shelf',
  key: ['shelf_id'],
  description: 'Where books stand',
}
const book: Model = {
  kind: 'dimension',
  table: 'dim_book',
  sql: 'select book_id, label from book left join dim_shelf using (shelf_id) -- not dim_reader',
  key: ['book_id'],
}
const reader: Model = { ...shelf, table: 'dim_reader', sql: 'select * from reader' }
const project: Project = {
  name: 'library',
  title: 'the library',
  source: {
    schema: 'public',
    tables: [
      { name: 'shelf', key: ['shelf_id'], description: 'As bought' },
      { name: 'book', key: ['book_id'] },
    ],
  },
  models: [shelf, book, reader],
}
const page: Page = {
  path: '/books',
  title: 'Books',
  summary: 'Every book.',
  filters: [],
  panels: [{ question: 'q1', chart: { kind: 'table', columns: [] }, leads: { to: '/books' } }],
}

it('projectLineage() leads from sources over dimensions to the pages that read them', () => {
  const lineage = (table: string, ...reads: string[]) => ({ table, reads, columns: [] })
  const { nodes, edges } = projectLineage(
    { models: [lineage('dim_shelf', 'shelf'), lineage('dim_book', 'book'), lineage('dim_reader')] },
    project,
    {
      questions: new Map([['q1', { sql: '-- dim_reader\nselect * from dim_book' }]]),
      dashboard: { pages: [page] },
    },
  )
  expect(edges).toEqual([
    ['source shelf', 'table dim_shelf'],
    ['source book', 'table dim_book'],
    ['table dim_shelf', 'table dim_book'],
    ['table dim_book', 'page Books'],
  ])
  expect(nodes.find(({ id }) => id === 'source shelf')).toMatchObject({
    href: '/catalogue/shelf',
    description: 'As bought',
  })
  expect(nodes.find(({ id }) => id === 'table dim_shelf')).toMatchObject({
    href: '/table/dim_shelf',
    description: 'Where books stand',
  })
})
