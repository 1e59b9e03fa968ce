import { tmpdir } from 'node:os'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type DuckDb, openDuckDb } from '../../io/duckdb.ts'
import { createMemory } from '../../io/memory.ts'
import type { SourceView } from '../source-files.ts'
import { openAffectedRows } from './affected-rows.ts'
import { planRoutes } from './change-routes.ts'
import { parseSelect } from './parsed-select.ts'

const view = (name: string, key: string[], columns: Record<string, string>): SourceView => ({
  name,
  key,
  columns: Object.entries(columns).map(([column, type]) => ({ name: column, type, formerly: [] })),
  isContract: false,
})

const VIEWS = [
  view('book', ['isbn'], {
    isbn: 'VARCHAR',
    title: 'VARCHAR',
    category_id: 'INTEGER',
    pages: 'INTEGER',
  }),
  view('copy', ['isbn', 'number'], { isbn: 'VARCHAR', number: 'SMALLINT', shelf: 'VARCHAR' }),
  view('category', ['category_id'], {
    category_id: 'INTEGER',
    label: 'VARCHAR',
    above_id: 'INTEGER',
  }),
  view('order', ['id'], { id: 'BIGINT', current_date: 'DATE', isbn: 'VARCHAR', Text: 'VARCHAR' }),
]

const TYPES = {
  isbn: 'VARCHAR',
  number: 'INTEGER',
  id: 'BIGINT',
  category_id: 'INTEGER',
  title: 'VARCHAR',
}

let db: DuckDb

const memory = createMemory()

beforeAll(async () => {
  db = await openDuckDb({ scratchDir: tmpdir() })
  for (const { name, columns } of VIEWS) {
    const list = columns.map((column) => `null::${column.type} as "${column.name}"`)
    await db.run(`create view "${name}" as select ${list.join(', ')} where false`)
  }
})

afterAll(() => db[Symbol.asyncDispose]())

/**
 * The steps from each table's changes, as text; undefined if all rows of the select must be made.
 */
async function waysOf(sql: string, key: keyof typeof TYPES | (keyof typeof TYPES)[]) {
  const keys = [key].flat()
  const columns = keys.map((name) => ({ name, type: TYPES[name] }))
  const { node, functions } = await parseSelect({ db, memory }, sql)
  // Proves that the select runs at all.
  await db.run(`describe ${sql}`)
  const routes = planRoutes({ node, key: keys, columns, views: VIEWS, functions })
  const ways = [...(routes?.changes ?? [])].map(([table, steps]) => [
    table,
    steps.map((step) => `${step.table} by ${step.columns.join(', ')}`).join(', '),
  ])
  return routes && Object.fromEntries(ways)
}

describe('planRoutes() follows', () => {
  it('a projection, a filter, and a star', async () => {
    const own = { book: 'book by isbn' }
    expect(await waysOf('select isbn::varchar as isbn, title || 1 as t from book', 'isbn')).toEqual(
      own,
    )
    expect(await waysOf('select * from book where pages > 3 or title in (1, 2)', 'isbn')).toEqual(
      own,
    )
    expect(await waysOf('select b.* from book as b', 'isbn')).toEqual(own)
    expect(await waysOf('select "order".current_date, id from "order"', 'id')).toEqual({
      order: 'order by id',
    })
  })

  it('inner joins along keys, however they are written', async () => {
    const both = { book: 'book by isbn', category: 'category by category_id' }
    for (const sql of [
      'select isbn, label from book join category using (category_id)',
      'select isbn, label from category as c join book as b on b.category_id = c.category_id',
      'select isbn, label from book, category as c where c.category_id = book.category_id and pages > 1',
      'select isbn, label from book cross join category as c where c.category_id = book.category_id',
    ]) {
      expect(await waysOf(sql, 'isbn'), sql).toEqual(both)
    }
  })

  it('left joins, where a change on the right leads to the rows on the left that name its key', async () => {
    expect(
      await waysOf(
        `select c.isbn, number::integer as number, label
         from copy as c
         left join book on book.isbn = c.isbn
         left join category as g on g.category_id = book.category_id and pages > 3`,
        ['isbn', 'number'],
      ),
    ).toEqual({
      copy: 'copy by isbn, number',
      book: 'copy by isbn',
      category: 'book by category_id, copy by isbn',
    })
  })
})

