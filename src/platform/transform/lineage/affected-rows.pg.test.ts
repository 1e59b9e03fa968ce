import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bareProject, folderOf } from '../../../../test/support/bare-project.ts'
import { readRefusedRows, type RefusedRow } from '../../../../test/support/lake.ts'
import { createSystem, type TestSystem } from '../../../../test/support/system.ts'
import { processedZone } from '../../deps.ts'
import { openDuckDb, type Relation } from '../../io/duckdb.ts'
import { readLastCommit } from '../../lake/batch-log.ts'
import type { CommitRecord } from '../../lake/commit-record.ts'
import { openState } from '../../lake/table-state.ts'
import { extract, transform } from '../../pipeline.ts'
import { generationOf } from '../../project/generation.ts'
import type { Dimension } from '../../project/model.ts'
import type { Project } from '../../project/project.ts'
import { describeSelect } from '../../lake/describe-select.ts'

const SOURCE = `
  create table book (book_id int primary key, title text, category_id int, shelf text, lent bool);
  create table category (category_id int primary key, label text, above_id int);
  create table shelf (shelf text primary key, room text, floor_id smallint);
  create table floor (floor_id smallint primary key, colour text)`

/** Dimensions whose changed rows can be followed. */
const FOLLOWED: Readonly<Record<string, string>> = {
  projection: `select book_id, upper(title) as title, lent from book`,
  // A book without a title goes to quarantine.
  required: `select book_id, title from book join category using (category_id)`,
  filter: `select book_id, title from book where not lent and nullif(title, '') is not null`,
  join: `
    select b.book_id::integer as book_id, b.title, c.label
    from book as b join category as c on c.category_id = b.category_id and c.label <> b.title`,
  comma: `
    select book.*, label from category, book
    where book.category_id = category.category_id and coalesce(above_id, 0) < 3`,
  left_join: `
    select book_id, title, s.room, f.colour
    from book left join shelf as s using (shelf)
      left join floor as f on f.floor_id = s.floor_id and f.colour <> book.title`,
  both_joins: `
    select book_id, label, room from book
    left join shelf on shelf.shelf = book.shelf
    join category on category.category_id = book.category_id
    where room is distinct from 'attic'`,
}

/** Dimensions of which all rows must be made. */
const WHOLE: Readonly<Record<string, string>> = {
  self_join: `
    select c.category_id, c.label, a.label as above
    from category as c left join category as a on a.category_id = c.above_id`,
  aggregate: `select category_id, count(*)::integer as books from book where category_id > 0 group by 1`,
  latest: `
    select shelf as book_id, title from book where shelf is not null
    qualify row_number() over (partition by shelf order by book_id desc) = 1`,
  lookup: `
    select book_id, (select max(label) from category where category_id = book.category_id) as label
    from book`,
}

/** A dimension that shows the type of its column, not only its values. */
const TYPED = { typed: `select book_id, title, typeof(category_id) as label from book` }

const KEYS: Readonly<Record<string, string>> = {
  self_join: 'category_id',
  aggregate: 'category_id',
}

type Selects = Readonly<Record<string, string>>

/** Each dimension twice: plain, and wrapped so that all its rows must be made. */
function library(selects: Selects): Project {
  const files = Object.entries(selects).flatMap(([name, sql]) => [
    [`${name}.sql`, sql],
    [`${name}_whole.sql`, `select * from (${sql})`],
  ])
  const folder = folderOf(Object.fromEntries(files) as Record<string, string>)
  const models = Object.keys(selects).flatMap((name) =>
    [name, `${name}_whole`].map((table): Dimension => {
      const key = [KEYS[name] ?? 'book_id']
      const nullable = ['label', 'room', 'colour', 'lent', 'above', 'shelf', 'category_id', 'books']
      if (name !== 'required') nullable.push('title')
      return {
        kind: 'dimension',
        table,
        sql: new URL(`${table}.sql`, folder),
        key,
        nullable: nullable.filter((column) => !key.includes(column)),
      }
    }),
  )
  const tables = [
    { name: 'book', key: ['book_id'] },
    {
      name: 'category',
      key: ['category_id'],
      columns: { category_id: 'integer', label: 'text', above_id: 'integer' },
    },
    { name: 'shelf', key: ['shelf'] },
    { name: 'floor', key: ['floor_id'] },
  ]
  return { ...bareProject(tables), models }
}

async function openLibrary(selects: Selects): Promise<TestSystem> {
  const system = await createSystem({ project: library(selects), template: 'empty' })
  await system.sql.query(SOURCE)
  return system
}

