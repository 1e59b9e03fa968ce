import { createHash } from 'node:crypto'
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { bareProject, thingProject } from '../../../test/support/bare-project.ts'
import { withHook } from '../../../test/support/lake.ts'
import { createSystem, type TestSystem } from '../../../test/support/system.ts'
import type { Deps } from '../deps.ts'
import { extract } from '../extract/extract.ts'
import { diskStore } from '../lake/store/disk-store.ts'
import { readCatalog } from './catalog.ts'

it('readCatalog() of an empty lake knows tables and models, but no columns', async () => {
  await using system = await createSystem({
    project: thingProject({ a: 'integer' }),
    template: 'empty',
  })
  const { tables, models } = await readCatalog(system.deps)
  expect(tables).toEqual([{ table: 'thing', key: ['id'], rows: 0, hold: undefined, versions: [] }])
  const lost = { exact: false, columns: [], tables: ['thing'] }
  expect(models).toEqual([
    {
      table: 'fact_thing',
      reads: ['thing'],
      columns: [
        { column: 'id', from: lost },
        { column: 'a', from: lost },
      ],
    },
  ])
})

it('readCatalog() lists the difference that each alter table made', async () => {
  const project = bareProject(['thing', 'other'].map((name) => ({ name, key: ['id'] })))
  await using system = await createSystem({ project, template: 'empty' })
  const { sql } = system
  await sql.query(`
    create type mood as enum ('sad', 'glad');
    create table thing (id integer primary key, name text, mood mood, amount integer not null default 1);
    create table other (id integer primary key);
    insert into thing values (1, 'a', 'sad', 5);
    insert into other values (1)`)
  await system.run()
  const steps = [
    `alter table thing add note text not null default ''`,
    // No change of the schema, and no version.
    `insert into thing values (2, 'b', 'glad', 6, 'n')`,
    'alter table thing rename name to title',
    'alter table thing alter amount type bigint, alter amount drop not null, alter amount set default 2',
    `alter type mood add value 'so-so' before 'glad'`,
    'alter table thing drop note',
    `alter table thing rename to old; create table thing (like old including all);
     insert into thing select * from old; drop table old`,
    'alter table thing add twice bigint generated always as (amount * 2) stored',
  ]
  for (const step of steps) {
    await sql.query(step)
    await system.run()
  }

  const { tables } = await readCatalog(system.deps)
  const [thing, other] = tables
  expect(other).toMatchObject({ rows: 1, versions: [{ firstBatch: 1 }] })
  expect(thing?.rows).toBe(2)
  expect(thing?.versions.map(({ firstBatch }) => firstBatch)).toEqual([1, 2, 4, 5, 6, 7, 8, 9])
  expect((await readCatalog(await undate(system, 5))).tables).toEqual(tables)
  const records = await system.records()
  for (const { firstBatch, takenAt, fingerprint } of thing?.versions ?? []) {
    const record = records.find(({ batch }) => batch === firstBatch)
    expect(record?.snapshot.takenAt).toBe(takenAt)
    expect(record?.tables['thing']?.fingerprint).toBe(fingerprint)
  }
  const none = { added: [], removed: [], changed: [], reordered: false, key: undefined }
  const [first, ...later] = (thing?.versions ?? []).map(({ difference }) => difference)
  expect(first).toBeUndefined()
  const note = {
    name: 'note',
    type: 'text',
    baseType: 'text',
    nullable: false,
    default: `''::text`,
    generated: false,
    labels: null,
  }
  expect(later).toEqual([
    { ...none, added: [note] },
    {
      ...none,
      added: [expect.objectContaining({ name: 'title' })],
      removed: [expect.objectContaining({ name: 'name' })],
    },
    {
      ...none,
      changed: [
        {
          column: 'amount',
          type: { before: 'integer', after: 'bigint' },
          nullable: { before: false, after: true },
          default: { before: '1', after: '2' },
        },
      ],
    },
    {
      ...none,
      changed: [{ column: 'mood', labels: { added: ['so-so'], removed: [], reordered: false } }],
    },
    { ...none, removed: [note] },
    none,
    {
      ...none,
      added: [expect.objectContaining({ name: 'twice', generated: true, default: '(amount * 2)' })],
    },
  ])
})

it('readCatalog() skips the batches in which no schema began', async () => {
  const project = bareProject([{ name: 'thing', key: ['id'] }])
  await using system = await createSystem({ project, template: 'empty' })
  await system.sql.query('create table thing (id integer primary key, a integer)')
  await extract(system.deps)
  for (let n = 1; n < 40; n++) {
    await system.sql.query(`insert into thing values (${n})`)
    await extract(system.deps)
  }
  await system.sql.query('alter table thing add b integer')
  await extract(system.deps)
  const read: number[] = []
  const watched = withHook(system.deps, (call, key) => {
    if (call === 'get' && key.startsWith('batch/')) read.push(Number(/\d+/.exec(key)?.[0]))
  })
  const { tables } = await readCatalog(watched)
  expect(tables[0]?.versions.map(({ firstBatch }) => firstBatch)).toEqual([1, 41])
  // Between the batches that the search for the end of the log reads: 1, 2, 4, 8, 16, 32.
  expect(read.filter((batch) => batch > 8 && batch < 15)).toEqual([])
})

it('readCatalog() reads schemas that were archived without defaults and labels', async () => {
  const project = bareProject([{ name: 'thing', key: ['id'] }])
  await using system = await createSystem({ project, template: 'empty' })
  await system.sql.query('create table thing (id integer primary key, a integer default 1)')
  await system.run()
  const [record] = await system.records()
  const { fingerprint } = record?.tables['thing'] ?? {}
  const path = join(system.folder, 'ingestion', 'schema', 'thing', `${fingerprint}.json`)
  const archived = JSON.parse(await readFile(path, 'utf8')) as {
    columns: Record<string, unknown>[]
  }
  for (const column of archived.columns) {
    delete column['default']
    delete column['generated']
    delete column['labels']
  }
  await rm(path)
  await writeFile(path, JSON.stringify(archived))
  await system.sql.query('alter table thing alter a set default 2, add b text')
  await system.run()
  const { tables } = await readCatalog(system.deps)
  expect(tables[0]?.versions.map(({ difference }) => difference)).toEqual([
    undefined,
    expect.objectContaining({ added: [expect.objectContaining({ name: 'b' })], changed: [] }),
  ])
})

/**
 * Rewrites the records up to a batch in the form of older versions, without the batches in which
 * schemas began and the references of later records to them; all with new checksums.
 */
async function undate({ deps, folder }: TestSystem, upTo: number): Promise<Deps> {
  const batches = join(folder, 'ingestion', 'batch')
  let previousChecksum: string | undefined
  for (const name of (await readdir(batches)).toSorted()) {
    const path = join(batches, name)
    const { checksum: _checksum, ...record } = JSON.parse(await readFile(path, 'utf8')) as {
      checksum: string
      tables: Record<string, { shapeSince?: number }>
    }
    for (const entry of Object.values(record.tables)) {
      if ((entry.shapeSince ?? 0) <= upTo) delete entry.shapeSince
    }
    const start = JSON.stringify({ ...record, previousChecksum }).slice(0, -1)
    previousChecksum = createHash('sha256').update(start).digest('hex')
    await rm(path)
    await writeFile(path, `${start},"checksum":"${previousChecksum}"}\n`)
  }
  return { ...deps, ingestion: diskStore(join(folder, 'ingestion')) }
}
