import { readdir } from 'node:fs/promises'
import { expect, it } from 'vitest'
import { run } from '../../../src/platform/pipeline.ts'
import { thingProject } from '../../support/bare-project.ts'
import { mirror } from '../../support/mirror.ts'
import { createSystem } from '../../support/system.ts'

it('a mirror writes nothing into the lake and the warehouse of another project', async () => {
  const project = thingProject({ v: 'text' })
  await using system = await createSystem({ template: 'empty', project })
  await system.sql.query(`create table thing (id int primary key, v text)`)
  await system.run()
  await system.sql.query(`insert into thing values (1, 'x')`)
  const files = async () => (await readdir(system.folder, { recursive: true })).toSorted()
  const before = await files()
  const { failures, ...report } = await run({ ...system.deps, project: mirror() })
  expect(failures).toMatchObject([{ stage: 'extract', error: { code: 'PROJECT_MIXED' } }])
  expect(report).toMatchObject({ extracted: undefined, transformed: undefined, loaded: undefined })
  expect(await files()).toEqual(before)
  await system.run()
  expect(await system.query('select v from fact_thing')).toEqual([{ v: 'x' }])
})
