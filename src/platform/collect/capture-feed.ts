import { createHash } from 'node:crypto'
import { rm } from 'node:fs/promises'
import type { Deps } from '../deps.ts'
import type { Relation } from '../io/duckdb.ts'
import { openTogether } from '../io/open-together.ts'
import { hashFile } from '../io/hash-file.ts'
import { sideBySide } from '../io/side-by-side.ts'
import { duckLiteral, identifier, identifiers } from '../io/sql.ts'
import type { PendingBatch } from '../lake/batch.ts'
import { incomingRelation, prepareFile } from '../lake/change-file.ts'
import { extendState } from '../lake/checkpoint.ts'
import type { FileRef, IngestionEntry } from '../lake/commit-record.ts'
import { compareRows } from '../lake/compare.ts'
import {
  logRefused,
  prepareOpen,
  prepareQuarantine,
  readRefused,
  rowText,
} from '../lake/quarantine/quarantine.ts'
import { type ArchivedSchema, lakeTable, parsedTable, prepareSchema } from '../lake/schema.ts'
import { prepareTable, type TableChanges } from '../lake/table-changes.ts'
import { carryOver, countRows, sumRows } from '../lake/table-entry.ts'
import { keyColumns, type LakeTable, lastOfEachKey, openState } from '../lake/table-state.ts'
import { openFiles } from '../lake/zone.ts'
import type { Feed } from '../project/source-contract.ts'
import type { RowFile } from './file/divide-lines.ts'
import { type OfferedFile, takeFile, type TakenFile } from './take-file.ts'
import { findCopy, openTakenFiles, recordFiles } from './taken-files.ts'

/** The files to take for one feed, and the entries of its two tables in the previous batch. */
export interface FeedCapture {
  readonly feed: Feed
  readonly files: readonly OfferedFile[]
  readonly previous: IngestionEntry | undefined
  readonly previousFiles: IngestionEntry | undefined
}

/**
 * Takes these files in order and returns the entries of the feed and of the table of its files. If
 * two rows have one key, the later line counts. Each file is archived as it came before any object
 * is made from it. A line that is not a valid row goes to quarantine with its number, and all
 * others go on. A quarantined line is released when its file is taken again without it, or when a
 * row with its key is accepted from any file.
 */
export async function captureFeed(
  deps: Deps,
  batch: PendingBatch,
  { feed, files, previous, previousFiles }: FeedCapture,
): Promise<{ rows: IngestionEntry; files: IngestionEntry }> {
  const schema = schemaOf(feed)
  const table = lakeTable(schema)
  await using earlier = await openTakenFiles(batch, feed, previousFiles)
  const read = await takeFiles(deps, batch, { feed, table: parsedTable(schema), files, earlier })
  const accepted = read.flatMap(({ files: made }) => made)
  const refused = read.flatMap(({ refusals }) => refusals)
  await using captured = await captureRows(batch, table, { accepted, previous })
  const names = read.filter(({ outcome }) => outcome !== 'copy').map(({ file }) => file.name)
  const { kept, inserted, updated, ...changed } = captured
  const refusal = await quarantineLines(deps, batch, { table, previous, names, refused, kept })
  for (const path of [...accepted.map(({ path: each }) => each), ...refused]) {
    await rm(path, { force: true })
  }
  await prepareSchema(batch.zone, schema)

  const lines = read.reduce((sum, { lines: own }) => sum + own, 0)
  return {
    rows: {
      ...carryOver(previous),
      changes: changed.changes,
      state: changed.state,
      quarantine: refusal.quarantine,
      open: refusal.open,
      counts: countRows({ read: lines, inserted, updated, quarantined: refusal.rows }),
      rows: (previous?.rows ?? 0) + inserted,
      archived: read.flatMap(({ archived }) => archived ?? []),
      fingerprint: schema.fingerprint,
    },
    files: await recordFiles(batch, feed, { read, earlier, previous: previousFiles }),
  }
}

