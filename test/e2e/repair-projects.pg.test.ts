import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { generationOf } from '../../src/platform/project/generation.ts'
import { run } from '../../src/platform/pipeline.ts'
import { repair } from '../../src/platform/repair.ts'
import { verify } from '../../src/platform/inspect/verify.ts'
import { commitKey } from '../../src/platform/lake/zone.ts'
import { createDerived, derived } from '../support/derived.ts'
import { createMirror, expectEqual, versionsOf } from '../support/mirror.ts'
import { contentOf, correctionsOf, missChanges, repairPlanted } from '../support/repairs.ts'
import { createLibrary, runHistory } from '../projects/library/library-system.ts'
import type { TestSystem } from '../support/system.ts'

/** The tables that hold rows of models, or are kept up to date from them. */
async function filledTables({ query }: TestSystem): Promise<string[]> {
  const rows = await query<{ name: string }>(`
    select relname as name from pg_class
    where relnamespace = 'public'::regnamespace and relkind = 'r' and relname !~ '^tidemark_'
      and (xpath('/row/c/text()', query_to_xml(format('select count(*) as c from %I', relname), false, true, '')))[1]::text::int > 0
    order by 1`)
  return rows.map(({ name }) => name)
}

it('I7 repair() brings back a row of every table of a library, compound keys and followed facts', async () => {
  await using system = await createLibrary()
  await runHistory(system)
  const tables = await filledTables(system)
  expect(tables).toEqual(expect.arrayContaining(['fact_open_loan', 'fact_open_loan_current']))
  const deletions = tables.map(
    (table) => `delete from "${table}" where ctid = (select min(ctid) from "${table}")`,
  )
  const plant = `set local session_replication_role = replica; ${deletions.join('; ')}`
  const report = await repairPlanted(system, plant)
  const corrected = report.corrections.map(({ table }) => table)
  expect(corrected.toSorted()).toEqual(tables)
})

const MIRRORED = `
  create table keyed (id int primary key, v text, r real, j json, b bytea);
  insert into keyed values (1, 'a', 0.1, '{"a": 1}', '\\x00'), (2, 'b', 'NaN', null, null);
  create table keyless (v text);
  insert into keyless values ('x'), ('x'), ('y');`

it('I7 repair() puts right a mirror of tables with and without a key', async () => {
  await using system = await createMirror(MIRRORED)
  await system.run()
  await system.sql.query(`update keyed set v = 'c' where id = 1; delete from keyless where v = 'y'`)
  await system.run()
  const report = await repairPlanted(
    system,
    `update keyed set r = 0.2 where id = 1 and batch_id = 1;
     delete from keyed where id = 2;
     update keyless set v = 'z' where v = 'x';
     delete from keyed_current where id = 1;
     update keyless_current set row_count = 7`,
  )
  expect(correctionsOf(report)).toEqual({
    keyed: { missing: 1, different: 1 },
    keyed_current: { missing: 1 },
    keyless: { different: 1 },
    keyless_current: { different: 1 },
  })
})

it('I6 repair() captures again what the lake has missed of a mirrored table', async () => {
  await using system = await createMirror(MIRRORED)
  await system.run()
  await system.sql.query(`update keyed set v = 'c' where id = 1`)
  await missChanges(system)
  await system.run()
  const { recaptured, batch, left } = await repair(system.deps)
  expect({ recaptured, batch, left }).toEqual({ recaptured: ['keyed'], batch: 3, left: [] })
  expect(await versionsOf(system, 'keyed', ['id', 'v'])).toEqual([
    'insert 1,a',
    'insert 2,b',
    'update 1,c',
  ])
  await expectEqual(system)
})

