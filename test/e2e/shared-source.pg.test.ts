import { expect, it } from 'vitest'
import type { Project } from '../../src/platform/project/project.ts'
import { verify } from '../../src/platform/inspect/verify.ts'
import { folderOf } from '../support/bare-project.ts'
import { createSystem } from '../support/system.ts'

/** Two facts from one table, each with its own calendar. Their names differ in one letter. */
function plans(): Project {
  const models = folderOf({
    'planned.sql': 'select id, planned, _operation, _captured_at, _ordinal from change_plan',
    'done.sql': `select id, done, _operation, _captured_at, _ordinal from change_plan`,
    'day.sql': 'select date_id from named_date',
  })
  const url = (name: string) => new URL(name, models)
  const fact = (table: string, column: string, dimension: string) => ({
    kind: 'fact' as const,
    table,
    sql: url(`${column}.sql`),
    key: ['id'],
    from: 'plan',
    recordId: 'record_id',
    nullable: ['done'],
    references: [{ columns: [column], dimension }],
  })
  return {
    name: 'plans',
    title: 'the plans',
    source: { schema: 'public', tables: [{ name: 'plan', key: ['id'] }] },
    models: [
      fact('fact ä', 'planned', 'dim_planned'),
      fact('fact ö', 'done', 'dim_done'),
      { kind: 'calendar', table: 'dim_planned', sql: url('day.sql'), key: ['date_id'] },
      { kind: 'calendar', table: 'dim_done', sql: url('day.sql'), key: ['date_id'] },
    ],
    warehouse: {
      migrations: folderOf({
        '001_plans.sql': `
          create table dim_planned (date_id date primary key);
          create table dim_done (date_id date primary key);
          create table "fact ä" (
            record_id bigint primary key, id int not null, planned date not null references dim_planned);
          create table "fact ö" (
            record_id bigint primary key, id int not null, done date references dim_done)`,
      }),
    },
  }
}

it('I6 two facts of one table and two calendars keep apart, and verify() proves it', async () => {
  await using system = await createSystem({ project: plans(), template: 'empty' })
  await system.sql.query(`
    create table plan (id int primary key, planned date, done date);
    insert into plan values (1, '2024-01-02', null), (2, '2024-03-04', '2025-05-06')`)
  await system.run()
  const days = async (table: string) =>
    (await system.query<{ d: string }>(`select date_id::text as d from ${table} order by 1`)).map(
      ({ d }) => d,
    )
  expect(await days('dim_planned')).toEqual(['2024-01-02', '2024-03-04'])
  expect(await days('dim_done')).toEqual(['2025-05-06'])

  await system.sql.query(`update plan set done = '2024-02-01' where id = 1`)
  const { isEqual } = await verify(system.deps)
  expect(isEqual).toBe(true)
  expect(await days('dim_done')).toEqual(['2024-02-01', '2025-05-06'])
})

it('I13 a project whose names lead nowhere is refused before anything is read', async () => {
  const project = plans()
  const [first, ...others] = project.models
  const astray = { ...first, from: 'plans' } as (typeof project.models)[number]
  await using system = await createSystem({
    project: { ...project, models: [astray, ...others] },
    template: 'empty',
  })
  await expect(system.run()).rejects.toMatchObject({ code: 'PROJECT_INVALID' })
})
