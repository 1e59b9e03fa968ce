import type { DuckDb } from '../io/duckdb.ts'
import { identifier } from '../io/sql.ts'
import type { RowCounts } from '../lake/commit-record.ts'
import { GONE_OPERATIONS } from '../lake/table-state.ts'
import { countRows } from '../lake/table-entry.ts'

/**
 * The counts of changes that are published, and of those that went to quarantine. `from` is a
 * relation of the published ones, and `operation` its column with their operation. A deletion counts
 * as read, because it was read from the ingestion zone.
 */
export async function countChanges(
  db: DuckDb,
  { from, operation, quarantined }: { from: string; operation: string; quarantined: number },
): Promise<RowCounts> {
  const found = await db.row<Record<'inserted' | 'updated' | 'deleted', bigint>>(`
    select
        count(*) filter (where ${identifier(operation)} = 'insert') as inserted,
        count(*) filter (where ${identifier(operation)} = 'update') as updated,
        count(*) filter (where ${identifier(operation)} in ${GONE_OPERATIONS}) as deleted
    from ${from}`)
  const inserted = Number(found.inserted)
  const updated = Number(found.updated)
  const deleted = Number(found.deleted)
  const read = inserted + updated + deleted + quarantined
  return countRows({ read, inserted, updated, deleted, quarantined, areDeletesRead: true })
}