it('I7 verify() and repair() read earlier values of a column that became text as the warehouse has them', async () => {
  await using system = await createDerived(
    derived([
      {
        kind: 'fact',
        table: 'fact_sale',
        sql: 'select sale_id, price, _operation, _captured_at, _ordinal from change_sale',
        key: ['sale_id'],
        from: 'sale',
        recordId: 'sale_record_id',
        references: [],
      },
    ]),
  )
  await system.run()
  for (const type of ['numeric(9, 3)', 'text']) {
    await system.sql.query(`alter table sale alter column price type ${type}`)
    await system.sql.query(`update sale set units = units + 1 where sale_id = 10`)
    await system.run()
  }
  expect((await verify(system.deps)).isEqual).toBe(true)
  const report = await repairPlanted(system, `update fact_sale set price = '1' where batch_id = 1`)
  expect(correctionsOf(report)).toMatchObject({ fact_sale: { different: 2 } })
})

it('I4 repair() beside other runs repairs what it verified, and loses none of their batches', async () => {
  await using system = await createDerived()
  await system.run()
  await system.query('update fact_sale set units = 99 where sale_id = 10')
  const codes: unknown[] = []
  let runs = 0
  const deps = {
    ...system.deps,
    log: (entry: Parameters<typeof system.deps.log>[0]) => {
      if (entry.event === 'verify_again') codes.push(entry.code)
    },
    processed: {
      ...system.deps.processed,
      // Another run loads a batch between the verification and the repair.
      async download(key: string, folder: string) {
        if (runs++ === 0) {
          await system.sql.query('update sale set units = 7 where sale_id = 11')
          const { failures } = await run({ ...system.deps, runId: 'other' })
          expect(failures).toEqual([])
        }
        return await system.deps.processed.download(key, folder)
      },
    },
  }
  const { left } = await repair(deps)
  expect(left).toEqual([])
  expect(codes.length).toBeGreaterThan(0)
  expect(
    await system.query('select sale_id, units from fact_sale order by sale_record_id'),
  ).toEqual([
    { sale_id: 10, units: 2 },
    { sale_id: 11, units: 1 },
    { sale_id: 11, units: 7 },
  ])
  expect((await verify(system.deps)).isEqual).toBe(true)
})

it('I5 a repair whose connection is cut leaves nothing half repaired', async () => {
  await using system = await createDerived()
  await system.run()
  await system.query(`
    update fact_sale set units = 99;
    update fact_sale_current set units = 98;
    update dim_customer set name = 'Nobody'`)
  const before = await contentOf(system)
  // A repair corrects current rows after versions and dimensions. These cannot be changed while somebody else has it locked.
  const holder = await system.warehouse.client()
  await holder.query('begin; lock table fact_sale_current in share mode')
  const over = new AbortController()
  const repaired = repair(system.deps)
    .catch((error: unknown) => error)
    .finally(() => over.abort())
  const waiting = `select pid from pg_stat_activity
    where datname = current_database() and wait_event_type = 'Lock' and query ~ 'fact_sale'`
  let found: { pid: number }[] = []
  while (found.length === 0 && !over.signal.aborted)
    found = await system.query<{ pid: number }>(waiting)
  await system.query(`select pg_terminate_backend(${found[0]?.pid})`)
  expect(await repaired).toBeInstanceOf(Error)
  await holder.query('rollback')
  expect(await contentOf(system)).toEqual(before)
  expect((await repair(system.deps)).left).toEqual([])
  expect((await verify(system.deps)).isEqual).toBe(true)
})

it('I14 repair() changes nothing in the warehouse while a record of the lake is missing, and says what to do', async () => {
  await using system = await createDerived()
  await system.run()
  await system.sql.query('update sale set units = 7 where sale_id = 11')
  await system.run()
  await system.query('update fact_sale set units = 99 where sale_id = 10')
  const before = await contentOf(system)
  const zone = join(system.folder, 'processed', generationOf(system.deps.project))
  expect(await readdir(zone)).not.toEqual([])
  await system.run()
  await rm(join(zone, commitKey(1)))
  const { corrections, left } = await repair(system.deps)
  expect(corrections).toEqual([])
  expect(left).toContainEqual({
    what: expect.stringContaining('batch 1 in the processed zone') as string,
    next: 'tidemark rebuild --from ingestion',
  })
  expect(await contentOf(system)).toEqual(before)
})
