import { mkdir } from 'node:fs/promises'
import { type Deps, ingestionZone } from './deps.ts'
import { openDuckDb } from './duckdb.ts'
import type { CommitRecord } from './lake/commit-record.ts'
import { type ArchivedColumn, type ArchivedSchema, readArchivedSchema } from './lake/schema.ts'
import { readExistingCommit, readLastCommit, type Zone } from './lake/zone.ts'
import { type ModelLineage, readLineage } from './models/lineage.ts'

export interface Catalog {
  /** In the order of the contract. */
  readonly tables: readonly CatalogTable[]
  readonly models: readonly ModelLineage[]
}

export interface CatalogTable {
  readonly table: string
  readonly key: readonly string[]
  /** Rows as last captured. */
  readonly rows: number
  /** Oldest first; none before the first capture. */
  readonly versions: readonly TableVersion[]
}

/** A shape the table was captured in, until the next. */
export interface TableVersion {
  readonly fingerprint: string
  readonly firstBatch: number
  /** When that batch was read, by the source's clock: ISO 8601 UTC. */
  readonly takenAt: string
  readonly columns: readonly ArchivedColumn[]
  /** From the version before; undefined for the first. Empty when the table was made anew as it was. */
  readonly difference: SchemaDifference | undefined
}

/** How one shape of a table differs from another. */
export interface SchemaDifference {
  readonly added: readonly ArchivedColumn[]
  readonly removed: readonly ArchivedColumn[]
  readonly changed: readonly ColumnDifference[]
  /** Columns that both have stand in another order. */
  readonly reordered: boolean
  readonly key: Change<readonly string[]> | undefined
}

/** Only what differs is there. */
export interface ColumnDifference {
  readonly column: string
  /** Of the column, or of the domain it is of. */
  readonly type?: Change<string>
  readonly nullable?: Change<boolean>
  readonly generated?: Change<boolean>
  /** Of a generated column, the expression it is computed by. */
  readonly default?: Change<string | null>
  readonly labels?: {
    readonly added: readonly string[]
    readonly removed: readonly string[]
    readonly reordered: boolean
  }
}

export interface Change<T> {
  readonly before: T
  readonly after: T
}

/**
 * Every shape in which each source table was captured, and which warehouse columns its columns
 * feed. Reads the lake and the models only, neither source nor warehouse.
 *
 * Costs one request a batch: that a table had a shape for the first time is written in no other
 * place than the batch's own commit record, and a shape may come back, so that bisecting would
 * miss versions. All tables are followed in one pass, oldest batch first.
 */
export async function readCatalog(deps: Deps): Promise<Catalog> {
  const { project, limits, scratchDir } = deps
  const zone = ingestionZone(deps)
  const last = await readLastCommit(zone)
  const shapes = await readAppearances(zone, last?.batch ?? 0)
  const tables: CatalogTable[] = []
  for (const { name, key } of project.source.tables) {
    const versions: TableVersion[] = []
    let before: ArchivedSchema | undefined
    for (const appearance of shapes.get(name) ?? []) {
      const schema = await readArchivedSchema(zone, name, appearance.fingerprint)
      const difference = before && diffSchemas(before, schema)
      versions.push({ ...appearance, columns: schema.columns, difference })
      before = schema
    }
    tables.push({ table: name, key, rows: last?.tables[name]?.rows ?? 0, versions })
  }
  const known = new Map(
    tables.flatMap(({ table, versions }) => {
      const newest = versions.at(-1)
      return newest ? [[table, newest.columns.map(({ name }) => name)] as const] : []
    }),
  )
  await mkdir(scratchDir, { recursive: true })
  await using db = await openDuckDb({ scratchDir, ...limits })
  return { tables, models: await readLineage(db, project, known) }
}

type Appearance = Pick<TableVersion, 'fingerprint' | 'firstBatch' | 'takenAt'>

/** The batches at which each table's fingerprint became another. */
async function readAppearances(zone: Zone, batches: number): Promise<Map<string, Appearance[]>> {
  const found = new Map<string, Appearance[]>()
  for (let first = 1; first <= batches; first += READ_AT_ONCE) {
    const count = Math.min(READ_AT_ONCE, batches - first + 1)
    const reads = Array.from({ length: count }, (_, i) => readExistingCommit(zone, first + i))
    for (const record of await Promise.all(reads)) addAppearances(found, record)
  }
  return found
}

/** Commit records under way at once. */
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

/**
 * How `after` differs from `before`. Columns are known by their names: one that was renamed is one
 * removed and one added, and so is an enum's label. What one of the two was archived without
 * (by an older Tidemark) is not compared.
 */
export function diffSchemas(
  before: Pick<ArchivedSchema, 'key' | 'columns'>,
  after: Pick<ArchivedSchema, 'key' | 'columns'>,
): SchemaDifference {
  const earlier = new Map(before.columns.map((column) => [column.name, column]))
  const names = order(before.columns, ({ name }) => name, after.columns)
  const changed = after.columns.flatMap((column) => {
    const old = earlier.get(column.name)
    const difference = old && diffColumns(old, column)
    return difference && Object.keys(difference).length > 1 ? [difference] : []
  })
  const key = isSameList(before.key, after.key)
    ? undefined
    : { before: before.key, after: after.key }
  return { ...names, changed, key }
}

/** Whether two shapes look alike: the table itself or its partitions were made anew. */
export function isEmptyDifference({
  added,
  removed,
  changed,
  reordered,
  key,
}: SchemaDifference): boolean {
  return added.length + removed.length + changed.length === 0 && !reordered && key === undefined
}

function diffColumns(before: ArchivedColumn, after: ArchivedColumn): ColumnDifference {
  const type = change(before.type, after.type) ?? change(before.baseType, after.baseType)
  const nullable = change(before.nullable, after.nullable)
  const generated = change(before.generated, after.generated)
  const byDefault = change(before.default, after.default)
  const labels =
    before.labels && after.labels ? order(before.labels, (label) => label, after.labels) : undefined
  const isRelabelled =
    labels !== undefined && (labels.added.length + labels.removed.length > 0 || labels.reordered)
  return {
    column: after.name,
    ...(type && { type }),
    ...(nullable && { nullable }),
    ...(generated && { generated }),
    ...(byDefault && { default: byDefault }),
    ...(isRelabelled && { labels }),
  }
}

function change<T>(before: T | undefined, after: T | undefined): Change<T> | undefined {
  if (before === undefined || after === undefined || before === after) return undefined
  return { before, after }
}

/** What came, what went, and whether what stayed stands in another order. */
function order<T>(
  before: readonly T[],
  name: (each: T) => string,
  after: readonly T[],
): { added: T[]; removed: T[]; reordered: boolean } {
  const earlier = new Set(before.map(name))
  const later = new Set(after.map(name))
  const added = after.filter((each) => !earlier.has(name(each)))
  const removed = before.filter((each) => !later.has(name(each)))
  const stayed = before.map(name).filter((each) => later.has(each))
  const stands = after.map(name).filter((each) => earlier.has(each))
  return { added, removed, reordered: !isSameList(stayed, stands) }
}

function isSameList(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((each, index) => each === other[index])
}
