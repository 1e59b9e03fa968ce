import { randomUUID } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type Deps, ingestionZone } from '../deps.ts'
import type { DuckDb, Relation } from '../io/duckdb.ts'
import { createTurns, type InTurn } from '../io/in-turn.ts'
import { type Keep, openTogether } from '../io/open-together.ts'
import { withPostgresErrors } from '../io/postgres-errors.ts'
import { identifiers } from '../io/sql.ts'
import { incomingRelation } from '../lake/change-file.ts'
import type { CommitRecord, IngestionEntry } from '../lake/commit-record.ts'
import { convertRows } from '../lake/convert.ts'
import { findDifferences, NO_DIFFERENCE } from '../lake/difference.ts'
import { writeParquet } from '../lake/parquet.ts'
import { openQuarantined } from '../lake/quarantine/quarantined-keys.ts'
import { lakeTable } from '../lake/schema.ts'
import { sumRows } from '../lake/table-entry.ts'
import { type LakeTable, openState } from '../lake/table-state.ts'
import type { PostgresSource } from '../source/source-snapshot.ts'
import type { TableShape } from '../source/table-shape.ts'
import type { SourceState } from '../source/tables.ts'
import { openRows, type OpenTable, openTable, viewOf } from '../transform/source-view.ts'
import { notCompared, type VerifiedTable } from './verified-table.ts'
import { type Checksum, checksumOf, isSameChecksum, readChecksum } from './verify-checksum.ts'
import type { Scope } from './verify-scope.ts'

/** The places to compare at one snapshot. */
interface LakeCheck {
  readonly db: DuckDb
  readonly snapshot: PostgresSource
  readonly record: CommitRecord
  readonly scope: Scope
}

/** The source tables, compared with the lake and open for the models, until this is disposed of. */
export interface VerifiedLake extends AsyncDisposable {
  readonly verified: readonly VerifiedTable[]
  /**
   * For each table, the relation of its rows that models do not see; missing if there can be none.
   */
  readonly refused: ReadonlyMap<string, string>
}

/**
 * Compares each source table in scope with the lake, and opens it under its own name as models see
 * it. A table that is held is not compared; models read its state in the lake. Writes only to the
 * scratch folder.
 */
export async function verifyLake(deps: Deps, check: LakeCheck): Promise<VerifiedLake> {
  return await openTogether((keep) => openVerified(deps, check, keep))
}

/** Like `verifyLake`. Passes each table to `keep` once it is open. */
async function openVerified(
  deps: Deps,
  check: LakeCheck,
  keep: Keep,
): Promise<Omit<VerifiedLake, keyof AsyncDisposable>> {
  const { db, snapshot, record, scope } = check
  const ingestion = ingestionZone(deps)
  const verified: VerifiedTable[] = []
  const opened = new Map<string, OpenTable>()
  const states = await snapshot.readTables(deps.project.source)
  // Send all statements first, so that the source works while DuckDB does.
  await using turns = createTurns()
  const tasks = states
    .filter(({ table }) => scope.sources.has(table.name))
    .map((state) => ({ ...state, compared: beginComparison(deps, { ...check, ...turns }, state) }))
  for (const { table, breach, compared } of tasks) {
    const view = await viewOf(table, { ingestion, record, latest: record })
    const { paths, ...found } =
      compared === undefined
        ? {
            paths: undefined,
            ...notCompared(table.name, record.tables[table.name]?.held?.reason ?? breach?.reason),
          }
        : await verifyTable(deps, { ...check, ...compared })
    if (view !== undefined) {
      // A table that was not copied, because it is held or its checksum is equal, is read from the
      // lake.
      const open =
        paths === undefined
          ? await openTable(db, view, { ingestion, record })
          : await openRows(db, view, paths)
      opened.set(table.name, keep(open))
    }
    verified.push(found)
    deps.log({ event: 'table_verified', where: 'lake', table: table.name, rows: found.rows })
  }
  // The rows of a feed exist only in the lake.
  for (const feed of deps.project.source.feeds ?? []) {
    const view = await viewOf(feed, { ingestion, record, latest: record })
    if (view === undefined) continue
    opened.set(feed.name, keep(await openTable(db, view, { ingestion, record })))
  }
  const refused = [...opened].flatMap(([name, { refused: rows }]): [string, string][] =>
    rows === undefined ? [] : [[name, rows]],
  )
  return { verified, refused: new Map(refused) }
}

