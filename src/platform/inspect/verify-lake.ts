import { randomUUID } from 'crypto'
import { mkdir } from 'fs/promises'
import { join } from 'path/posix'
import { type Deps, ingestionZone } from '../deps.ts'
import type { DuckDb } from '../io/duckdb.ts'
import { withPostgresErrors } from '../io/postgres-errors.ts'
import { onlyRow } from '../io/postgres.ts'
import { identifier, identifiers } from '../io/sql.ts'
import { incomingRelation } from '../lake/change-file.ts'
import { type CommitRecord, sumRows, type TableEntry } from '../lake/commit-record.ts'
import { convertRows } from '../lake/convert.ts'
import { findDifferences } from '../lake/difference.ts'
import { writeParquet } from '../lake/parquet.ts'
import { openQuarantined } from '../lake/quarantine/withheld.ts'
import { lakeTable } from '../lake/schema.ts'
import { openState } from '../lake/table-state.ts'
import { copyWhole } from '../source/copy.ts'
import type { SourceSnapshot } from '../source/snapshot.ts'
import { readTables, type TableShape } from '../source/tables.ts'
import { openRows, openTable, viewOf } from '../transform/source-view.ts'
import { reportHeld, type VerifiedTable } from './verified-table.ts'
import {
  checksumOf,
  type ChecksumRow,
  isSameChecksum,
  parseChecksum,
  postgresChecksum,
} from './verify-checksum.ts'
import { NO_DIFFERENCE } from './verify-history.ts'
import type { Scope } from './verify-scope.ts'

interface LakeCheck {
  readonly db: DuckDb
  readonly snapshot: SourceSnapshot
  readonly record: CommitRecord
  readonly scope: Scope
}

/**
 * Compares each source table with the lake; leaves a view of each as models see it, and of the rows
 * they do not see.
 */
export async function verifyLake(
  deps: Deps,
  check: LakeCheck,
): Promise<{ verified: VerifiedTable[]; unfit: ReadonlySet<string> }> {
  const { db, snapshot, record, scope } = check
  const ingestion = ingestionZone(deps)
  const verified: VerifiedTable[] = []
  const unfit = new Set<string>()
  for (const { table, shape, breach } of await readTables(snapshot, deps.project.source)) {
    if (!scope.sources.has(table.name)) continue
    const entry = record.tables[table.name]
    const view = await viewOf(table, { ingestion, record, latest: record })
    const isHeld = entry === undefined || entry.held !== undefined || shape === undefined
    const { paths, ...found } = isHeld
      ? { paths: undefined, ...reportHeld(table.name, entry?.held?.reason ?? breach?.reason) }
      : await verifyTable(deps, { ...check, shape, entry })
    if (view !== undefined) {
      // A table that was not copied (it is held, or its checksum is equal) is read from the lake.
      const isUnfit =
        paths === undefined
          ? await openTable(db, view, { ingestion, record })
          : await openRows(db, view, paths)
      if (isUnfit) unfit.add(table.name)
    }
    verified.push(found)
    deps.log({ event: 'table_verified', where: 'lake', table: table.name, rows: found.rows })
  }
  // What a feed brought is nowhere but in the lake.
  for (const feed of deps.project.source.feeds ?? []) {
    const view = await viewOf(feed, { ingestion, record, latest: record })
    if (view !== undefined && (await openTable(db, view, { ingestion, record }))) {
      unfit.add(feed.name)
    }
  }
  return { verified, unfit }
}

/**
 * Compares one source table with the lake. If the checksums are equal, nothing is copied. Otherwise
 * keys in quarantine are left out, and `paths` are the files of all other rows, and of the rows
 * that the lake still has for those keys.
 */
async function verifyTable(
  deps: Deps,
  { db, snapshot, record, shape, entry }: LakeCheck & { shape: TableShape; entry: TableEntry },
): Promise<VerifiedTable & { paths: string[] | undefined }> {
  const zone = ingestionZone(deps)
  const stamp = { db, number: record.batch, takenAt: record.snapshot.takenAt }
  const table = lakeTable({ ...shape, table: shape.name })
  const lake = `lake ${table.name}`
  await openState(db, zone, { relation: lake, table, state: entry.state })
  if (entry.open.length === 0) {
    const names = table.columns.map(({ name }) => name)
    const source = await withPostgresErrors(deps.source, () =>
      snapshot.client.query<ChecksumRow>(
        `select ${postgresChecksum(names)} from ${shape.relation}`,
      ),
    )
    const expected = parseChecksum(onlyRow(source))
    if (isSameChecksum(expected, await checksumOf(db, table.columns, identifier(lake)))) {
      const found = { difference: NO_DIFFERENCE, quarantined: 0, paths: undefined }
      const rows = Number(expected.rows)
      return { table: table.name, where: 'lake', by: 'checksum', rows, ...found }
    }
  }
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
  const [state, withheld] = [lake, `withheld ${table.name}`].map(identifier)
  await openQuarantined(db, zone, {
    relation: `withheld ${table.name}`,
    table,
    open: entry.open,
  })
  const names = identifiers(table.columns.map(({ name }) => name))
  const isWithheld = `join ${withheld} using (${identifiers(table.key)})`
  const difference = await findDifferences(db, table, {
    expected: `(select ${names} from ${incomingRelation(table, paths)} anti ${isWithheld})`,
    found: `(select ${names} from ${state} anti ${isWithheld})`,
  })
  const quarantined = sumRows(entry.open)
  if (quarantined > 0) {
    const path = join(folder, 'withheld.parquet')
    await writeParquet(db, `select ${names} from ${state} semi ${isWithheld}`, path)
    paths.push(path)
  }
  return { table: table.name, where: 'lake', by: 'rows', rows, difference, quarantined, paths }
}
