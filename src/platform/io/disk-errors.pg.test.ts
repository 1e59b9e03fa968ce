import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createDatabase, type TestDatabase } from '../../../test/support/database.ts'
import { explainScratchError } from './disk-errors.ts'
import { openDuckDb } from './duckdb.ts'
import { copyToFile } from './postgres-copy.ts'
import { mapPostgresError } from './postgres-errors.ts'
import type { Client } from './postgres.ts'

let folder: string
let database: TestDatabase
let client: Client

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidemark-test-'))
  database = await createDatabase({ template: 'empty' })
  client = await database.client()
})

afterAll(async () => {
  await database.drop()
  await rm(folder, { recursive: true, force: true })
})

const failed = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: unknown) =>
      // As every caller does: an error of the disk must not be blamed on the database.
      mapPostgresError(error, { title: 'Totesys', code: 'SOURCE', url: database.url }),
  )

describe('I15 the scratch folder', () => {
  // A device on which every write fails for lack of space, on any Linux.
  it.skipIf(!existsSync('/dev/full'))(
    'that is full is named, whatever was being copied, and the connection goes on',
    async () => {
      const rows = `select i, repeat('x', 1000) from generate_series(1, 20000) as i`
      const error = await failed(copyToFile(client, rows, '/dev/full'))
      expect(error).toMatchObject({ name: 'ConfigError', code: 'SCRATCH_FULL' })
      expect(error).toMatchObject({ message: 'The scratch folder /dev is full [ENOSPC]' })
      const { rows: found } = await client.query('select 1 as one')
      expect(found).toEqual([{ one: 1 }])
    },
  )

  it('is named before the database is asked for anything, if it cannot be written', async () => {
    const file = join(folder, 'file')
    await writeFile(file, '')
    expect(await failed(copyToFile(client, 'select 1', join(file, 'rows')))).toMatchObject({
      code: 'SCRATCH_LOST',
      message: expect.stringContaining(file),
    })
    expect((await client.query('select 1')).rowCount).toBe(1)
    await expect(openDuckDb({ scratchDir: join(file, 'scratch') })).rejects.toMatchObject({
      code: 'SCRATCH_LOST',
    })
  })

  it.skipIf(!existsSync('/dev/full'))('is named if DuckDB fills it', async () => {
    await using db = await openDuckDb({ scratchDir: folder })
    await expect(
      db.run(`copy (select range from range(1000000)) to '/dev/full' (format csv)`),
    ).rejects.toMatchObject({ code: 'SCRATCH_FULL', hint: expect.stringContaining('SCRATCH') })
  })

  it('is named, and memory is not blamed, if DuckDB has no room to spill', async () => {
    await using db = await openDuckDb({ scratchDir: folder, memoryLimitMb: 32 })
    const sort = `create temp table sorted as
      select range, md5(range::varchar) as text from range(2000000) order by text`
    await db.run(`set max_temp_directory_size = '1MB'`)
    await expect(db.run(sort)).rejects.toMatchObject({ code: 'SCRATCH_FULL' })
    await db.clear()
    await db.run(`reset max_temp_directory_size`)
    await expect(
      db.run(`create temp table lists as select list(range) from range(50000000)`),
    ).rejects.toMatchObject({
      code: 'MEMORY_EXCEEDED',
      hint: 'set TIDEMARK_MEMORY_MB to more, for instance 128',
    })
    expect(await db.rows('select 1 as one')).toEqual([{ one: 1 }])
  })

  it.each([
    ['EDQUOT', 'SCRATCH_FULL'],
    ['EFBIG', 'SCRATCH_FULL'],
    ['EROFS', 'SCRATCH_PERMISSION'],
    ['EACCES', 'SCRATCH_PERMISSION'],
    ['EMFILE', 'OPEN_FILES'],
    ['EIO', 'SCRATCH_LOST'],
  ])('is blamed for %s', (system, code) => {
    const error = Object.assign(new Error('no'), { code: system })
    expect(explainScratchError(error, '/scratch')).toMatchObject({ name: 'ConfigError', code })
  })

  it.each(['ECONNRESET', 'ETIMEDOUT', '22012', undefined])('is not blamed for %s', (code) => {
    expect(explainScratchError(Object.assign(new Error('no'), { code }), '/scratch')).toBe(
      undefined,
    )
  })
})

it('an error does not show what DuckDB quotes from a row', async () => {
  await using db = await openDuckDb({ scratchDir: folder })
  const error: unknown = await db
    .run(`select cast('a secret' as integer)`)
    .catch((reason: unknown) => reason)
  expect(error).toMatchObject({ name: 'DuckDbError', message: 'Conversion Error' })
  expect(JSON.stringify([error, String((error as Error).stack)])).not.toContain('secret')
})
