import { randomUUID } from 'node:crypto'
import { mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { duckLiteral, identifier } from '../io/sql.ts'
import { CHANGE_COLUMNS } from '../project/source-contract.ts'
import type { PendingBatch } from './batch.ts'
import type { FileRef, StateFile } from './commit-record.ts'
import { fileValues } from './lake-type.ts'
import { parquetOptions } from './parquet.ts'
import {
  changeColumns,
  type LakeTable,
  lastOfEachKey,
  openState,
  selectFiles,
} from './table-state.ts'
import { keyPart, openFiles, padBatch, uploadFile } from './zone.ts'

/** More change files than this are merged into one. */
const MAX_CHANGE_FILES = 16
/** Smaller tables are rewritten whole rather than merged, which costs next to nothing. */
const SMALL_ROWS = 10_000

/**
 * Which checkpoint a table's state needs. `base`: all rows are written again, once the changes
 * outgrow a tenth of the table. `delta`: the changes since the base are merged into one file, once
 * there are too many files. So reading the state stays cheap, and each change is rewritten a
 * bounded number of times, however long the log grows.
 */
export function planCheckpoint(state: readonly StateFile[]): 'none' | 'delta' | 'base' {
  const sum = (files: readonly StateFile[]) => files.reduce((rows, file) => rows + file.rows, 0)
  const baseRows = sum(state.filter((file) => file.role === 'base'))
  const laterRows = sum(state.filter((file) => file.role !== 'base'))
  const changeFiles = state.filter((file) => file.role === 'change').length
  if (laterRows > Math.max(baseRows / 10, SMALL_ROWS)) return 'base'
  if (changeFiles <= MAX_CHANGE_FILES) return 'none'
  return baseRows + laterRows < SMALL_ROWS ? 'base' : 'delta'
}

/**
 * A table's state after a batch's change files. The first files of a table hold every row, so they
 * are its base.
 */
export function extendState(state: readonly StateFile[], changes: readonly FileRef[]): StateFile[] {
  const role = state.length === 0 ? 'base' : 'change'
  return [...state, ...changes.map((file): StateFile => ({ ...file, role }))]
}

/**
 * The state that replaces `state`. Writes and uploads a checkpoint if one is due. `force` writes a
 * base in any case: after a change of columns, so that all files of a state have the same columns.
 */
export async function prepareState(
  batch: PendingBatch,
  table: LakeTable,
  { state, force = false }: { state: readonly StateFile[]; force?: boolean },
): Promise<StateFile[]> {
  const plan = force ? 'base' : planCheckpoint(state)
  if (plan === 'none') return [...state]
  if (plan === 'base') {
    await using current = await openState(batch.db, batch.zone, { table, state })
    const select = `select ${fileValues(table.columns)} from ${current.name}`
    const files = await writeCheckpoint(batch, table, select)
    return files.map((file) => ({ ...file, role: 'base' }))
  }
  const later = await openFiles(
    batch.zone,
    state.filter((file) => file.role !== 'base'),
  )
  const extra = changeColumns(table, CHANGE_COLUMNS)
  const changes = await selectFiles(batch.db, later, table.columns, extra)
  const named = [...CHANGE_COLUMNS].map((name) => {
    return `${name} as ${identifier(table.changeNames?.[name] ?? name)}`
  })
  const columns = [fileValues(table.columns), ...named].join(', ')
  const merged = await writeCheckpoint(
    batch,
    table,
    `select ${columns} from (${changes}) ${lastOfEachKey(table)}`,
  )
  return [
    ...state.filter((file) => file.role === 'base'),
    ...merged.map((file): StateFile => ({ ...file, role: 'delta' })),
  ]
}

async function writeCheckpoint(
  batch: PendingBatch,
  table: LakeTable,
  select: string,
): Promise<FileRef[]> {
  const folder = join(batch.db.scratchDir, randomUUID())
  await mkdir(folder)
  await batch.db.run(`copy (${select}) to ${duckLiteral(folder)}
    (${parquetOptions(table.columns)}, file_size_bytes '128MB')`)
  const files: FileRef[] = []
  for (const name of (await readdir(folder)).toSorted()) {
    const path = join(folder, name)
    const metadata = await batch.db.row<{ rows: bigint }>(
      `select num_rows as rows from parquet_file_metadata(${duckLiteral(path)})`,
    )
    const rows = Number(metadata.rows)
    const key = `checkpoint/${keyPart(table.name)}/${padBatch(batch.number)}-${batch.attempt}-${files.length}.parquet`
    if (rows > 0) files.push(await uploadFile(batch.zone, key, { path, rows }))
  }
  await rm(folder, { recursive: true })
  return files
}
