import { type Deps, processedZone } from '../deps.ts'
import { withPostgresErrors } from '../io/postgres-errors.ts'
import type { Client } from '../io/postgres.ts'
import { NO_TIME_LIMITS } from '../io/session.ts'
import { identifier } from '../io/sql.ts'
import { readChecksum } from '../inspect/verify-checksum.ts'
import { readExistingCommit } from '../lake/batch-log.ts'
import type { CommitRecord } from '../lake/commit-record.ts'
import { knownProject, publishedProject } from '../lake/mirrored-project.ts'
import { readPublishedSchema, versionColumns } from '../lake/published-schema.ts'
import type { Zone } from '../lake/zone.ts'
import { currentTable } from '../project/fact-names.ts'
import { generationOf } from '../project/generation.ts'
import type { Model } from '../project/model.ts'
import { readColumnNames } from '../warehouse/columns.ts'
import { readLoaded } from '../warehouse/ledger.ts'
import { inSnapshot, openWarehouse } from '../warehouse/warehouse.ts'
import { type HashedContent, type HashedTable, hashTable, inHashOrder } from './table-hash.ts'

/**
 * Hashes each table of the warehouse in one snapshot: facts with every version and record id, their
 * current rows, and dimensions. The columns are those that the lake has; columns that somebody added
 * do not count. Read-only. `deps` have an edition.
 */
export async function hashWarehouse(deps: Deps): Promise<HashedContent> {
  await using warehouse = await openWarehouse(deps.warehouse)
  const work = async (): Promise<HashedContent> => {
    const head = await readLoaded(warehouse)
    const generation = head?.generation ?? generationOf(deps.project)
    if (head === undefined) return { batch: 0, generation, tables: [] }
    const zone = processedZone(deps, generation)
    const record = await readExistingCommit(zone, head.batch)
    const { models } = knownProject(await publishedProject(deps.project, zone, record), record)
    const tables: HashedTable[] = []
    for (const model of models) {
      const columns = inHashOrder(await findColumns(warehouse.client, { zone, record, model }))
      const relations = model.kind === 'fact' ? [model.table, currentTable(model)] : [model.table]
      for (const relation of relations) {
        const sum = await readChecksum(warehouse.client, columns, identifier(relation))
        const hashed = hashTable(relation, columns, sum)
        deps.log({ event: 'table_hashed', table: relation, rows: hashed.rows })
        tables.push(hashed)
      }
    }
    return { batch: head.batch, generation, tables }
  }
  // The lake is read inside this transaction, which may exceed the role's time limit.
  return await withPostgresErrors(deps.warehouse, () => inSnapshot(warehouse, work, NO_TIME_LIMITS))
}

async function findColumns(
  client: Client,
  { zone, record, model }: { zone: Zone; record: CommitRecord; model: Model },
): Promise<readonly { readonly name: string }[]> {
  const fingerprint = record.tables[model.table]?.fingerprint
  // A zone from an older version of Tidemark has no schemas.
  if (fingerprint === undefined) {
    return (await readColumnNames(client, model)).map((name) => ({ name }))
  }
  const schema = await readPublishedSchema(zone, model.table, fingerprint)
  return model.kind === 'fact' ? versionColumns(model, schema) : schema.columns
}
