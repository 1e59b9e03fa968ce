import { rm, writeFile, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { bareProject, thingProject } from '../../test/support/bare-project.ts'
import { createSystem } from '../../test/support/system.ts'
import { readCatalog } from './catalog.ts'

it('readCatalog() of an empty lake knows tables and models, and no columns', async () => {
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

it('readCatalog() tells every alter table from the one before', async () => {
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
    // No change of shape, and no version.
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

it('readCatalog() reads what was archived before defaults and labels were', async () => {
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
