import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createDatabase, type TestDatabase } from '../../../test/support/database.ts'
import type { Database } from '../io/database.ts'
import {
  type CopiedRows,
  copyKeys,
  copyRecent,
  copyWhole,
  countTables,
  planRanges,
} from './copy.ts'
import { openSnapshot, type PostgresSnapshot } from './snapshot.ts'
import type { TableShape } from './table-shape.ts'
import { readTables } from './tables.ts'

let test: TestDatabase
let database: Database
let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidemark-copy-'))
  test = await createDatabase({ template: 'empty' })
  database = { title: 'the source', code: 'SOURCE', url: test.readerUrl, attempts: 1 }
  await test.query(`create table large (id integer primary key, filler text);
    insert into large select n, repeat('x', 90) from generate_series(1, 300000) as n;
    create table small (a integer, b text, primary key (b, a));
    insert into small values (1, 'one'), (2, 'two')`)
})

afterAll(async () => {
  await test.drop()
  await rm(folder, { recursive: true, force: true })
})

async function shapeOf(snapshot: PostgresSnapshot, name: string): Promise<TableShape> {
  const key = name === 'small' ? ['b', 'a'] : ['id']
  const [state] = await readTables(snapshot, { schema: 'public', tables: [{ name, key }] })
  const shape = state?.shape
  if (shape === undefined) throw new Error('no shape')
  return shape
}

async function ids(parts: AsyncIterable<CopiedRows>): Promise<{ ids: number[]; parts: number }> {
  const found: number[] = []
  let count = 0
  for await (const { path, rows } of parts) {
    const lines = (await readFile(path, 'utf8')).trimEnd().split('\n')
    expect(lines).toHaveLength(rows)
    for (const line of lines) found.push(Number.parseInt(line, 10))
    count += 1
  }
  return { ids: found, parts: count }
}

describe('planRanges()', () => {
  it.each([
    [0, 1],
    [1, 1],
    [32 * 1024 * 1024, 1],
    [32 * 1024 * 1024 + 1, 2],
    [96 * 1024 * 1024, 3],
  ])('cuts %i bytes into %i parts', (sizeBytes, count) => {
    expect(planRanges({ hasCtidRanges: true, sizeBytes })).toHaveLength(count)
  })

  it('covers every page once, and leaves the end of the last part open', () => {
    expect(planRanges({ hasCtidRanges: true, sizeBytes: 65 * 1024 * 1024 })).toEqual([
      `ctid >= '(0,0)'::tid and ctid < '(4096,0)'::tid`,
      `ctid >= '(4096,0)'::tid and ctid < '(8192,0)'::tid`,
      `ctid >= '(8192,0)'::tid`,
    ])
  })

  it('does not cut a relation without pages of its own', () => {
    expect(planRanges({ hasCtidRanges: false, sizeBytes: 2 ** 40 })).toEqual([''])
  })
})

describe('copyWhole()', () => {
  it.each([1, 2, 4])(
    'I2 reads every row of the snapshot once, in order, over %i connections',
    async (connections) => {
      await using snapshot = await openSnapshot(database)
      const shape = await shapeOf(snapshot, 'large')
      expect(shape.sizeBytes).toBeGreaterThan(32 * 1024 * 1024)
      await test.query(`insert into large values (${-connections}, 'late')`)
      const found = await ids(copyWhole(snapshot, shape, { folder, connections }))
      expect(found.parts).toBe(2)
      const wanted = Array.from({ length: 300_000 }, (_, index) => index + 1)
      const earlier = [-1, -2].filter((id) => id > -connections)
      expect(found.ids).toEqual([...wanted, ...earlier])
    },
  )

  it('reports a part that fails and closes its connections', async () => {
    await using snapshot = await openSnapshot(database)
    const shape = await shapeOf(snapshot, 'large')
    const broken = {
      ...shape,
      columns: [...shape.columns, { name: 'none', type: 't', baseType: 't', nullable: true }],
    }
    await expect(
      ids(copyWhole(snapshot, broken, { folder, connections: 2 })),
    ).rejects.toMatchObject({
      name: 'ContractError',
      code: 'SOURCE_SCHEMA',
    })
    // The server notices a moment later that the client is gone.
    const copying = () =>
      test.query(
        `select pid from pg_stat_activity
         where usename = $1 and query like 'copy%' and state = 'active'`,
        [new URL(test.readerUrl).username],
      )
    await expect.poll(copying).toEqual([])
  })

  it('reports that the snapshot is gone if another connection cannot join it', async () => {
    await using snapshot = await openSnapshot(database)
    await snapshot.client.query('rollback')
    const joined = snapshot.openAnother().then((another) => another[Symbol.asyncDispose]())
    await expect(joined).rejects.toMatchObject({ name: expect.stringMatching(/Error$/) })
  })
})

describe('countTables(), copyRecent() and copyKeys()', () => {
  it('count and copy only the rows at or after the horizon', async () => {
    const [found] = await test.query<{ next: string }>('select pg_current_xact_id()::text as next')
    await test.query(`update small set b = 'zwei' where a = 2`)
    await using snapshot = await openSnapshot(database)
    const shape = await shapeOf(snapshot, 'small')
    const large = await shapeOf(snapshot, 'large')
    const age = Number(BigInt(snapshot.identity.xmax) - BigInt(found?.next ?? 0))
    // Ids assigned to others after the snapshot move `age()`, but not the horizon.
    await test.query('select pg_current_xact_id()')
    const counts = await countTables(snapshot, [
      { shape, age },
      { shape: large, age: undefined },
    ])
    const place = { first: '(0,3)', last: '(0,3)' }
    expect(counts.get('small')).toEqual({ rows: 2, recent: 1, recentIn: place })
    expect(counts.get('large')).toMatchObject({ recent: 0 })
    for (const recentIn of [undefined, place]) {
      const recent = await copyRecent(snapshot, shape, { age, recentIn, folder })
      expect(await readFile(recent.path, 'utf8')).toBe('\t2\tzwei\n')
    }
    const keys = await copyKeys(snapshot, shape, { folder })
    expect((await readFile(keys.path, 'utf8')).split('\n').toSorted()).toEqual([
      '',
      '\tone\t1',
      '\tzwei\t2',
    ])
  })

  it('send no query to count no tables', async () => {
    await using snapshot = await openSnapshot(database)
    expect(await countTables(snapshot, [])).toEqual(new Map())
  })
})
