import { createHash } from 'node:crypto'
import { readdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openDuckDb } from '../../src/platform/io/duckdb.ts'
import { extract } from '../../src/platform/extract/extract.ts'
import { commitKey } from '../../src/platform/lake/zone.ts'
import type { Project } from '../../src/platform/project/project.ts'
import { duckLiteral } from '../../src/platform/io/sql.ts'
import { verify } from '../../src/platform/inspect/verify.ts'
import { bareProject, folderOf } from '../support/bare-project.ts'
import { readTable } from '../support/lake.ts'
import { createSystem, type TestSystem } from '../support/system.ts'

/** Shifts at posts, whose models make columns of types that Parquet has no common form for. */
function shifts(): Project {
  const models = folderOf({
    'fact_shift.sql': `
      select shift_id, post_id, starts, ends - began as lasted, code, hash(code) as bucket,
          interval '2 hours 3 minutes' - interval '1 day' as grace, 17::hugeint * pay as paid, [starts, starts] as times, _operation, _captured_at, _ordinal
      from (
          select * replace (starts::time as starts), shift_id::uuid as code from change_shift)`,
    'dim_post.sql': `
      select p.post_id, p.opens::time as opens, count(s.shift_id)::utinyint as shifts,
          sum(s.pay) as paid, max(s.ends - s.began) as longest
      from post as p left join shift as s using (post_id)
      group by all`,
  })
  const model = (table: string, key: string, nullable: readonly string[]) => ({
    table,
    sql: new URL(`${table}.sql`, models),
    key: [key],
    nullable,
  })
  return {
    ...bareProject([
      { name: 'post', key: ['post_id'] },
      { name: 'shift', key: ['shift_id'] },
    ]),
    models: [
      {
        kind: 'dimension',
        ...model('dim_post', 'post_id', ['opens', 'paid', 'shifts', 'longest']),
      },
      {
        kind: 'fact',
        ...model('fact_shift', 'shift_id', ['lasted']),
        from: 'shift',
        recordId: 'shift_record_id',
        references: [{ columns: ['post_id'], dimension: 'dim_post' }],
      },
    ],
    warehouse: {
      migrations: folderOf({
        '001_star.sql': `
          create table dim_post (post_id uuid primary key, opens time, shifts integer, paid bigint,
              longest interval);
          create table fact_shift (shift_record_id bigint primary key, shift_id uuid not null,
              post_id uuid not null references dim_post, starts time not null, lasted interval, grace interval not null,
              code uuid not null, bucket numeric not null, paid numeric not null, times text not null)`,
      }),
    },
  }
}

const POST = '6b0f1a52-7f0e-4c1f-9a55-2f8f3a0c9d11'
const shift = (n: number) => `00000000-0000-4000-8000-00000000000${n}`

let system: TestSystem
beforeEach(async () => {
  system = await createSystem({ project: shifts(), template: 'empty' })
  await system.sql.query(`
    create table post (post_id uuid primary key, opens time);
    create table shift (shift_id uuid primary key, post_id uuid, starts time, began timestamp,
        ends timestamp, pay integer);
    insert into post values ('${POST}', '08:00:00.5');
    insert into shift values
        ('${shift(1)}', '${POST}', '24:00:00', '2024-01-01 10:00', '2024-01-03 09:59:59.5', 3),
        ('${shift(2)}', '${POST}', '12:34:56.1', '2024-01-03', '2024-01-01 13:00', 2147483647),
        ('${shift(3)}', '${POST}', '00:00:00', '2024-01-03', '2024-01-03', -1)`)
})
afterEach(() => system[Symbol.asyncDispose]())

/** Every Parquet file of both zones. */
async function listFiles(): Promise<string[]> {
  const found = await Promise.all(
    ['ingestion', 'processed'].map(async (zone) => {
      const folder = join(system.folder, zone)
      const names = await readdir(folder, { recursive: true }).catch(() => [])
      return names.map((name) => join(folder, name))
    }),
  )
  return found.flat().filter((path) => path.endsWith('.parquet'))
}

/** The types of all columns in files as Parquet has them: the physical and the logical type. */
async function readTypes(paths: readonly string[]): Promise<string[]> {
  await using db = await openDuckDb({ scratchDir: system.folder })
  const rows = await db.rows<{ type: string }>(`
    select distinct concat_ws(' ', type, regexp_extract(logical_type, '^\\w+')) as type
    from parquet_schema([${paths.map(duckLiteral).join(', ')}]) where type is not null`)
  return rows.map(({ type }) => type)
}

/** Types that DuckDB, Spark, Trino, Athena, Redshift, Polars and pandas read alike. */
const READ_EVERYWHERE = new Set([
  'BOOLEAN',
  'INT32',
  'INT64',
  'FLOAT',
  'DOUBLE',
  'BYTE_ARRAY',
  'BYTE_ARRAY StringType',
  'INT32 DecimalType',
  'INT64 DecimalType',
  'FIXED_LEN_BYTE_ARRAY DecimalType',
  'INT64 TimestampType',
])

const STARS = {
  fact: `select shift_id::text, starts::text, lasted::text, grace::text, code = shift_id as coded, paid::text, times
     from fact_shift_current order by shift_id`,
  dimension: 'select opens::text, shifts, paid::text, longest::text from dim_post',
}

