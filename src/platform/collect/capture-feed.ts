import { createHash } from 'node:crypto'
import { rm } from 'node:fs/promises'
import type { Deps } from '../deps.ts'
import { duckLiteral, identifier, identifiers } from '../io/sql.ts'
import type { PendingBatch } from '../lake/batch.ts'
import { incomingRelation, prepareChanges, prepareFile } from '../lake/change-file.ts'
import { extendState, prepareState } from '../lake/checkpoint.ts'
import {
  type FileRef,
  NO_ROWS,
  standStill,
  sumRows,
  type TableEntry,
} from '../lake/commit-record.ts'
import { compareRows } from '../lake/compare.ts'
import {
  logRefused,
  prepareOpen,
  prepareQuarantine,
  readRefused,
  rowText,
} from '../lake/quarantine/quarantine.ts'
import { keyColumns } from '../lake/quarantine/withheld.ts'
import { lakeTable, parsedTable, prepareSchema } from '../lake/schema.ts'
import { type LakeTable, lastOfEachKey, openState } from '../lake/table-state.ts'
import { hashFile, openFiles } from '../lake/zone.ts'
import type { Feed } from '../project/source-contract.ts'
import type { RowFile } from './file/divide-lines.ts'
import { type OfferedFile, takeFile, type TakenFile } from './take-file.ts'
import { findCopy, openRegister, recordFiles } from './taken-files.ts'

export interface FeedCapture {
  readonly feed: Feed
  readonly files: readonly OfferedFile[]
  readonly previous: TableEntry | undefined
  readonly previousFiles: TableEntry | undefined
}

/**
 * The entries of a feed and of the table of its files, with these files taken in their order: of two
 * rows with one key the later line is the one that counts. Every file is archived as it came before
 * any object is made of it. A line that is no row goes to quarantine with its number, and all others
 * go on; what lay in quarantine of a file is settled when that file is taken anew, or its key is
 * accepted from any.
 */
export async function captureFeed(
  deps: Deps,
  batch: PendingBatch,
  { feed, files, previous, previousFiles }: FeedCapture,
): Promise<{ rows: TableEntry; files: TableEntry }> {
  const shape = shapeOf(feed)
  const table = lakeTable(shape)
  const parsed = parsedTable(shape)
  const register = await openRegister(batch, feed, previousFiles)
  const read: TakenFile[] = []
  let before = 0
  for (const [index, file] of files.entries()) {
    const hashing = hashFile(file.rawPath)
    // Awaited wherever it is needed.
    hashing.catch(() => {})
    const isCopy = await findCopy(batch, { register, read, file, hashing })
    const taken = await takeFile(deps, batch, {
      feed,
      table: parsed,
      file,
      index,
      before,
      isCopy,
      hashing,
    })
    before += taken.span
    read.push(taken)
  }
  const accepted = read.flatMap(({ files: made }) => made)
  const refused = read.flatMap(({ refusals }) => refusals)
  const { entry, accepted: kept } = await captureRows(batch, table, { accepted, previous })
  const names = read.filter(({ outcome }) => outcome !== 'copy').map(({ file }) => file.name)
  const refusal = await refuse(deps, batch, { table, previous, names, refused, kept })
  for (const path of [...accepted.map(({ path: each }) => each), ...refused]) {
    await rm(path, { force: true })
  }
  await prepareSchema(batch.zone, shape)

  const lines = read.reduce((sum, { lines: own }) => sum + own, 0)
  const { inserted, updated } = entry.counts
  return {
    rows: {
      ...entry,
      ...refusal.files,
      counts: {
        ...entry.counts,
        read: lines,
        accepted: inserted + updated,
        unchanged: lines - inserted - updated - refusal.rows,
        quarantined: refusal.rows,
      },
      archived: read.flatMap(({ archived }) => archived ?? []),
      fingerprint: shape.fingerprint,
    },
    files: await recordFiles(batch, feed, { read, register, previous: previousFiles }),
  }
}

/** A feed's columns as the lake keeps a table's shape. */
function shapeOf({ name, key, columns }: Feed) {
  const list = Object.entries(columns).map(([column, type]) => ({
    name: column,
    type,
    baseType: type,
    nullable: !key.includes(column),
  }))
  const text = JSON.stringify([key, list])
  const fingerprint = createHash('sha256').update(text).digest('hex').slice(0, 16)
  return { table: name, key, columns: list, fingerprint }
}

