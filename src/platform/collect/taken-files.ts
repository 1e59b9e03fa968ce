import type { Relation } from '../io/duckdb.ts'
import { duckLiteral, identifiers } from '../io/sql.ts'
import type { PendingBatch } from '../lake/batch.ts'
import type { IngestionEntry } from '../lake/commit-record.ts'
import { compareRows } from '../lake/compare.ts'
import { prepareTable } from '../lake/table-changes.ts'
import { countRows } from '../lake/table-entry.ts'
import { type LakeTable, openState } from '../lake/table-state.ts'
import { type Feed, filesOf } from '../project/source-contract.ts'
import { valuesOfFolders } from './file/format.ts'
import type { OfferedFile, TakenFile } from './take-file.ts'

/** The table of a feed's files. It has one row for each name, from the last time it was taken. */
export function filesTable(feed: Feed): LakeTable {
  const columns = Object.entries({
    file: 'VARCHAR',
    version: 'VARCHAR',
    modified_at: 'TIMESTAMPTZ',
    bytes: 'BIGINT',
    sha256: 'VARCHAR',
    outcome: 'VARCHAR',
    lines: 'BIGINT',
    refused: 'BIGINT',
    archived: 'VARCHAR',
  }).map(([name, type]) => ({ name, type }))
  return { name: filesOf(feed.name), key: ['file'], columns }
}

/** Opens the table of a feed's files as of the previous batch. Dispose of it after use. */
export async function openTakenFiles(
  { db, zone }: Pick<PendingBatch, 'db' | 'zone'>,
  feed: Feed,
  previous: IngestionEntry | undefined,
): Promise<Relation> {
  return await openState(db, zone, { table: filesTable(feed), state: previous?.state ?? [] })
}

/**
 * Whether a file with a new name is a copy: a file with the same bytes was taken under another
 * name, and the folders of both give the same values. A changed file under a known name is never a
 * copy.
 */
export async function findCopy(
  { db }: PendingBatch,
  {
    earlier,
    read,
    file,
    hashing,
  }: {
    /** The table of files as of the previous batch. */
    earlier: Relation
    /** The files that this batch has taken so far. */
    read: readonly TakenFile[]
    file: OfferedFile
    hashing: Promise<string>
  },
): Promise<boolean> {
  const given = JSON.stringify(valuesOfFolders(file.name))
  const isAlike = (name: string): boolean => JSON.stringify(valuesOfFolders(name)) === given
  const isTaken = async (taken: TakenFile): Promise<boolean> =>
    taken.outcome === 'taken' &&
    isAlike(taken.file.name) &&
    taken.file.sizeBytes === file.sizeBytes &&
    taken.sha256 === (await hashing)
  for (const taken of read) if (await isTaken(taken)) return true
  const found = await db.rows<{ file: string; sha256: string }>(
    `select file, sha256 from ${earlier.name}
     where file = ${duckLiteral(file.name)} or (bytes = ${file.sizeBytes} and outcome = 'taken')`,
  )
  // A file that was changed back to earlier content is still new under its own name.
  if (found.length === 0 || found.some((each) => each.file === file.name)) return false
  const sha256 = await hashing
  return found.some((each) => each.sha256 === sha256 && isAlike(each.file))
}

/** Makes the entry of the table of a feed's files, with the files that this batch has read. */
export async function recordFiles(
  batch: PendingBatch,
  feed: Feed,
  {
    read,
    earlier,
    previous,
  }: {
    read: readonly TakenFile[]
    earlier: Relation
    previous: IngestionEntry | undefined
  },
): Promise<IngestionEntry> {
  const { db } = batch
  const table = filesTable(feed)
  await using incoming = await db.table(selectRead(table, read))
  await using found = await compareRows(db, table, {
    incoming: incoming.name,
    state: earlier.name,
  })
  const { changes, inserted, updated } = found
  return {
    ...(await prepareTable(batch, table, {
      changes,
      rows: inserted + updated,
      state: previous?.state ?? [],
    })),
    counts: countRows({ read: read.length, inserted, updated }),
    quarantine: [],
    open: [],
    rows: (previous?.rows ?? 0) + inserted,
  }
}

/** A select with one row for each file. */
function selectRead(table: LakeTable, read: readonly TakenFile[]): string {
  const rows = read.map(({ file, sha256, outcome, lines, refusedLines, archived }) => {
    const cells = [
      file.name,
      file.version,
      file.modifiedAt,
      file.sizeBytes,
      sha256,
      outcome,
      lines,
      refusedLines,
      archived?.key,
    ].map((cell, index) => {
      const text = cell === undefined ? 'null' : duckLiteral(String(cell))
      return `${text}::${table.columns[index]?.type}`
    })
    return `(${cells.join(', ')})`
  })
  const names = identifiers(table.columns.map(({ name }) => name))
  return `select * from (values ${rows.join(', ')}) as v(${names})`
}

/** The version of each file that was taken, by name. */
export async function readTakenVersions(
  batch: Pick<PendingBatch, 'db' | 'zone'>,
  feed: Feed,
  previous: IngestionEntry | undefined,
): Promise<ReadonlyMap<string, string>> {
  await using files = await openTakenFiles(batch, feed, previous)
  const rows = await batch.db.rows<{ file: string; version: string }>(
    `select file, version from ${files.name}`,
  )
  return new Map(rows.map(({ file, version }) => [file, version]))
}
