import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'vitest'
import { ingestionZone, processedZone } from '../../src/platform/deps.ts'
import { verify } from '../../src/platform/inspect/verify.ts'
import { openDuckDb } from '../../src/platform/io/duckdb.ts'
import { duckLiteral } from '../../src/platform/io/sql.ts'
import { commitBatch, readExistingCommit } from '../../src/platform/lake/batch-log.ts'
import { diskStore } from '../../src/platform/lake/store/disk-store.ts'
import { carryOver } from '../../src/platform/lake/table-entry.ts'
import { openFiles, uploadFile } from '../../src/platform/lake/zone.ts'
import { extract, transform } from '../../src/platform/pipeline.ts'
import { generationOf } from '../../src/platform/project/generation.ts'
import { repair, type RepairReport } from '../../src/platform/repair.ts'
import { openSnapshot } from '../../src/platform/source/snapshot.ts'
import type { TestSystem } from './system.ts'

/** Every table of the warehouse that loads fill, as text, with the ledger but not its own clock. */
export async function contentOf({ query }: TestSystem): Promise<Record<string, string[]>> {
  const tables = await query<{ name: string }>(`
    select relname as name from pg_class
    where relnamespace = 'public'::regnamespace and relkind = 'r'
      and relname not in ('tidemark_ledger', 'tidemark_confirmation', 'tidemark_lock')
    order by 1`)
  const content: Record<string, string[]> = {}
  for (const { name } of tables) {
    const rows = await query<{ row: string }>(`select t::text as row from "${name}" as t`)
    content[name] = rows.map(({ row }) => row).toSorted()
  }
  const ledger = await query<{ row: string }>(`
    select row(batch_id, generation, snapshot_at, row_counts, lake, loaded_from, captured_as,
      is_simulated)::text as row
    from tidemark_ledger order by batch_id`)
  content['tidemark_ledger'] = ledger.map(({ row }) => row)
  return content
}

/** What a repair corrected, by table, without the keys. */
export function correctionsOf({ corrections }: RepairReport): Record<string, object> {
  return Object.fromEntries(
    corrections.map(({ table, difference: { keys: _keys, ...counts } }) => [
      table,
      Object.fromEntries(Object.entries(counts).filter(([, rows]) => rows > 0)),
    ]),
  )
}

/** Repairs what was planted, and proves that the warehouse is as it was, and stays so. */
export async function repairPlanted(damaged: TestSystem, plant: string): Promise<RepairReport> {
  const before = await contentOf(damaged)
  await damaged.query(plant)
  const report = await repair(damaged.deps)
  expect(report.left).toEqual([])
  expect(await contentOf(damaged)).toEqual(before)
  expect(await verify(damaged.deps)).toMatchObject({ isEqual: true, faults: [] })
  return report
}

/** Commits a batch of a run that missed what has changed in the source. */
export async function missChanges({ deps, records }: TestSystem): Promise<void> {
  const last = (await records()).at(-1)
  if (last === undefined) throw new TypeError('nothing was captured')
  await using snapshot = await openSnapshot(deps.source)
  const tables = Object.entries(last.tables).map(([name, entry]) => [name, carryOver(entry)])
  await commitBatch(
    ingestionZone(deps),
    {
      // As if nothing had been under way, whatever runs beside this on the server.
      snapshot: { ...snapshot.identity, xmin: snapshot.identity.xmax, inFlight: [] },
      tables: Object.fromEntries(tables) as typeof last.tables,
      ignored: last.ignored,
      contract: last.contract,
      writer: last.writer,
    },
    { previous: last },
  )
}

/**
 * Captures the next batch, and commits to the processed zone what the models make of it with another
 * value in a column of a fact. Checksums and chain are right.
 */
export async function transformWrongly(
  { deps, folder }: TestSystem,
  { table, column, value }: { table: string; column: string; value: string },
): Promise<void> {
  const { record: captured } = await extract(deps)
  if (captured === undefined) throw new TypeError('nothing was captured')
  const copy = join(folder, 'copied')
  await cp(deps.processed.location, copy, { recursive: true })
  const elsewhere = { ...deps, processed: diskStore(copy) }
  await transform(elsewhere)
  const generation = generationOf(deps.project)
  const [made, zone] = [processedZone(elsewhere, generation), processedZone(deps, generation)]
  const record = await readExistingCommit(made, captured.batch)
  for await (const { key } of made.store.list('')) {
    if (key.endsWith(`${String(record.batch).padStart(12, '0')}.json`)) continue
    await zone.store.uploadIfAbsent(key, join(copy, key))
  }
  const entry = record.tables[table]
  const [file] = entry?.changes ?? []
  if (entry === undefined || file === undefined) throw new TypeError(`${table} did not change`)
  const [from = ''] = await openFiles(made, [file])
  const path = join(folder, 'wrong.parquet')
  await using db = await openDuckDb({ scratchDir: folder })
  await db.run(
    `copy (select * replace (${value} as ${column}) from read_parquet(${duckLiteral(from)}, hive_partitioning = false))
     to ${duckLiteral(path)} (format parquet)`,
  )
  const wrong = await uploadFile(zone, `${file.key}-wrong`, { path, rows: file.rows })
  await commitBatch(
    zone,
    { ...record, tables: { ...record.tables, [table]: { ...entry, changes: [wrong] } } },
    { previous: await readExistingCommit(zone, record.batch - 1), madeFrom: captured },
  )
}