async function carry({ deps }: TestSystem): Promise<CommitRecord | undefined> {
  await extract(deps)
  await transform(deps)
  return await readLastCommit(processedZone(deps, generationOf(deps.project)))
}

/** Dimensions for which the two ways published different rows. */
async function findDifferent(
  system: TestSystem,
  { selects, record }: { selects: Selects; record: CommitRecord | undefined },
): Promise<string[]> {
  await using db = await openDuckDb({ scratchDir: system.folder })
  const zone = processedZone(system.deps, generationOf(system.deps.project))
  const different: string[] = []
  for (const name of Object.keys(selects)) {
    const pair = [name, `${name}_whole`]
    const states: Relation[] = []
    for (const table of pair) {
      const state = record?.tables[table]?.state ?? []
      const [file] = state
      if (file === undefined) continue
      const columns = await describeSelect(
        db,
        `select columns(lambda name: not starts_with(name, '_'))
         from '${system.folder}/processed/${zone.prefix}${file.key}'`,
      )
      const key = [KEYS[name] ?? 'book_id']
      states.push(await openState(db, zone, { table: { name: table, key, columns }, state }))
    }
    const sizes = pair.map((table) => record?.tables[table]?.state.length)
    if (sizes.every((size) => size === 0)) continue
    const [a, b] = states.map((state) => `from ${state.name}`)
    const rows = await db.count(`((${a} except all ${b}) union all (${b} except all ${a}))`)
    if (rows > 0) different.push(name)
  }
  return different
}

/** The rows of a dimension in quarantine. */
async function refusedOf(
  system: TestSystem,
  { table, record }: { table: string; record: CommitRecord | undefined },
): Promise<(readonly [RefusedRow['key'], number, string, string])[]> {
  const rows = await readRefusedRows(system, record, { table, what: 'open' })
  return rows.map(({ key, batch, reason, operation }) => [key, batch, reason, operation])
}

const id = fc.integer({ min: 1, max: 5 })
const word = fc.constantFrom(`'a'`, `'b'`, `''`, `'attic'`, 'null')
const shelf = fc.constantFrom(`'a'`, `'01'`, `'1'`)
const some = fc.integer({ min: 1, max: 3 })

/** A statement on one row, which may change nothing. */
const change = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .tuple(id, word, some, shelf, fc.constantFrom('true', 'false', 'null'))
      .map((row) => put('book', row)),
  },
  { weight: 2, arbitrary: fc.tuple(some, word, id).map((row) => put('category', row)) },
  { weight: 2, arbitrary: fc.tuple(shelf, word, some).map((row) => put('shelf', row)) },
  { weight: 1, arbitrary: fc.tuple(some, word).map((row) => put('floor', row)) },
  { weight: 2, arbitrary: id.map((value) => `delete from book where book_id = ${value}`) },
  some.map((value) => `delete from category where category_id = ${value}`),
  shelf.map((value) => `delete from shelf where shelf = ${value}`),
  some.map((value) => `delete from floor where floor_id = ${value}`),
  fc
    .tuple(some, id)
    .map(([from, to]) => `update book set category_id = ${to} where category_id = ${from}`),
)

function put(table: string, row: readonly unknown[]): string {
  const key = `${table === 'shelf' ? 'shelf' : `${table}_id`} = ${String(row[0])}`
  return `delete from ${table} where ${key}; insert into ${table} values (${row.join(', ')})`
}