/** Compares the rows of all files with the table as it stood. */
async function captureRows(
  batch: PendingBatch,
  table: LakeTable,
  { accepted, previous }: { accepted: readonly RowFile[]; previous: TableEntry | undefined },
): Promise<{ entry: TableEntry; accepted: string }> {
  const { db } = batch
  const state = previous?.state ?? []
  const blank = standStill(previous)
  if (accepted.length === 0) {
    return {
      entry: blank,
      accepted: `(select *, 0 as _ordinal from ${incomingRelation(table, [])})`,
    }
  }
  const all = incomingRelation(
    table,
    accepted.map(({ path }) => path),
  )
  const hasTwice = await holdsTwice(batch, table, all)
  const latest = identifier(`latest of ${table.name}`)
  if (hasTwice) {
    await db.run(
      `create or replace temp table ${latest} as select * from ${all} ${lastOfEachKey(table)}`,
    )
  }
  const incoming = hasTwice ? latest : all
  if (state.length === 0 && !hasTwice) {
    // The first rows of a table are the table.
    const files: FileRef[] = []
    for (const { path, rows } of accepted) {
      files.push(await prepareFile(batch, table, { path, rows, index: files.length }))
    }
    const inserted = sumRows(files)
    return {
      entry: {
        ...blank,
        counts: { ...NO_ROWS, inserted },
        changes: files,
        state: extendState([], files),
        rows: inserted,
      },
      accepted: incomingRelation(table, await openFiles(batch.zone, files)),
    }
  }
  const names = { state: `state of ${table.name}`, changes: `changes of ${table.name}` }
  await openState(db, batch.zone, { relation: names.state, table, state })
  const { inserted, updated } = await compareRows(db, table, { incoming, ...names })
  const changes = await prepareChanges(batch, table, {
    changes: names.changes,
    rows: inserted + updated,
  })
  const next = extendState(state, changes)
  return {
    entry: {
      ...blank,
      counts: { ...NO_ROWS, inserted, updated },
      changes,
      state: changes.length > 0 ? await prepareState(batch, table, { state: next }) : [...state],
      rows: blank.rows + inserted,
    },
    accepted: incoming,
  }
}

async function holdsTwice(
  { db }: PendingBatch,
  table: LakeTable,
  relation: string,
): Promise<boolean> {
  const [first = '', ...more] = table.key.map(identifier)
  if (more.length === 0) {
    // Keys that only ever rise are each there once: a tenth of the work.
    const [found] = await db.rows<{ rises: boolean | null }>(
      `select bool_and(${first} > before) as rises
       from (select ${first}, lag(${first}) over () as before from ${relation})`,
    )
    if (found?.rises !== false) return false
  }
  const found = await db.rows(
    `select 1 from ${relation} group by ${identifiers(table.key)} having count(*) > 1 limit 1`,
  )
  return found.length > 0
}

/** Puts refused lines into quarantine, and settles what these files or their rows have corrected. */
async function refuse(
  deps: Deps,
  batch: PendingBatch,
  {
    table,
    previous,
    names,
    refused,
    kept,
  }: {
    table: LakeTable
    previous: TableEntry | undefined
    names: readonly string[]
    refused: readonly string[]
    kept: string
  },
): Promise<{ files: Pick<TableEntry, 'quarantine' | 'open'>; rows: number }> {
  const open = previous?.open ?? []
  if (open.length + refused.length === 0) return { files: { quarantine: [], open: [] }, rows: 0 }
  const { db, zone } = batch
  const before = readRefused(await openFiles(zone, open))
  const lines = readRefused(refused)
  const fresh = `select l.* from ${lines} as l anti join ${before} as e using (_key, _content)`
  const quarantine =
    refused.length === 0 ? [] : await prepareQuarantine(batch, table, { refused: fresh })
  const settled = identifier(`settled of ${table.name}`)
  const again = names.map(duckLiteral).join(', ')
  await db.run(`
    create or replace temp table ${settled} as
    select _key from (
        select _key from ${before}
        where json_extract_string(_content, '$._file') in (${again === '' ? `''` : again})
    )
    anti join (select _key from ${lines}) using (_key)
    union
    select _key from (
        select ${rowText(keyColumns(table))} as _key, max(_ordinal) as _ordinal
        from ${kept}
        group by 1
    ) as a
    anti join (select _key, _ordinal from ${lines}) as l
        on l._key = a._key and l._ordinal > a._ordinal
    semi join (select _key from ${before} union all select _key from ${lines}) as q
        on q._key = a._key`)
  const outcome = await prepareOpen(batch, table, { before: open, refused: quarantine, settled })
  logRefused(deps.log, { batch: batch.number, table: table.name, faults: outcome.faults })
  return { files: { quarantine, open: outcome.open }, rows: sumRows(quarantine) }
}
