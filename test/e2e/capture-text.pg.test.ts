import { afterEach, expect, it } from 'vitest'
import { extract } from '../../src/platform/extract/extract.ts'
import { bareProject, thingProject } from '../support/bare-project.ts'
import { HOSTILE } from '../support/hostile-text.ts'
import { readChanges, readTable } from '../support/lake.ts'
import { createSystem, type TestSystem } from '../support/system.ts'

let system: TestSystem
afterEach(() => system[Symbol.asyncDispose]())

it('I6 hostile text arrives byte for byte, in the lake and in the warehouse', async () => {
  system = await createSystem({ project: thingProject({ value: 'text' }), template: 'empty' })
  await system.sql.query('create table thing (id integer primary key, value text)')
  await system.sql.query(
    'insert into thing select n, v from unnest($1::text[]) with ordinality as t (v, n)',
    [HOSTILE],
  )
  await system.run()
  const lake = await readTable(system, (await system.records()).at(-1), 'thing')
  // The driver's decoder, not the lake, drops a lone byte order mark.
  expect(lake.map((row) => row['value'])).toEqual(
    HOSTILE.map((text) => (text === '\ufeff' ? '' : text)),
  )
  expect(await system.query('select id, value from fact_thing_current order by id')).toEqual(
    HOSTILE.map((value, index) => ({ id: index + 1, value })),
  )
})

it('I6 hostile text is no change when it is written again, and a change when it turns into its look-alike', async () => {
  system = await createSystem({ project: thingProject({ value: 'text' }), template: 'empty' })
  await system.sql.query('create table thing (id integer primary key, value text)')
  await system.sql.query(
    'insert into thing select n, v from unnest($1::text[]) with ordinality as t (v, n)',
    [HOSTILE],
  )
  await system.run()
  await system.sql.query('update thing set value = value')
  expect((await system.run()).extracted?.committed).toBe(false)
  await system.sql
    .query(`update thing set value = case when value is null then '' when value = '' then null
      when value = 'é' then U&'e\\0301' when value = ' ' then '' end
    where value is null or value in ('', ' ', 'é')`)
  await system.run()
  expect((await system.records()).at(-1)?.tables['thing']?.counts).toMatchObject({ updated: 4 })
  const source = await system.source.query('select id, value from thing order by id')
  expect(await system.query('select id, value from fact_thing_current order by id')).toEqual(source)
})

it('I6 a text full of lines that look like rows is one value, even beyond every buffer of the reader', async () => {
  system = await createSystem({
    project: bareProject([{ name: 'thing', key: ['id'] }]),
    template: 'empty',
  })
  await system.sql.query('create table thing (id integer primary key, value text, other text)')
  await system.sql.query(
    `insert into thing select n, repeat(n || ',look,alike' || chr(10), 250000), 'end'
     from generate_series(1, 14) as n`,
  )
  const { record } = await extract(system.deps)
  expect(record?.tables['thing']?.rows).toBe(14)
  const lake = await readTable(system, record, 'thing')
  const source = await system.source.query<{ value: string }>('select value from thing order by id')
  expect(
    lake.map(
      (row) => row['value'] === source[Number(row['id']) - 1]?.value && row['other'] === 'end',
    ),
  ).toEqual(source.map(() => true))
})

it('I6 a first value that begins with a byte order mark keeps it, and a lone empty text is a key', async () => {
  system = await createSystem({
    project: bareProject([{ name: 'thing', key: ['id'] }]),
    template: 'empty',
  })
  await system.sql.query(`create table thing (id text primary key);
    insert into thing values (U&'\\FEFF\\FEFF\\FEFFmark')`)
  const { record } = await extract(system.deps)
  await system.sql.query(`insert into thing values ('')`)
  await extract(system.deps)
  await system.sql.query(`delete from thing where id <> ''`)
  await extract(system.deps)
  expect(record?.tables['thing']?.rows).toBe(1)
  const changes = await Promise.all(
    (await system.records()).map((batch) => readChanges(system, batch, 'thing')),
  )
  // The driver's decoder drops one mark, so two of the three remain.
  expect(changes.flat().map((row) => [row['_operation'], row['id']])).toEqual([
    ['insert', '\ufeff\ufeffmark'],
    ['insert', ''],
    ['delete', '\ufeff\ufeffmark'],
  ])
})
