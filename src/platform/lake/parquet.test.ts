import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type DuckDb, openDuckDb } from '../io/duckdb.ts'
import { readParquet, writeParquet } from './parquet.ts'

describe('writeParquet()', () => {
  let folder: string
  let db: DuckDb
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tidemark-parquet-'))
    db = await openDuckDb({ scratchDir: folder })
  })
  afterAll(async () => {
    await db[Symbol.asyncDispose]()
    await rm(folder, { recursive: true })
  })

  // As numbers they are equal, and a dictionary of numbers holds only one of them.
  it.each(['FLOAT', 'DOUBLE'])('keeps -0.0 and 0.0 apart in a column of %s', async (type) => {
    const path = join(folder, `${type}.parquet`)
    const values = `case i % 3 when 0 then '-0.0' when 1 then '0.0' end::${type}`
    await writeParquet(db, `select i, ${values} as zero from range(5000) as r (i)`, path, [
      { type: 'BIGINT' },
      { type },
    ])
    expect(
      await db.rows(`
        select zero::varchar as zero, count(*)::int as rows from ${readParquet([path])}
        group by 1 order by 1 nulls last`),
    ).toEqual([
      { zero: '-0.0', rows: 1667 },
      { zero: '0.0', rows: 1667 },
      { zero: null, rows: 1666 },
    ])
  })

  it('keeps dictionaries for files without floats', async () => {
    const path = join(folder, 'text.parquet')
    await writeParquet(db, `select 'again and again' as t from range(5000)`, path, [
      { type: 'VARCHAR' },
    ])
    expect(await db.rows(`select encodings from parquet_metadata('${path}')`)).toEqual([
      { encodings: expect.stringContaining('DICTIONARY') },
    ])
  })
})
