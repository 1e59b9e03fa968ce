import { describe, expect, it } from 'vitest'
import { createSystem } from '../../../test/support/system.ts'
import { verify } from '../inspect/verify.ts'
import { joinModels } from './model-graph.ts'
import type { Dimension, Fact, Model } from './model.ts'
import type { Project } from './project.ts'

function dimension(table: string, sql: string, key: string): Dimension {
  return { kind: 'dimension', table, sql, key: [key], nullable: ['label', 'title', 'shelf'] }
}

const SHELF = dimension(
  'dim_shelf',
  `select shelf_id, upper(label) as label from shelf`,
  'shelf_id',
)
/** A text and a comment are not names: dim_book. */
const BOOK = dimension(
  'dim_book',
  `select book_id, title, DIM_Shelf.label as shelf -- not dim_reader
   from book left join DIM_Shelf using (shelf_id) where title <> 'dim_loan'`,
  'book_id',
)
/** No fact names it, so its required number needs no inferred row. */
const COUNT = dimension(
  'dim_count',
  `select shelf, count(*)::integer as books from dim_book where shelf is not null group by shelf`,
  'shelf',
)
const LOAN: Fact = {
  kind: 'fact',
  table: 'fact_loan',
  sql: `select l.loan_id, l.book_id, b.shelf, l._operation, l._captured_at, l._ordinal
        from change_loan as l left join dim_book as b using (book_id)`,
  key: ['loan_id'],
  from: 'loan',
  follows: ['book', 'shelf'],
  recordId: 'loan_record_id',
  nullable: ['shelf'],
  references: [{ columns: ['book_id'], dimension: 'dim_book' }],
}

function refusal(models: readonly Model[]): string {
  try {
    joinModels(models)
  } catch (error) {
    return (error as Error).message
  }
  return 'taken'
}

describe('models that select from dimensions', () => {
  it('follow every table behind the dimension', async () => {
    const project: Project = {
      name: 'library',
      title: 'the library',
      source: {
        schema: 'public',
        tables: ['shelf', 'book', 'loan'].map((name) => ({ name, key: [`${name}_id`] })),
      },
      models: joinModels([COUNT, BOOK, SHELF, LOAN]),
    }
    await using system = await createSystem({ project, template: 'empty' })
    await system.sql.query(`
      create table shelf (shelf_id int primary key, label text);
      create table book (book_id int primary key, title text, shelf_id int);
      create table loan (loan_id int primary key, book_id int);
      insert into shelf values (1, 'a');
      insert into book values (10, 'Emma', 1);
      insert into loan values (100, 10)`)
    await system.run()
    await system.sql.query(`update shelf set label = 'b'`)
    await system.run()
    expect(await system.query('select * from dim_book')).toEqual([
      { book_id: 10, title: 'Emma', shelf: 'B' },
    ])
    expect(await system.query('select * from dim_count order by 1')).toEqual([
      { shelf: 'A', books: 1 },
      { shelf: 'B', books: 1 },
    ])
    expect(await system.query('select shelf, record_operation from fact_loan order by 1')).toEqual([
      { shelf: 'A', record_operation: 'insert' },
      { shelf: 'B', record_operation: 'update' },
    ])
    const { tables } = await verify(system.deps)
    expect(tables.flatMap(({ difference }) => difference.keys)).toEqual([])
  })

  it('are left as they are if they name none', () => {
    expect(joinModels([SHELF])).toEqual([SHELF])
    expect(joinModels([])).toEqual([])
  })

  it.each([
    ['has a quoted name', 'dim Shelf-1', 'from "dim Shelf-1"'],
    ['follows a quote in a quoted name', 'dim_shelf', `, 1 as "it's" from dim_shelf -- '`],
    ['follows dashes in a quoted name', 'dim_shelf', ', 1 as "a--b" from dim_shelf'],
    ['follows a text with an escape', 'dim_shelf', String.raw`, e'it\'s' as a from dim_shelf -- '`],
    ['comes second', 'dim_shelf', 'from book, Dim_Shelf'],
  ])('find a dimension that %s', (_which, table, rest) => {
    const [, reader] = joinModels([
      { ...SHELF, table },
      { ...BOOK, sql: `select 1 as book_id ${rest}` },
    ])
    expect(reader?.sql).toContain('select shelf_id, upper(label)')
  })

  it.each([
    ['a column', 'select book_id, dim_book.title as dim_shelf from book as dim_book'],
    ['an alias', 'select dim_shelf.book_id from book dim_shelf'],
    ['a text in dollars', `select $$ from dim_shelf ' $$ as book_id from book`],
    ['a comment', 'select book_id /* from dim_shelf */ from book -- join dim_shelf'],
  ])('take %s of the same name for what it is', (_what, sql) => {
    const book = { ...BOOK, sql }
    expect(joinModels([SHELF, book])).toEqual([SHELF, book])
  })

  it('take the source table of the same name', () => {
    expect(joinModels([SHELF, BOOK], ['DIM_SHELF'])).toEqual([SHELF, BOOK])
  })

  it('may not form a circle, nor read a calendar', () => {
    const back = {
      ...SHELF,
      sql: `select shelf_id, label from shelf join dim_book using (shelf_id)`,
    }
    expect(refusal([BOOK, back])).toBe(
      'Models select from each other in a circle: dim_book → dim_shelf → dim_book',
    )
    const day: Model = { kind: 'calendar', table: 'dim_day', sql: 'select 1', key: ['day'] }
    const dated = { ...SHELF, sql: 'select * from shelf, dim_day' }
    expect(refusal([dated, day])).toBe('Model dim_shelf selects from the calendar dim_day')
  })
})
