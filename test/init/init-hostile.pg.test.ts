import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { processedZone } from '../../src/platform/deps.ts'
import { extract } from '../../src/platform/extract/extract.ts'
import { identifier } from '../../src/platform/io/sql.ts'
import { readLastCommit } from '../../src/platform/lake/batch-log.ts'
import { generationOf } from '../../src/platform/project/generation.ts'
import { mirroredTables } from '../../src/platform/project/mirror.ts'
import { readCatalogue } from '../../src/platform/source/catalogue.ts'
import { openSnapshot } from '../../src/platform/source/snapshot.ts'
import { transform } from '../../src/platform/transform/transform.ts'
import { tidemark } from '../support/command.ts'
import { createSystem, type TestSystem } from '../support/system.ts'
import { loadWritten } from '../support/written-project.ts'

/** Names that mean something in TypeScript, in SQL, in a shell, in a path or on a terminal. */
const HOSTILE = [
  `a' b"c`,
  '-- \n; drop table x',
  '*/ ${process.exit(3)} `',
  '../../etc/passwd',
  '\u2028\u202e\u001b[31m',
  'select',
  'Order',
  'ORDER ',
  'x'.repeat(63),
  'ü'.repeat(31),
  'dim_date',
  'change_',
]

let system: TestSystem
let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidemark-init-'))
  system = await createSystem({ template: 'empty' })
  const { sql, source } = system
  await sql.query('create table "left" (id integer primary key, "date" date)')
  await sql.query('insert into "left" values (1, null)')
  for (const [index, name] of HOSTILE.entries()) {
    const before = identifier(HOSTILE[index - 1] ?? 'left')
    await sql.query(`
      create table ${identifier(name)} (
        ${identifier(name)} integer primary key,
        "left" integer references "left",
        "before it" integer references ${before},
        ${identifier(`${name.slice(0, 25)} at`)} timestamptz,
        version text, batch_id text, "Valid_From" date
      );
      insert into ${identifier(name)} values (1, 1, null, now(), 'v', 'b', '2024-01-01');
      comment on table ${identifier(name)} is ${sql.escapeLiteral(name)};
      comment on column ${identifier(name)}.version is ${sql.escapeLiteral(name)}`)
  }
  await sql.query(`
    grant select on all tables in schema public to ${source.name}_reader`)
})
afterAll(async () => {
  await rm(folder, { recursive: true })
  await system[Symbol.asyncDispose]()
})

it('hostile names become a star schema that runs, in files inside of its folder', async () => {
  const place = join(folder, 'star')
  const argv = ['init', place, '--star', '--source', system.source.readerUrl]
  const { code, err, out } = await tidemark(argv, { isTTY: true, columns: 200 })
  expect([code, err]).toEqual([0, ''])
  expect(out).not.toContain('\u001b[31m')
  const project = await loadWritten(place)
  // The first two tables refer to fewer than two others.
  expect(project.models.filter(({ kind }) => kind === 'fact')).toHaveLength(HOSTILE.length - 1)
  const deps = { ...system.deps, project }
  expect(await extract(deps)).toMatchObject({ held: [], quarantined: 0 })
  expect(await transform(deps)).toMatchObject({ held: [], quarantined: 0 })
  const record = await readLastCommit(processedZone(deps, generationOf(project)))
  const models = project.models.filter(({ kind }) => kind !== 'calendar')
  expect(models.map(({ table }) => [table, record?.tables[table]?.counts.accepted])).toEqual(
    models.map(({ table }) => [table, 1]),
  )
})

it('hostile names become a mirror whose names are all different', async () => {
  const place = join(folder, 'mirror')
  const argv = ['init', place, '--source', system.source.readerUrl]
  expect(await tidemark(argv)).toMatchObject({ code: 0, err: '' })
  const { mirror, source } = await loadWritten(place)
  await using snapshot = await openSnapshot(system.deps.source)
  const { tables, leftOut } = mirroredTables(await readCatalogue(snapshot), mirror ?? {}, {
    defaultSchema: source.schema,
  })
  expect(leftOut).toEqual([])
  expect(new Set(tables.map(({ relation }) => relation))).toEqual(new Set([...HOSTILE, 'left']))
  expect(new Set(tables.map(({ name }) => name.toLowerCase())).size).toBe(tables.length)
})