describe('a dimension whose changed rows are followed', () => {
  it('I6 is published as if all its rows were made, whatever happens to its tables', async () => {
    const selects = { ...FOLLOWED, ...WHOLE }
    await using system = await openLibrary(selects)
    await system.sql.query(`
      insert into floor values (1, 'red'), (2, 'blue');
      insert into shelf values ('1', 'a', 1), ('a', 'attic', 2), ('01', null, 3);
      insert into category values (1, 'a', null), (2, 'b', 1), (3, null, 2);
      insert into book select n, 'b', n, '1', false from generate_series(1, 5) as n`)
    await carry(system)
    const history = fc.array(fc.array(change, { minLength: 1, maxLength: 4 }), { maxLength: 5 })
    await fc.assert(
      fc.asyncProperty(history, async (batches) => {
        for (const changes of batches) {
          await system.sql.query(changes.join(';'))
          const record = await carry(system)
          expect(await findDifferent(system, { selects, record })).toEqual([])
          expect(await refusedOf(system, { table: 'required', record })).toEqual(
            await refusedOf(system, { table: 'required_whole', record }),
          )
          for (const name of Object.keys(selects)) {
            const [one, other] = [name, `${name}_whole`].map(
              (table) => record?.tables[table]?.counts,
            )
            expect([one?.inserted, one?.updated], name).toEqual([other?.inserted, other?.updated])
          }
        }
      }),
      { numRuns: 7 },
    )
    // And it is followed: among many rows, one change makes only few rows again.
    await system.sql.query(`
      truncate book, category, shelf, floor;
      insert into floor select n, 'colour ' || n from generate_series(1, 20) as n;
      insert into shelf select n, 'room ' || n, n from generate_series(1, 20) as n;
      insert into category select n, 'label ' || n, 1 from generate_series(1, 20) as n;
      insert into book select n, 'title ' || n, n, n, false from generate_series(1, 20) as n`)
    // The rows whose titles were missing leave quarantine in a batch of their own.
    await carry(system)
    for (const sql of [
      `update book set title = 'other' where book_id = 7`,
      `update category set label = 'other' where category_id = 7`,
      `update shelf set room = 'other' where shelf = '7'`,
      `delete from floor where floor_id = 7`,
    ]) {
      await system.sql.query(sql)
      const record = await carry(system)
      expect(await findDifferent(system, { selects, record })).toEqual([])
      const read = (name: string): number => record?.tables[name]?.counts.read ?? 0
      for (const name of Object.keys(FOLLOWED)) expect(read(name), name).toBeLessThanOrEqual(1)
      for (const name of Object.keys(WHOLE)) expect(read(name), name).toBe(read(`${name}_whole`))
      expect(read('left_join_whole') + read('self_join_whole')).toBeGreaterThanOrEqual(20)
    }
  })

  it('I6 is made from all rows when a table has a new schema, and followed again after that', async () => {
    await using system = await openLibrary(TYPED)
    await system.sql.query(`
      insert into book select n, 'title ' || n, n from generate_series(1, 5) as n`)
    await carry(system)
    await system.sql.query('alter table book alter column category_id type bigint')
    const reshaped = await carry(system)
    expect(reshaped?.tables['typed']?.counts).toMatchObject({ read: 5, updated: 5 })
    await system.sql.query(`update book set title = 'other' where book_id = 3`)
    const record = await carry(system)
    expect(record?.tables['typed']?.counts).toMatchObject({ read: 1, updated: 1 })
    expect(await findDifferent(system, { selects: TYPED, record })).toEqual([])
  })

  it('is refused if it gives a key twice, as if all its rows were made', async () => {
    const twice = { twice: 'select coalesce(category_id, book_id) as book_id, title from book' }
    await using system = await openLibrary(twice)
    await system.sql.query(`insert into book (book_id, category_id) values (1, null), (2, null)`)
    await carry(system)
    await system.sql.query('update book set category_id = 1 where book_id = 2')
    await expect(carry(system)).rejects.toMatchObject({ code: 'KEY_NOT_UNIQUE' })
  })

  it('I15 is followed while one of its rows is in quarantine, until that row is corrected or gone', async () => {
    const selects = { required: FOLLOWED['required'] ?? '' }
    await using system = await openLibrary(selects)
    await system.sql.query(`
      insert into category values (1, 'a', null), (2, 'b', null);
      insert into book select n, 'title ' || n, 1 from generate_series(1, 30) as n`)
    await carry(system)
    const numbers = Array.from({ length: 31 }, (_, index) => String(index + 1))
    const all = numbers.filter((number) => number !== '4' && number !== '5')
    const steps: readonly (readonly [sql: string, read: number, open: readonly string[]])[] = [
      ['update book set title = null where book_id in (3, 4, 5)', 3, ['3', '4', '5']],
      // The rows in quarantine are made again with every change.
      [`update book set title = 'other' where book_id = 7`, 4, ['3', '4', '5']],
      [`update book set title = 'found' where book_id = 3`, 3, ['4', '5']],
      ['delete from book where book_id = 4', 1, ['5']],
      // It no longer joins anything.
      ['update book set category_id = 9 where book_id = 5', 0, []],
      ['insert into book values (31, null, 2)', 1, ['31']],
      // A change of a key, and more rows than may be refused one by one.
      ['update book set title = null', 29, all],
    ]
    for (const [sql, read, open] of steps) {
      await system.sql.query(sql)
      const record = await carry(system)
      expect(record?.tables['required']?.counts.read, sql).toBe(read)
      expect(await findDifferent(system, { selects, record })).toEqual([])
      const [followed, whole] = [
        await refusedOf(system, { table: 'required', record }),
        await refusedOf(system, { table: 'required_whole', record }),
      ]
      expect(followed).toEqual(whole)
      expect(followed.map(([key]) => key['book_id'])).toEqual(open)
    }
  })
})
