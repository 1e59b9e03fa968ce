import { readExistingCommit } from './batch-log.ts'
import type { TableEntry } from './commit-record.ts'
import { type ArchivedSchema, readArchivedSchema } from './schema.ts'
import type { Zone } from './zone.ts'

/**
 * Every schema with which a table was captured, the newest first. `entry` is its newest entry. Ends
 * where the lake does not say since when a table has had its schema, as older lakes do not.
 */
export async function* schemasSoFar(
  zone: Zone,
  table: string,
  entry: TableEntry | undefined,
): AsyncGenerator<ArchivedSchema> {
  for (let at = entry; at?.fingerprint !== undefined;) {
    yield await readArchivedSchema(zone, table, at.fingerprint)
    const earlier = (at.shapeSince ?? 1) - 1
    if (earlier === 0) return
    at = (await readExistingCommit(zone, earlier)).tables[table]
  }
}
