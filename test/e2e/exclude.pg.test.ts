import { execFileSync } from 'node:child_process'
import { afterEach, expect, it } from 'vitest'
import { run } from '../../src/platform/pipeline.ts'
import type { Project } from '../../src/platform/project/project.ts'
import type { SourceTable } from '../../src/platform/project/source-contract.ts'
import { verify } from '../../src/platform/inspect/verify.ts'
import { bareProject } from '../support/bare-project.ts'
import { readTable } from '../support/lake.ts'
import { createSystem, type TestSystem } from '../support/system.ts'

const SECRET = 'b1946ac92492d2347c6235b4d2611184'
const person = (exclude: readonly string[]): SourceTable => ({
  name: 'person',
  key: ['id'],
  exclude,
})
const project = (exclude: readonly string[]): Project => bareProject([person(exclude)])

let system: TestSystem
afterEach(() => system[Symbol.asyncDispose]())

async function open(exclude: readonly string[]): Promise<void> {
  system = await createSystem({ template: 'empty', project: project(exclude) })
  await system.sql.query(`
    create table person (id integer primary key, name text, password_hash text, age integer);
    insert into person values (1, 'Ada', '${SECRET}', 36), (2, 'Bob', '${SECRET}', 40)`)
}

const withExclude = (exclude: readonly string[]) =>
  run({ ...system.deps, project: project(exclude) })

/** Files in the lake that contain a text, in any form. */
function filesWith(text: string): string {
  return execFileSync('sh', ['-c', 'grep -rl -- "$1" "$2" || true', 'sh', text, system.folder], {
    encoding: 'utf8',
  })
}

it('nothing from an excluded column is in the lake, not even its name', async () => {
  await open(['password_hash'])
  await system.run()
  await system.sql.query(`update person set name = 'Eve', age = age + 1 where id = 2`)
  await system.run()
  const record = (await system.records()).at(-1)
  expect(await readTable(system, record, 'person')).toEqual([
    { id: '1', name: 'Ada', age: '36' },
    { id: '2', name: 'Eve', age: '41' },
  ])
  for (const text of [SECRET, 'password']) expect(filesWith(text), text).toBe('')
  expect(JSON.stringify(system.entries)).not.toContain('password')
  expect((await verify(system.deps)).isEqual).toBe(true)
})

it('I9 neither a change in an excluded column nor a new type for it is a change', async () => {
  await open(['password_hash'])
  await system.run()
  await system.sql.query(`update person set password_hash = 'other'`)
  const report = await system.run()
  expect(report.extracted?.committed).toBe(false)
  await system.sql.query('alter table person alter column password_hash type varchar(100)')
  expect((await system.run()).extracted?.record?.tables['person']?.counts.updated).toBe(0)
})

it('the user needs no right to an excluded column, and the quarantine holds nothing from it', async () => {
  await open(['password_hash'])
  const role = new URL(system.source.readerUrl).username
  await system.sql.query(`
    revoke select on person from ${role};
    grant select (id, name, age) on person to ${role}`)
  await system.run()
  expect((await system.records()).at(-1)?.tables['person']).toMatchObject({ rows: 2 })
  // The table is held, so its rows go to quarantine as raw text.
  await system.sql.query(`
    grant select on person to ${role}; alter table person drop constraint person_pkey;
    insert into person values (2, 'Twin', '${SECRET}', 1)`)
  await run(system.deps)
  expect((await system.records()).at(-1)?.tables['person']?.held?.reason).toBe('key_lost')
  expect(filesWith(SECRET)).toBe('')
})

it('a column that is excluded later is no longer captured, and the history of the others goes on', async () => {
  await open([])
  await system.run()
  const report = await withExclude(['password_hash'])
  expect(report.failures).toEqual([])
  const record = report.extracted?.record
  expect(record?.tables['person']?.counts).toMatchObject({ inserted: 0, updated: 0, deleted: 0 })
  expect(await readTable(system, record, 'person')).toEqual([
    { id: '1', name: 'Ada', age: '36' },
    { id: '2', name: 'Bob', age: '40' },
  ])
})

it('a name that the source does not have holds the table, so that a typing error lets nothing through', async () => {
  await open(['pasword_hash'])
  const report = await run(system.deps)
  expect(report.held).toMatchObject([
    {
      table: 'person',
      reason: 'column_missing',
      detail: expect.stringContaining('pasword_hash') as string,
    },
  ])
  expect((await system.records()).at(-1)?.tables['person']?.rows).toBe(0)
  expect(filesWith(SECRET)).toBe('')
})