/** A source table that is compared with the lake. */
interface ComparedTable {
  readonly shape: TableShape
  readonly entry: IngestionEntry
  readonly table: LakeTable
  /** Missing if rows are in quarantine, because then checksums would differ in any case. */
  readonly asked: Promise<Checksum> | undefined
}

/** Asks the source for the checksum of a table; undefined if the table is held. */
function beginComparison(
  deps: Deps,
  { snapshot, record, inTurn }: LakeCheck & { readonly inTurn: InTurn },
  { table: { name }, shape }: SourceState,
): ComparedTable | undefined {
  const entry = record.tables[name]
  if (entry === undefined || entry.held !== undefined || shape === undefined) return undefined
  const table = lakeTable({ ...shape, table: shape.name })
  if (entry.open.length > 0) return { shape, entry, table, asked: undefined }
  const asked = inTurn(() =>
    withPostgresErrors(deps.source, () =>
      snapshot.readers.use({}, (client) =>
        readChecksum(client, table.columns, `${shape.relation} as t`),
      ),
    ),
  )
  asked.catch(() => {}) // reported when it is awaited
  return { shape, entry, table, asked }
}

/**
 * Compares one source table with the lake. If the checksums are equal, nothing is copied. Otherwise
 * keys in quarantine are left out, and `paths` are the files with all other rows, and with the
 * lake's rows for the keys in quarantine.
 */
async function verifyTable(
  deps: Deps,
  check: LakeCheck & ComparedTable,
): Promise<VerifiedTable & { paths: string[] | undefined }> {
  const { db, table, entry, asked } = check
  await using lake = await openState(db, ingestionZone(deps), { table, state: entry.state })
  if (asked !== undefined) {
    const found = await checksumOf(db, table.columns, lake.name)
    const expected = await asked
    if (isSameChecksum(expected, found)) {
      const equal = { difference: NO_DIFFERENCE, quarantined: 0, paths: undefined }
      const rows = Number(expected.rows)
      return { table: table.name, where: 'lake', by: 'checksum', rows, ...equal }
    }
  }
  return await compareCopied(deps, check, { table, lake })
}

/** Copies a source table and compares it with the lake row by row. */
async function compareCopied(
  deps: Deps,
  { db, snapshot, record, shape, entry }: LakeCheck & { shape: TableShape; entry: IngestionEntry },
  { table, lake }: { table: LakeTable; lake: Relation },
): Promise<VerifiedTable & { paths: string[] }> {
  const stamp = { db, number: record.batch, takenAt: record.snapshot.takenAt }
  const folder = join(db.scratchDir, randomUUID())
  await mkdir(folder)
  const paths: string[] = []
  let [read, rows] = [0, 0]
  for await (const copied of snapshot.copyWhole(shape, { folder, connections: 1 })) {
    const converted = await convertRows(stamp, table, { copied, firstOrdinal: read + 1 })
    paths.push(converted.path)
    read += copied.rows
    rows += converted.rows
  }
  await using keys = await openQuarantined(db, ingestionZone(deps), { table, open: entry.open })
  const names = identifiers(table.columns.map(({ name }) => name))
  const isQuarantined = `join ${keys.name} using (${identifiers(table.key)})`
  const difference = await findDifferences(db, table, {
    expected: `(select ${names} from ${incomingRelation(table, paths)} anti ${isQuarantined})`,
    found: `(select ${names} from ${lake.name} anti ${isQuarantined})`,
  })
  const quarantined = sumRows(entry.open)
  if (quarantined > 0) {
    const path = join(folder, 'quarantined.parquet')
    const rest = `select ${names} from ${lake.name} semi ${isQuarantined}`
    await writeParquet(db, rest, path, table.columns)
    paths.push(path)
  }
  return { table: table.name, where: 'lake', by: 'rows', rows, difference, quarantined, paths }
}
