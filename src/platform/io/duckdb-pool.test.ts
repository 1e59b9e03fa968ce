import { existsSync } from 'node:fs'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createDuckDbPool } from './duckdb-pool.ts'

let scratchDir: string

beforeAll(async () => {
  scratchDir = await mkdtemp(join(tmpdir(), 'tidemark-test-'))
})

afterAll(() => rm(scratchDir, { recursive: true, force: true }))

it('a pool lends the same DuckDB again, without files, and closes it at the end', async () => {
  let folder: string
  {
    await using pool = createDuckDbPool()
    {
      await using db = await pool.open({ scratchDir })
      folder = db.scratchDir
      await writeFile(join(folder, 'rows.copy'), 'secret')
      await using table = await db.table('select 1 as one')
      expect(await db.count(table.name)).toBe(1)
    }
    expect((await readdir(folder)).filter((name) => name.includes('rows'))).toEqual([])
    await using again = await pool.open({ scratchDir })
    expect(again.scratchDir).toBe(folder)
    // Two uses at once need two.
    await using other = await pool.open({ scratchDir })
    expect(other.scratchDir).not.toBe(folder)
    expect(await other.count('range(3)')).toBe(3)
  }
  expect(existsSync(folder)).toBe(false)
})

it.each([
  ['a statement failed', (db) => db.run('select no_such_column').catch(() => {})],
  ['a relation is left', async (db) => void (await db.table('select 1 as one'))],
  ['its scratch folder is gone', (db) => rm(db.scratchDir, { recursive: true })],
] satisfies [
  string,
  (db: Awaited<ReturnType<ReturnType<typeof createDuckDbPool>['open']>>) => Promise<void>,
][])('a pool does not lend a DuckDB again if %s', async (_why, spoil) => {
  await using pool = createDuckDbPool()
  let folder: string
  {
    await using db = await pool.open({ scratchDir })
    folder = db.scratchDir
    await spoil(db)
  }
  await using again = await pool.open({ scratchDir })
  expect(again.scratchDir).not.toBe(folder)
  expect(existsSync(folder)).toBe(false)
})

it('a pool opens another DuckDB if the scratch folder was emptied between two uses', async () => {
  await using pool = createDuckDbPool()
  let folder: string
  {
    await using db = await pool.open({ scratchDir })
    folder = db.scratchDir
  }
  await rm(folder, { recursive: true })
  await using again = await pool.open({ scratchDir })
  expect(existsSync(again.scratchDir)).toBe(true)
  expect(again.scratchDir).not.toBe(folder)
})

it('a pool closes a DuckDB that nobody wants', async () => {
  await using pool = createDuckDbPool({ idleMs: 1 })
  let folder: string
  {
    await using db = await pool.open({ scratchDir })
    folder = db.scratchDir
  }
  await expect.poll(() => existsSync(folder)).toBe(false)
})

it('a pool keeps one of two that are given back at once, and leaves nothing behind', async () => {
  const folders: string[] = []
  {
    await using pool = createDuckDbPool()
    const both = [await pool.open({ scratchDir }), await pool.open({ scratchDir })]
    folders.push(...both.map((db) => db.scratchDir))
    await Promise.all(both.map((db) => db[Symbol.asyncDispose]()))
    expect(folders.filter((folder) => existsSync(folder))).toHaveLength(1)
  }
  expect(folders.filter((folder) => existsSync(folder))).toEqual([])
})
