import { mkdir } from 'node:fs/promises'
import { filesTable } from '../../src/platform/collect/taken-files.ts'
import { type Deps, ingestionZone } from '../../src/platform/deps.ts'
import { openDuckDb } from '../../src/platform/io/duckdb.ts'
import { readRefused } from '../../src/platform/lake/quarantine/quarantine.ts'
import { openState } from '../../src/platform/lake/table-state.ts'
import { readLastCommit } from '../../src/platform/lake/batch-log.ts'
import { openFiles } from '../../src/platform/lake/zone.ts'

/** The first feed's rows in quarantine, or its files that were taken, according to the lake. */
export async function readFeedState(deps: Deps, what: string): Promise<Record<string, unknown>[]> {
  const zone = ingestionZone(deps)
  const [feed] = deps.project.source.feeds ?? []
  const record = await readLastCommit(zone)
  if (feed === undefined || record === undefined) return []
  await mkdir(deps.scratchDir, { recursive: true })
  await using db = await openDuckDb({ scratchDir: deps.scratchDir })
  if (what === 'open') {
    const open = readRefused(await openFiles(zone, record.tables[feed.name]?.open ?? []))
    return await db.rows(`select * from ${open} order by _ordinal`)
  }
  const table = filesTable(feed)
  const state = record.tables[table.name]?.state ?? []
  await using taken = await openState(db, zone, { table, state })
  return await db.rows(`select * from ${taken.name} order by file`)
}
