import { expect } from 'vitest'
import { ingestionZone } from '../../src/platform/deps.ts'
import { verify } from '../../src/platform/inspect/verify.ts'
import { commitBatch } from '../../src/platform/lake/batch-log.ts'
import { carryOver } from '../../src/platform/lake/table-entry.ts'
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
