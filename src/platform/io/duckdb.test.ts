import { readdir, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type DuckDb, openDuckDb } from './duckdb.ts'
import { openTogether } from './open-together.ts'

let db: DuckDb

beforeAll(async () => {
  db = await openDuckDb({ scratchDir: tmpdir() })
})

afterAll(() => db[Symbol.asyncDispose]())

/** Names of the temporary tables and views. */
async function relations(): Promise<string[]> {
  const rows = await db.rows<{ name: string }>(`
    select view_name as name from duckdb_views() where temporary and not internal
    union all select table_name from duckdb_tables() where temporary`)
  return rows.map(({ name }) => name)
}

describe('a relation', () => {
  it('has a name of its own, and is dropped when it is disposed of', async () => {
    {
      await using one = await db.table('select 1 as x')
      await using other = await db.view(`select x + 1 as x from ${one.name}`)
      expect(one.name).not.toBe(other.name)
      expect(await db.rows(`from ${other.name}`)).toEqual([{ x: 2 }])
      expect(await relations()).toHaveLength(2)
    }
    expect(await relations()).toEqual([])
  })

  it('is dropped although what follows fails, and the error stays what it was', async () => {
    const failing = async (): Promise<void> => {
      await using one = await db.table('select 1 as x')
      await db.run(`select missing from ${one.name}`)
    }
    await expect(failing()).rejects.toThrow(/missing/)
    expect(await relations()).toEqual([])
  })

  it('has the name that models know, for one holder at a time', async () => {
    await using _book = await db.view('select 1 as isbn', 'book "1"')
    expect(await db.rows('from "book ""1"""')).toEqual([{ isbn: 1 }])
    await expect(db.view('select 2 as isbn', 'book "1"')).rejects.toThrow(/already exists/)
  })

  it('is dropped once, although it is disposed of again', async () => {
    const one = await db.view('select 1 as isbn', 'book')
    await one[Symbol.asyncDispose]()
    await using other = await db.view('select 2 as isbn', 'book')
    await one[Symbol.asyncDispose]()
    expect(await db.rows(`from ${other.name}`)).toEqual([{ isbn: 2 }])
  })

  it('takes no error along if the database is gone before it', async () => {
    const other = await openDuckDb({ scratchDir: tmpdir() })
    const one = await other.table('select 1 as x')
    await other[Symbol.asyncDispose]()
    await expect(one[Symbol.asyncDispose]()).resolves.toBeUndefined()
  })
})

describe('openTogether()', () => {
  it('opens a thing that owns its parts and is disposed of as one', async () => {
    {
      await using both = await openTogether(async (keep) => {
        const one = keep(await db.table('select 1 as x'))
        return keep(await db.view(`from ${one.name}`))
      })
      expect(await db.rows(`from ${both.name}`)).toEqual([{ x: 1 }])
      expect(await relations()).toHaveLength(2)
    }
    expect(await relations()).toEqual([])
  })

  it('leaves no part open if a later step fails, and the error stays what it was', async () => {
    const opening = openTogether(async (keep) => {
      const inner = await openTogether(async (keepInner) =>
        keepInner(await db.table('select 1 as x')),
      )
      keep(inner)
      keep(await db.view(`from ${inner.name}`))
      return keep(await db.view('from missing'))
    })
    await expect(opening).rejects.toThrow(/missing/)
    expect(await relations()).toEqual([])
  })
})

it('row() returns one row or throws, and count() a number', async () => {
  expect(await db.row('select 1 as x')).toEqual({ x: 1 })
  await expect(db.row('select 1 as x where false')).rejects.toThrow(TypeError)
  await expect(db.row('select unnest([1, 2]) as x')).rejects.toThrow(TypeError)
  expect(await db.count('(select unnest([1, 2]))')).toBe(2)
})

describe('disposing', () => {
  it('waits for the queries that run, in each session, and allows no further one', async () => {
    const own = await openDuckDb({ scratchDir: tmpdir() })
    const session = await own.session()
    const counted = Promise.all(
      [own, session, session].map((each) => each.count('range(3000) as a, range(3000) as b')),
    )
    const opened = own.session()
    await session[Symbol.asyncDispose]()
    await own[Symbol.asyncDispose]()
    expect(await counted).toEqual([9_000_000, 9_000_000, 9_000_000])
    await (await opened)[Symbol.asyncDispose]()
    await expect(own.count('range(1)')).rejects.toThrow(/after it was closed/)
    await expect(session.session()).rejects.toThrow(/after it was closed/)
  })

  it('waits for a piece that is being made of a result that nobody takes', async () => {
    const own = await openDuckDb({ scratchDir: tmpdir() })
    const pieces = own.chunks('select i from range(5000000) as t(i) order by hash(i)', 5_000_000)
    await pieces[Symbol.asyncIterator]().next()
    const piece = pieces[Symbol.asyncIterator]().next()
    await own[Symbol.asyncDispose]()
    expect(await piece).toMatchObject({ done: false })
    await expect(pieces[Symbol.asyncIterator]().next()).rejects.toThrow(/after it was closed/)
  })
})

describe('session()', () => {
  it('works beside others, with relations and files of its own', async () => {
    await using one = await db.session()
    {
      await using other = await db.session()
      await using _ = await one.view('select 1 as x', 'thing')
      await using __ = await other.view('select 2 as x', 'thing')
      expect(await Promise.all([one, other].map((each) => each.rows('from thing')))).toEqual([
        [{ x: 1 }],
        [{ x: 2 }],
      ])
      for (const each of [db, one, other]) await writeFile(join(each.scratchDir, 'file'), '')
      await db.clear()
      await other.clear()
      expect(await readdir(one.scratchDir)).toEqual(['file'])
      expect(await readdir(other.scratchDir)).toEqual([])
    }
    expect(await one.row(`select current_setting('TimeZone') as zone`)).toEqual({ zone: 'UTC' })
  })
})