describe('planRoutes() does not follow', () => {
  it.each([
    ['an aggregate', 'select max(title) as title, isbn from book group by isbn', 'isbn'],
    ['groups without one', 'select isbn from book group by all', 'isbn'],
    ['distinct rows', 'select distinct isbn from book', 'isbn'],
    ['a limit', 'select isbn from book limit 5', 'isbn'],
    ['a sample', 'select isbn from book using sample 5 rows', 'isbn'],
    ['a window', 'select isbn, row_number() over () as n from book', 'isbn'],
    ['qualify', 'select isbn from book qualify row_number() over () = 1', 'isbn'],
    ['a union', 'select isbn from book union all select isbn from copy', 'isbn'],
    ['a subquery in from', 'select isbn from (select isbn from book)', 'isbn'],
    ['a subquery in an expression', 'select isbn, (select 1) as one from book', 'isbn'],
    [
      'a filter by another table',
      'select isbn from book where isbn in (select isbn from copy)',
      'isbn',
    ],
    ['a semi join', 'select isbn from book semi join copy using (isbn)', 'isbn'],
    ['a CTE', 'with b as (select * from book) select isbn from b', 'isbn'],
    ['one called like a table', 'with book as (select 1 as isbn) select isbn from book', 'isbn'],
    ['another schema', 'select isbn from main.book', 'isbn'],
    ['a table function', 'select range::varchar as isbn from range(3)', 'isbn'],
    [
      'a table named twice',
      `select c.category_id from category as c join category as a on a.category_id = c.above_id`,
      'category_id',
    ],
    ['a full join', 'select b.isbn from book as b full join category using (category_id)', 'isbn'],
    [
      'a right join',
      'select b.isbn from book as b right join category using (category_id)',
      'isbn',
    ],
    ['a natural join', 'select b.isbn from book as b natural join category', 'isbn'],
    ['a join that fans out', 'select book.isbn, shelf from book join copy using (isbn)', 'isbn'],
    [
      'a left join that fans out',
      'select book.isbn, shelf from book left join copy on copy.isbn = book.isbn',
      'isbn',
    ],
    ['a join of everything', 'select isbn, label from book, category', 'isbn'],
    ['a key that is not the key of a table', 'select title from book', 'title'],
    ['a key that is computed', 'select lower(isbn) as isbn from book', 'isbn'],
    ['a key that may be cut', 'select id::integer as category_id from "order"', 'category_id'],
    [
      'a key from a cast that may fail',
      'select try_cast(isbn as integer) as category_id from book',
      'category_id',
    ],
    [
      'an equality of two types, in which several texts equal one number',
      'select c.category_id from category as c join book as b on b.isbn = c.above_id',
      'category_id',
    ],
    [
      'an equality that need not be true',
      `select isbn from book left join category as c on c.above_id = 1
       where c.category_id = book.category_id or pages = 1`,
      'isbn',
    ],
    ['the moment it is made', 'select isbn, current_date as today from book', 'isbn'],
    ['a parameter of the moment', 'select isbn from book where current_timestamp > now()', 'isbn'],
    ['a list comprehension', 'select isbn, [x + 1 for x in [1, 2]] as l from book', 'isbn'],
    ['columns by a pattern', `select columns('isbn|title') from book`, 'isbn'],
    ['nothing that is selected from', `select 'a' as isbn`, 'isbn'],
  ] as const)('%s', async (_, sql, key) => {
    expect(await waysOf(sql, key)).toBeUndefined()
  })

  it('a change on the right of a left join whose key comes from several tables', async () => {
    const ways = await waysOf(
      `select "order".id, c.shelf
       from "order" join book on book.isbn = "order".isbn
       left join copy as c on c.isbn = "order".isbn and c.number = book.pages`,
      'id',
    )
    expect(ways).toEqual({ order: 'order by id', book: 'book by isbn' })
  })
})

describe('openAffectedRows() trusts no function', () => {
  const affected = async (sql: string) => {
    const book = VIEWS.filter(({ name }) => name === 'book')
    const changed = book.map((each) => ({ view: each, paths: [] }))
    const refused: string[] = []
    const columns = [{ name: 'isbn', type: 'VARCHAR' }]
    const model = { sql, key: ['isbn'], columns, views: VIEWS, changed, refused }
    return await openAffectedRows({ db, memory }, model)
  }

  it.each([
    'random()',
    'uuid()',
    'now()',
    'today()',
    'max(isbn)',
    'unnest([1])',
    'ago(interval 1 day)',
  ])('whose value depends on more than its arguments: %s', async (call) => {
    expect(await affected(`select isbn, ${call} as x from book`)).toBeUndefined()
  })

  it.each([
    `nullif(title, '')`,
    'upper(title)',
    `split_part(title, ' ', 1)`,
    'pages + 1',
    'coalesce(title, isbn)',
  ])('but takes %s', async (call) => {
    const found = await affected(`select isbn, ${call} as x from book`)
    expect(found?.sql).toContain('with "book" as (from')
  })
})
