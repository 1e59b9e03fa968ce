import { randomUUID } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type Deps, ingestionZone } from '../deps.ts'
import type { DuckDb, Relation } from '../io/duckdb.ts'
import { type Keep, openTogether } from '../io/open-together.ts'
import { withPostgresErrors } from '../io/postgres-errors.ts'
import { onlyRow } from '../io/postgres.ts'
import { identifiers } from '../io/sql.ts'
import { incomingRelation } from '../lake/change-file.ts'
import type { CommitRecord, IngestionEntry } from '../lake/commit-record.ts'
import { convertRows } from '../lake/convert.ts'
import { findDifferences } from '../lake/difference.ts'
import { writeParquet } from '../lake/parquet.ts'
import { openQuarantined } from '../lake/quarantine/quarantined-keys.ts'
import { lakeTable } from '../lake/schema.ts'
import { sumRows } from '../lake/table-entry.ts'
import { type LakeTable, openState } from '../lake/table-state.ts'
import { copyWhole } from '../source/copy.ts'
import type { SourceSnapshot } from '../source/snapshot.ts'
import { readTables, type TableShape } from '../source/tables.ts'
import { openRows, type OpenTable, openTable, viewOf } from '../transform/source-view.ts'
import { notCompared, type VerifiedTable } from './verified-table.ts'
import {
  checksumOf,
  type ChecksumRow,
  isSameChecksum,
  parseChecksum,
  postgresChecksum,
} from './verify-checksum.ts'
import { NO_DIFFERENCE } from './verify-history.ts'
import type { Scope } from './verify-scope.ts'

/** The places to compare at one snapshot. */
interface LakeCheck {
  readonly db: DuckDb
  readonly snapshot: SourceSnapshot
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
  for (const { table, shape, breach } of await readTables(snapshot, deps.project.source)) {
    if (!scope.sources.has(table.name)) continue
    const entry = record.tables[table.name]
    const view = await viewOf(table, { ingestion, record, latest: record })
    const isHeld = entry === undefined || entry.held !== undefined || shape === undefined
    const { paths, ...found } = isHeld
      ? { paths: undefined, ...notCompared(table.name, entry?.held?.reason ?? breach?.reason) }
      : await verifyTable(deps, { ...check, shape, entry })
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

/**
 * Compares one source table with the lake. If the checksums are equal, nothing is copied. Otherwise
 * keys in quarantine are left out, and `paths` are the files with all other rows, and with the
 * lake's rows for the keys in quarantine.
 */
async function verifyTable(
  deps: Deps,
  check: LakeCheck & { shape: TableShape; entry: IngestionEntry },
): Promise<VerifiedTable & { paths: string[] | undefined }> {
  const { db, snapshot, shape, entry } = check
  const table = lakeTable({ ...shape, table: shape.name })
  await using lake = await openState(db, ingestionZone(deps), { table, state: entry.state })
  if (entry.open.length === 0) {
    const names = table.columns.map(({ name }) => name)
    const source = await withPostgresErrors(deps.source, () =>
      snapshot.client.query<ChecksumRow>(
        `select ${postgresChecksum(names)} from ${shape.relation}`,
      ),
    )
    const expected = parseChecksum(onlyRow(source))
    if (isSameChecksum(expected, await checksumOf(db, table.columns, lake.name))) {
      const found = { difference: NO_DIFFERENCE, quarantined: 0, paths: undefined }
      const rows = Number(expected.rows)
      return { table: table.name, where: 'lake', by: 'checksum', rows, ...found }
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
  for await (const copied of copyWhole(snapshot, shape, { folder, connections: 1 })) {
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
    await writeParquet(db, `select ${names} from ${lake.name} semi ${isQuarantined}`, path)
    paths.push(path)
  }
  return { table: table.name, where: 'lake', by: 'rows', rows, difference, quarantined, paths }
}
