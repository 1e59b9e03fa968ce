import { mkdir, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { run } from '../../src/platform/pipeline.ts'
import type { Project } from '../../src/platform/project/project.ts'
import { readQuarantine } from '../../src/platform/inspect/quarantine.ts'
import { diskDrop } from '../../src/platform/source/drop.ts'
import { verify } from '../../src/platform/inspect/verify.ts'
import { bareProject, folderOf } from '../support/bare-project.ts'
import { createSystem, type TestSystem } from '../support/system.ts'

// A key may hold more text than any Postgres index takes. Such a row can never be loaded.

let system: TestSystem
afterEach(() => system[Symbol.asyncDispose]())

/** Text that does not compress, because Postgres compresses index entries. */
const noise = (bytes: number, seed: string) =>
  `(select left(string_agg(md5('${seed}' || i), ''), ${bytes}) from generate_series(1, ${Math.ceil(bytes / 32)}) as i)`

const refused = async () =>
  (await readQuarantine(system.deps, { limit: 100 })).entries.map(({ table, reason, column }) => [
    table,
    reason,
    column,
  ])

describe('a key too large for an index', () => {
  const models = folderOf({
    'dim_thing.sql': 'select code, label from thing',
    'fact_deal.sql': 'select deal_id, code, _operation, _captured_at, _ordinal from change_deal',
  })
  const project: Project = {
    // A view has no index, so that its keys may be of any size.
    ...bareProject([
      { name: 'thing', key: ['code'] },
      { name: 'deal', key: ['deal_id'] },
    ]),
    models: [
      {
        kind: 'dimension',
        table: 'dim_thing',
        sql: new URL('dim_thing.sql', models),
        key: ['code'],
      },
      {
        kind: 'fact',
        table: 'fact_deal',
        sql: new URL('fact_deal.sql', models),
        key: ['deal_id'],
        from: 'deal',
        recordId: 'deal_record_id',
        references: [{ columns: ['code'], dimension: 'dim_thing' }],
      },
    ],
    warehouse: {
      migrations: folderOf({
        '001_thing.sql': `create table dim_thing (code text primary key, label text not null);
          create table fact_deal (
            deal_record_id bigint primary key, deal_id integer not null, code text not null references dim_thing)`,
      }),
    },
  }

  it('I15 refuses its row of a dimension alone, and takes it once it is small enough', async () => {
    system = await createSystem({ project, template: 'empty' })
    await system.sql.query(`
      create table base (code text, label text); create view thing as select * from base;
      create table deal (deal_id integer primary key, code text);
      insert into base values ('a', 'A'), (${noise(2600, 'x')}, 'fits'), (${noise(2601, 'y')}, 'too large')`)
    await system.run()
    expect(await system.query('select label from dim_thing order by 1')).toEqual([
      { label: 'A' },
      { label: 'fits' },
    ])
    expect(await refused()).toEqual([['dim_thing', 'key_too_large', 'code']])
    expect(await verify(system.deps)).toMatchObject({ isEqual: true })
    await system.sql.query(`update base set code = 'c' where label = 'too large'`)
    await system.run()
    expect(await refused()).toEqual([])
    expect(await system.query('select from dim_thing')).toHaveLength(3)
  })

  it('I15 refuses a version that names a dimension by it; the one before stays current', async () => {
    system = await createSystem({ project, template: 'empty' })
    await system.sql.query(`
      create table base (code text, label text); create view thing as select * from base;
      create table deal (deal_id integer primary key, code text);
      insert into deal values (1, 'a'), (2, 'a')`)
    await system.run()
    await system.sql.query(`
      update deal set code = ${noise(9000, 'z')} where deal_id = 1;
      update deal set code = 'b' where deal_id = 2`)
    await system.run()
    const current = 'select deal_id, code from fact_deal_current order by 1'
    expect(await system.query(current)).toEqual([
      { deal_id: 1, code: 'a' },
      { deal_id: 2, code: 'b' },
    ])
    expect(await refused()).toEqual([['fact_deal', 'key_too_large', 'code']])
    await system.sql.query('delete from deal where deal_id = 1')
    await system.run()
    expect(await system.query(current)).toEqual([{ deal_id: 2, code: 'b' }])
    expect(await refused()).toEqual([])
    expect(await verify(system.deps)).toMatchObject({ isEqual: true })
  })
})

it('I15 a file with a key too large for an index stops no other row from reaching the warehouse', async () => {
  system = await createSystem()
  const drop = join(system.folder, 'drop')
  const deps = { ...system.deps, feeds: { drop: diskDrop(drop) } }
  await run(deps)
  const path = join(drop, 'exchange_rate', 'rates.csv')
  await mkdir(join(drop, 'exchange_rate'), { recursive: true })
  const large = 'K'.repeat(3_000_000)
  await writeFile(
    path,
    `base,quote,rate_date,rate,source\n${large},USD,2026-01-02,1.5,x\nGBP,USD,2026-01-02,1.25,x\n`,
  )
  await utimes(path, new Date(0), new Date(0))
  expect((await run(deps)).failures).toEqual([])
  expect(await system.query('select quote_currency from fact_exchange_rate')).toEqual([
    { quote_currency: 'USD' },
  ])
  expect(await refused()).toEqual([['fact_exchange_rate', 'key_too_large', 'base_currency']])
})