/** A feed's columns in the form in which the lake archives the schema of a table. */
function schemaOf({ name, key, columns }: Feed): ArchivedSchema {
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

/** Archives and reads the files one after the other. */
async function takeFiles(
  deps: Deps,
  batch: PendingBatch,
  {
    feed,
    table,
    files,
    earlier,
  }: { feed: Feed; table: LakeTable; files: readonly OfferedFile[]; earlier: Relation },
): Promise<TakenFile[]> {
  const read: TakenFile[] = []
  let before = 0
  for (const [index, file] of files.entries()) {
    const hashing = hashFile(file.rawPath)
    // Awaited below. Until then, keep a disk error from becoming an unhandled rejection.
    hashing.catch(() => {})
    const isCopy = await findCopy(batch, { earlier, read, file, hashing })
    const place = { feed, table, file, index, before, isCopy, hashing }
    const taken = await takeFile(deps, batch, place)
    before += taken.span
    read.push(taken)
  }
  return read
}

/** The accepted rows of all files, compared with the table and uploaded. */
interface CapturedRows extends TableChanges {
  readonly inserted: number
  readonly updated: number
  /** Relation of the accepted rows, one for each key, with `_ordinal`. */
  readonly kept: string
}

/**
 * Compares the rows of all files with the table as of the previous batch, and uploads the changes.
 * Dispose of the result once `kept` is read.
 */
async function captureRows(
  batch: PendingBatch,
  table: LakeTable,
  { accepted, previous }: { accepted: readonly RowFile[]; previous: IngestionEntry | undefined },
): Promise<CapturedRows & AsyncDisposable> {
  const { db, zone } = batch
  const state = previous?.state ?? []
  const all = incomingRelation(
    table,
    accepted.map(({ path }) => path),
  )
  return await openTogether(async (keep): Promise<CapturedRows> => {
    if (accepted.length === 0) {
      const kept = `(select *, 0 as _ordinal from ${all})`
      return { changes: [], state: [...state], inserted: 0, updated: 0, kept }
    }
    const hasTwice = await holdsTwice(batch, table, all)
    if (state.length === 0 && !hasTwice) return await captureFirstRows(batch, table, accepted)
    const kept = hasTwice
      ? keep(await db.table(`select * from ${all} ${lastOfEachKey(table)}`)).name
      : all
    await using current = await openState(db, zone, { table, state })
    await using found = await compareRows(db, table, { incoming: kept, state: current.name })
    const { changes, inserted, updated } = found
    const prepared = await prepareTable(batch, table, { changes, rows: inserted + updated, state })
    return { ...prepared, inserted, updated, kept }
  })
}

/**
 * Captures the first rows of a table. They need no comparison, so their files become the change
 * files.
 */
async function captureFirstRows(
  batch: PendingBatch,
  table: LakeTable,
  accepted: readonly RowFile[],
): Promise<CapturedRows> {
  // The disk syncs one file while another gets its checksum.
  const files = await sideBySide([...accepted.entries()], { width: 4 }, ([index, { path, rows }]) =>
    prepareFile(batch, table, { path, rows, index }),
  )
  return {
    changes: files,
    state: extendState([], files),
    inserted: sumRows(files),
    updated: 0,
    kept: incomingRelation(table, await openFiles(batch.zone, files)),
  }
}

/** Whether a relation holds a key twice. */
async function holdsTwice(
  { db }: PendingBatch,
  table: LakeTable,
  relation: string,
): Promise<boolean> {
  const [first = '', ...more] = table.key.map(identifier)
  if (more.length === 0) {
    // If the key rises from row to row, no key occurs twice. This test takes a tenth of the time.
    const { rises } = await db.row<{ rises: boolean | null }>(
      `select bool_and(${first} > before) as rises
       from (select ${first}, lag(${first}) over () as before from ${relation})`,
    )
    if (rises !== false) return false
  }
  const found = await db.rows(
    `select 1 from ${relation} group by ${identifiers(table.key)} having count(*) > 1 limit 1`,
  )
  return found.length > 0
}

/** Puts refused lines into quarantine, and releases the lines that these files have corrected. */
async function quarantineLines(
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
    previous: IngestionEntry | undefined
    /** Names of the files that this batch takes. */
    names: readonly string[]
    /** Local files with the refused lines. */
    refused: readonly string[]
    kept: string
  },
): Promise<{ quarantine: FileRef[]; open: FileRef[]; rows: number }> {
  const open = previous?.open ?? []
  if (open.length + refused.length === 0) return { quarantine: [], open: [], rows: 0 }
  const { db, zone } = batch
  const before = readRefused(await openFiles(zone, open))
  const lines = readRefused(refused)
  const fresh = `select l.* from ${lines} as l anti join ${before} as e using (_key, _content)`
  const quarantine =
    refused.length === 0 ? [] : await prepareQuarantine(batch, table, { refused: fresh })
  await using released = await db.table(selectReleased(table, { before, lines, names, kept }))
  const outcome = await prepareOpen(batch, table, {
    before: open,
    refused: quarantine,
    released: released.name,
  })
  logRefused(deps.log, { batch: batch.number, table: table.name, reasons: outcome.reasons })
  return { quarantine, open: outcome.open, rows: sumRows(quarantine) }
}

/**
 * A select of the keys that leave quarantine: their file was taken again without them, or a later
 * line brought a row with their key.
 */
function selectReleased(
  table: LakeTable,
  {
    before,
    lines,
    names,
    kept,
  }: { before: string; lines: string; names: readonly string[]; kept: string },
): string {
  const again = names.map(duckLiteral).join(', ')
  return `
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
        on q._key = a._key`
}
