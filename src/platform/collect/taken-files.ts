import { duckLiteral, identifier, identifiers } from '../io/sql.ts'
import type { PendingBatch } from '../lake/batch.ts'
import { prepareChanges } from '../lake/change-file.ts'
import { extendState, prepareState } from '../lake/checkpoint.ts'
import { NO_ROWS, type TableEntry } from '../lake/commit-record.ts'
import { compareRows } from '../lake/compare.ts'
import { type LakeTable, openState } from '../lake/table-state.ts'
import { type Feed, filesOf } from '../project/source-contract.ts'
import { valuesOfFolders } from './file/format.ts'
import type { OfferedFile, TakenFile } from './take-file.ts'

/** The table of a feed's files: one row for each name, as it was last taken. */
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

/** Makes a view of the table of a feed's files as it stood; returns its name. */
export async function openRegister(
  { db, zone }: Pick<PendingBatch, 'db' | 'zone'>,
  feed: Feed,
  previous: TableEntry | undefined,
): Promise<string> {
  const table = filesTable(feed)
  const relation = `state of ${table.name}`
  await openState(db, zone, { relation, table, state: previous?.state ?? [] })
  return relation
}

/**
 * Whether a file with a new name is a copy: it has the same bytes as a file that was taken under
 * another name, and its folders give the same values.
 */
export async function findCopy(
  { db }: PendingBatch,
  {
    register,
    read,
    file,
    hashing,
  }: {
    register: string
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
    `select file, sha256 from ${identifier(register)}
     where file = ${duckLiteral(file.name)} or (bytes = ${file.sizeBytes} and outcome = 'taken')`,
  )
  // Under its own name it says something new, even if it says what it said once before.
  if (found.length === 0 || found.some((each) => each.file === file.name)) return false
  const sha256 = await hashing
  return found.some((each) => each.sha256 === sha256 && isAlike(each.file))
}

export async function recordFiles(
  batch: PendingBatch,
  feed: Feed,
  {
    read,
    register,
    previous,
  }: { read: readonly TakenFile[]; register: string; previous: TableEntry | undefined },
): Promise<TableEntry> {
  const { db } = batch
  const table = filesTable(feed)
  const rows = read.map(({ file, sha256, outcome, lines, refusedLines, archived }) => [
    file.name,
    file.version,
    file.modifiedAt,
    file.sizeBytes,
    sha256,
    outcome,
    lines,
    refusedLines,
    archived?.key,
  ])
  const incoming = identifier(`taken of ${feed.name}`)
  const values = rows.map((row) => {
    const cells = row.map((cell, index) => {
      const text = cell === undefined ? 'null' : duckLiteral(String(cell))
      return `${text}::${table.columns[index]?.type}`
    })
    return `(${cells.join(', ')})`
  })
  const names = identifiers(table.columns.map(({ name }) => name))
  await db.run(
    `create or replace temp table ${incoming} as select * from (values ${values.join(', ')}) as v(${names})`,
  )
  const known = { state: register, changes: `changes of ${table.name}` }
  const state = previous?.state ?? []
  const { inserted, updated } = await compareRows(db, table, { incoming, ...known })
  const changes = await prepareChanges(batch, table, {
    changes: known.changes,
    rows: inserted + updated,
  })
  const next = extendState(state, changes)
  return {
    counts: {
      ...NO_ROWS,
      read: rows.length,
      accepted: inserted + updated,
      unchanged: rows.length - inserted - updated,
      inserted,
      updated,
    },
    changes,
    quarantine: [],
    open: [],
    state: await prepareState(batch, table, { state: next }),
    rows: (previous?.rows ?? 0) + inserted,
  }
}

/** Versions of the files that were taken, by name. */
export async function readTakenVersions(
  batch: Pick<PendingBatch, 'db' | 'zone'>,
  feed: Feed,
  previous: TableEntry | undefined,
): Promise<ReadonlyMap<string, string>> {
  const register = await openRegister(batch, feed, previous)
  const rows = await batch.db.rows<{ file: string; version: string }>(
    `select file, version from ${identifier(register)}`,
  )
  return new Map(rows.map(({ file, version }) => [file, version]))
}
