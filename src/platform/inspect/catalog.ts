import { asCaptured, type Deps, ingestionZone, openScratchDb } from '../deps.ts'
import { readExistingCommit, readLastCommit } from '../lake/batch-log.ts'
import type { CommitRecord, Hold } from '../lake/commit-record.ts'
import { diffSchemas, type SchemaDifference } from '../lake/schema-difference.ts'
import { type ArchivedColumn, type ArchivedSchema, readArchivedSchema } from '../lake/schema.ts'
import type { Zone } from '../lake/zone.ts'
import { capturedTables, type SourceTable } from '../project/source-contract.ts'
import { type ModelLineage, readLineage } from './lineage.ts'

/** The source tables with the history of their schemas, and the lineage of the models. */
export interface Catalog {
  /** In the order of the contract. */
  readonly tables: readonly CatalogTable[]
  readonly models: readonly ModelLineage[]
}

/** A captured source table with every schema it had. */
export interface CatalogTable {
  readonly table: string
  readonly key: readonly string[]
  /** Rows in the newest batch. */
  readonly rows: number
  /** Why the table is held, if it is. Its schema may then differ from the newest version. */
  readonly hold: Hold | undefined
  /** The versions, oldest first; none before the first capture. */
  readonly versions: readonly TableVersion[]
}

/** A schema in which the table was captured, from one batch until the next version. */
export interface TableVersion {
  readonly fingerprint: string
  readonly firstBatch: number
  /** Time of that batch's snapshot by the source's clock, ISO 8601 UTC. */
  readonly takenAt: string
  readonly columns: readonly ArchivedColumn[]
  /**
   * Difference from the version before; undefined for the first. Empty if the table was dropped and
   * recreated without a change.
   */
  readonly difference: SchemaDifference | undefined
}

/**
 * Every schema in which each source table was captured since it was last added to the project, and
 * the warehouse columns that its columns feed. Reads only the lake and the models, neither the
 * source nor the warehouse. Costs a few requests per schema, however many batches there are; one
 * request per batch for the part of a log that older versions wrote. Throws `ContractError` if a
 * record or a schema is missing or damaged.
 */
export async function readCatalog(deps: Deps): Promise<Catalog> {
  const { project } = await asCaptured(deps)
  const zone = ingestionZone(deps)
  const last = await readLastCommit(zone)
  const appearances = await readAppearances(zone, last, Object.keys(last?.tables ?? {}))
  const tables: CatalogTable[] = []
  for (const table of capturedTables(project.source)) {
    tables.push(await readCatalogTable(zone, table, { last, appearances }))
  }
  const known = new Map(
    tables.flatMap(({ table, versions }) => {
      const newest = versions.at(-1)
      return newest ? [[table, newest.columns.map(({ name }) => name)] as const] : []
    }),
  )
  // A feed has the columns of its contract, even before the first file has come.
  for (const { name, columns } of project.source.feeds ?? []) {
    if (!known.has(name)) known.set(name, Object.keys(columns))
  }
  await using db = await openScratchDb(deps)
  return { tables, models: await readLineage({ db, memory: deps.memory }, project, known) }
}

/**
 * One source table with every schema in which it was captured. Undefined if the contract does not name
 * it. Reads only the lake, and throws what `readCatalog` throws.
 */
export async function findCatalogTable(
  deps: Deps,
  name: string,
): Promise<CatalogTable | undefined> {
  const { project } = await asCaptured(deps)
  const table = capturedTables(project.source).find((each) => each.name === name)
  if (table === undefined) return undefined
  const zone = ingestionZone(deps)
  const last = await readLastCommit(zone)
  const appearances = await readAppearances(zone, last, [name])
  return await readCatalogTable(zone, table, { last, appearances })
}

async function readCatalogTable(
  zone: Zone,
  { name, key }: SourceTable,
  {
    last,
    appearances,
  }: {
    last: CommitRecord | undefined
    appearances: ReadonlyMap<string, readonly Appearance[]>
  },
): Promise<CatalogTable> {
  const versions: TableVersion[] = []
  let before: ArchivedSchema | undefined
  for (const appearance of appearances.get(name) ?? []) {
    const schema = await readArchivedSchema(zone, name, appearance.fingerprint)
    const difference = before && diffSchemas(before, schema)
    versions.push({ ...appearance, columns: schema.columns, difference })
    before = schema
  }
  return {
    table: name,
    key,
    rows: last?.tables[name]?.rows ?? 0,
    hold: last?.tables[name]?.held,
    versions,
  }
}

/** The first batch in which a table had a fingerprint. */
export type Appearance = Pick<TableVersion, 'fingerprint' | 'firstBatch' | 'takenAt'>

/** The batches at which the fingerprint of each of these tables changed, oldest first. */
export async function readAppearances(
  zone: Zone,
  last: CommitRecord | undefined,
  tables: readonly string[],
): Promise<Map<string, readonly Appearance[]>> {
  if (last === undefined) return new Map()
  const traced = new Map<string, Trace>()
  for (const table of tables) traced.set(table, await trace(zone, last, table))
  const undated = Math.max(0, ...[...traced.values()].map(({ undatedTo }) => undatedTo))
  const older = await followForward(zone, undated)
  const all = [...traced].map(([table, { appearances, undatedTo }]) => {
    const before = (older.get(table) ?? []).filter(({ firstBatch }) => firstBatch <= undatedTo)
    return [table, [...before, ...appearances]] as const
  })
  return new Map(all)
}

interface Trace {
  readonly appearances: readonly Appearance[]
  /**
   * The newest batch whose record does not say since when the table has had its schema; 0 if there
   * is none.
   */
  readonly undatedTo: number
}

/** Follows a table back from schema to schema, as far as the records say where each began. */
async function trace(zone: Zone, last: CommitRecord, table: string): Promise<Trace> {
  const appearances: Appearance[] = []
  let record = last
  for (;;) {
    const { fingerprint, shapeSince } = record.tables[table] ?? {}
    if (fingerprint === undefined) return { appearances, undatedTo: 0 }
    if (shapeSince === undefined) return { appearances, undatedTo: record.batch }
    if (shapeSince < record.batch) record = await readExistingCommit(zone, shapeSince)
    const { batch: firstBatch, snapshot } = record
    appearances.unshift({ fingerprint, firstBatch, takenAt: snapshot.takenAt })
    if (firstBatch === 1) return { appearances, undatedTo: 0 }
    record = await readExistingCommit(zone, firstBatch - 1)
  }
}

/**
 * Reads every record up to a batch. Records from older versions do not name the batch in which a
 * schema began.
 */
async function followForward(zone: Zone, batches: number): Promise<Map<string, Appearance[]>> {
  const found = new Map<string, Appearance[]>()
  for (let first = 1; first <= batches; first += READ_AT_ONCE) {
    const count = Math.min(READ_AT_ONCE, batches - first + 1)
    const reads = Array.from({ length: count }, (_, i) => readExistingCommit(zone, first + i))
    for (const record of await Promise.all(reads)) addAppearances(found, record)
  }
  return found
}

/** Number of commit records that are read at once. */
const READ_AT_ONCE = 16

function addAppearances(found: Map<string, Appearance[]>, record: CommitRecord): void {
  for (const [table, { fingerprint }] of Object.entries(record.tables)) {
    const appearances = found.get(table) ?? []
    found.set(table, appearances)
    if (fingerprint === undefined || appearances.at(-1)?.fingerprint === fingerprint) continue
    const { batch: firstBatch, snapshot } = record
    appearances.push({ fingerprint, firstBatch, takenAt: snapshot.takenAt })
  }
}
