import { type Deps, openScratchDb, processedZone } from '../deps.ts'
import type { DuckDb } from '../io/duckdb.ts'
import { checksumOf, ZERO_CHECKSUM } from '../inspect/verify-checksum.ts'
import { verifyLog } from '../inspect/verify-log.ts'
import {
  addVersions,
  chunkFiles,
  openNewest,
  type SummedVersions,
  sumVersions,
} from '../inspect/version-checksums.ts'
import { readLastCommit } from '../lake/batch-log.ts'
import type { FileRef, TableEntry } from '../lake/commit-record.ts'
import { knownProject, publishedProject } from '../lake/mirrored-project.ts'
import {
  lakeColumns,
  type PublishedSchema,
  readPublishedSchema,
  versionColumns,
} from '../lake/published-schema.ts'
import { openState, selectFiles } from '../lake/table-state.ts'
import { openFiles, type Zone } from '../lake/zone.ts'
import { currentTable } from '../project/fact-names.ts'
import { generationOf } from '../project/generation.ts'
import type { Fact, Model } from '../project/model.ts'
import { type HashedContent, type HashedTable, hashTable, inHashOrder } from './table-hash.ts'

/**
 * Hashes what a warehouse would hold that is loaded from the processed zone, as `hashWarehouse` does,
 * for a lake without one. Reads every file of the zone. `deps` have an edition.
 */
export async function hashLake(deps: Deps): Promise<HashedContent> {
  const generation = generationOf(deps.project)
  const zone = processedZone(deps, generation)
  const last = await readLastCommit(zone)
  if (last === undefined) return { batch: 0, generation, tables: [] }
  const { files } = await verifyLog(deps, undefined, last.batch)
  const { models } = knownProject(await publishedProject(deps.project, zone, last), last)
  await using db = await openScratchDb(deps)
  const tables: HashedTable[] = []
  for (const model of models) {
    const entry = last.tables[model.table]
    if (entry?.fingerprint === undefined) continue
    const schema = await readPublishedSchema(zone, model.table, entry.fingerprint)
    const place = { db, zone, schema }
    const own =
      model.kind === 'fact'
        ? await hashFact(place, { model, files: files.get(model.table) ?? new Map() })
        : [await hashDimension(place, { model, entry })]
    for (const { table, rows } of own) deps.log({ event: 'table_hashed', table, rows })
    tables.push(...own)
  }
  return { batch: last.batch, generation, tables }
}

interface Place {
  readonly db: DuckDb
  readonly zone: Zone
  readonly schema: PublishedSchema
}

/** How many batches are read at once. */
const BATCHES_AT_ONCE = 500

async function hashFact(
  { db, zone, schema }: Place,
  { model, files }: { model: Fact; files: ReadonlyMap<number, readonly FileRef[]> },
): Promise<HashedTable[]> {
  const columns = inHashOrder(versionColumns(model, schema))
  const chunks = chunkFiles(files, BATCHES_AT_ONCE)
  const parts: SummedVersions[] = []
  if (chunks.size > 0) {
    const open = async (chunk: number) =>
      `(${await selectFiles(db, await openFiles(zone, chunks.get(chunk) ?? []), columns)})`
    await using newest = await openNewest(db, model, { chunks: [...chunks.keys()], open })
    for (const chunk of chunks.keys()) {
      parts.push(await sumVersions(db, await open(chunk), { model, columns, newest: newest.name }))
    }
  }
  const { all, latest } = addVersions(parts)
  return [hashTable(model.table, columns, all), hashTable(currentTable(model), columns, latest)]
}

async function hashDimension(
  { db, zone, schema }: Place,
  { model, entry }: { model: Model; entry: TableEntry },
): Promise<HashedTable> {
  const columns = inHashOrder(lakeColumns(schema))
  if (entry.state.length === 0) return hashTable(model.table, columns, ZERO_CHECKSUM)
  const table = { name: model.table, key: model.key, columns }
  await using rows = await openState(db, zone, { table, state: entry.state })
  return hashTable(model.table, columns, await checksumOf(db, columns, rows.name))
}