describe('every file of both zones', () => {
  it('has only types that other engines read, whatever types the source and the models have', async () => {
    await system.run()
    await system.sql.query(`update shift set pay = 4, ends = ends + interval '1 day' where pay = 3`)
    await system.sql.query('delete from shift where pay = -1')
    // Enough batches for checkpoints.
    for (let n = 1; n <= 17; n++) {
      await system.sql.query(`update post set opens = opens + interval '1 minute'`)
      await system.sql.query(`update shift set starts = '01:00:00.00000${n % 10}' where pay = 4`)
      await system.run()
    }
    const files = await listFiles()
    expect(files.filter((path) => path.includes('checkpoint')).length).toBeGreaterThan(2)
    const unknown = (await readTypes(files)).filter((type) => !READ_EVERYWHERE.has(type))
    expect(unknown).toEqual([])
  })

  it('I6 holds each value exactly: the warehouse shows what the models made of the source', async () => {
    await system.run()
    expect(await system.query(STARS.fact)).toEqual([
      {
        shift_id: shift(1),
        starts: '24:00:00',
        lasted: '1 day 23:59:59.5',
        coded: true,
        grace: '-1 days +02:03:00',
        paid: '51',
        times: `['24:00:00', '24:00:00']`,
      },
      {
        shift_id: shift(2),
        starts: '12:34:56.1',
        lasted: '-1 days -11:00:00',
        coded: true,
        grace: '-1 days +02:03:00',
        paid: '36507221999',
        times: `['12:34:56.1', '12:34:56.1']`,
      },
      {
        shift_id: shift(3),
        starts: '00:00:00',
        lasted: '00:00:00',
        coded: true,
        grace: '-1 days +02:03:00',
        paid: '-17',
        times: `['00:00:00', '00:00:00']`,
      },
    ])
    expect(await system.query(STARS.dimension)).toEqual([
      { opens: '08:00:00.5', shifts: 3, paid: '2147483649', longest: '1 day 23:59:59.5' },
    ])
    expect(await verify(system.deps)).toMatchObject({ isEqual: true, faults: [] })
  })

  it('I1 is read back as it was: a dimension whose rows are the same makes no change', async () => {
    await system.run()
    await system.sql.query(`update shift set starts = '02:00' where pay = 3`)
    await system.run()
    const [, record] = await system.records('processed')
    expect(record?.tables['dim_post']?.counts).toMatchObject({ read: 1, unchanged: 1, updated: 0 })
    expect(record?.tables['fact_shift']?.counts).toMatchObject({ updated: 1 })
  })
})

describe('a lake whose older files hold times and UUIDs in types of their own', () => {
  it('I1 is read unchanged and continued: a row without a change gets no version', async () => {
    await extract(system.deps)
    await retype('post', { post_id: 'uuid', opens: 'time' })
    await retype('shift', { shift_id: 'uuid', post_id: 'uuid', starts: 'time' })
    expect(await readTypes(await listFiles())).toContain('INT64 TimeType')

    await system.sql.query(`delete from shift where pay = -1`)
    await system.sql.query(`update post set opens = '09:00'`)
    const { record } = await extract(system.deps)
    expect(record?.tables['shift']?.counts).toMatchObject({ inserted: 0, updated: 0, deleted: 1 })
    expect(record?.tables['post']?.counts).toMatchObject({ inserted: 0, updated: 1, deleted: 0 })
    expect(await readTable(system, record, 'shift')).toMatchObject([
      { shift_id: shift(1), starts: '24:00:00' },
      { shift_id: shift(2), starts: '12:34:56.1' },
    ])
    await system.run()
    expect(await system.query(STARS.fact)).toHaveLength(2)
    expect(await verify(system.deps)).toMatchObject({ isEqual: true, faults: [] })
  })
})

/** Rewrites the first batch's file of a table as older versions wrote it, and its record in format 1. */
async function retype(table: string, types: Readonly<Record<string, string>>): Promise<void> {
  const zone = join(system.folder, 'ingestion')
  const recordPath = join(zone, commitKey(1))
  const {
    lake: _lake,
    checksum: _checksum,
    ...record
  } = JSON.parse(await readFile(recordPath, 'utf8')) as {
    lake?: string
    checksum?: string
    tables: Record<
      string,
      { changes: { key: string; bytes: number; sha256: string }[]; state: object[] }
    >
  }
  const entry = record.tables[table]
  const file = entry?.changes[0]
  if (entry === undefined || file === undefined) throw new Error(`no file of ${table}`)
  const path = join(zone, file.key)
  await using db = await openDuckDb({ scratchDir: system.folder })
  const casts = Object.entries(types).map(([name, type]) => `${name}::${type} as ${name}`)
  await db.run(`copy (select * replace (${casts.join(', ')}) from ${duckLiteral(path)})
    to ${duckLiteral(`${path}.old`)} (format parquet)`)
  await rename(`${path}.old`, path)
  const body = await readFile(path)
  file.bytes = body.length
  file.sha256 = createHash('sha256').update(body).digest('hex')
  entry.state = entry.changes.map((each) => ({ ...each, role: 'base' }))
  await writeFile(recordPath, `${JSON.stringify({ ...record, format: 1 })}\n`)
}
