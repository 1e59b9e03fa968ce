import { createHash } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Deps } from './deps.ts'
import { ContractError } from './errors.ts'
import {
  compareRows,
  incomingRelation,
  type PendingBatch,
  prepareChanges,
  prepareFile,
  writeParquet,
} from './lake/capture.ts'
import { prepareState } from './lake/checkpoint.ts'
import {
  type FileRef,
  NO_ROWS,
  type StateFile,
  sumRows,
  type TableEntry,
} from './lake/commit-record.ts'
import { type FeedRows, type FileFormat, readFeedFile } from './lake/feed-rows.ts'
import {
  logRefused,
  prepareOpen,
  prepareQuarantine,
  readRefused,
  rowText,
  selectRefused,
} from './lake/quarantine.ts'
import { lakeTable, prepareSchema } from './lake/schema.ts'
import { lastOfEachKey, type LakeTable, openState } from './lake/table-state.ts'
import { keyColumns } from './lake/withheld.ts'
import { keyPart, openFiles, padBatch, uploadFile } from './lake/zone.ts'
import { type Feed, filesOf } from './project.ts'
import { duckLiteral, identifier, identifiers } from './sql.ts'

/** A file at hand, as it came; taken when the batch that names it is committed. */
export interface OfferedFile {
  /** Where it came from, for people: `exchange_rate/july.csv`, `https://…`. */
  readonly name: string
  readonly version: string
  /** ISO 8601 UTC. */
  readonly modifiedAt: string
  readonly sizeBytes: number
  readonly sha256: string
  /** A local copy as it came. */
  readonly rawPath: string
  /** The rows in it, unpacked or made of it; undefined where nothing can be read of it. */
  readonly rows: { readonly path: string; readonly format: FileFormat } | undefined
}

/**
 * What becomes of a file: `taken`, of which single lines may be in quarantine; `copy` of a file that
 * was taken under another name; `empty`; `refused` as a whole, for being unreadable or for too many bad lines.
 */
export type FileOutcome = 'taken' | 'copy' | 'empty' | 'refused'

export interface FeedCapture {
  readonly feed: Feed
  readonly files: readonly OfferedFile[]
  readonly previous: TableEntry | undefined
  readonly previousFiles: TableEntry | undefined
}

/**
 * The entries of a feed and of the table of its files, with these files taken in their order: of two
 * rows with one key the later line is the one that counts. Every file is archived as it came before
 * anything is made of it. A line that is no row goes to quarantine with its number, and all others
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
  const read: TakenFile[] = []
  let before = 0
  for (const [index, file] of files.entries()) {
    const known = await findKnown(batch, feed, { previousFiles, read, file })
    const taken = await takeFile(deps, batch, { table, file, index, before, isCopy: known })
    before += taken.lines
    read.push(taken)
  }
  const accepted = read.flatMap(({ rows }) => (rows === undefined ? [] : [rows.path]))
  const refused = read.flatMap(({ refusals }) => refusals)
  const { entry, accepted: kept } = await captureRows(batch, table, { accepted, previous })
  const names = read.filter(({ outcome }) => outcome !== 'copy').map(({ file }) => file.name)
  const refusal = await refuse(deps, batch, { table, previous, names, refused, kept })
  for (const path of [...accepted, ...refused]) await rm(path, { force: true })
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
      fingerprint: shape.fingerprint,
    },
    files: await recordFiles(batch, feed, { read, previous: previousFiles }),
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

interface TakenFile {
  readonly file: OfferedFile
  readonly outcome: FileOutcome
  /** Key of the file in the ingestion zone, where it was archived. */
  readonly archived: string | undefined
  readonly rows: FeedRows | undefined
  /** Local files of refused lines. */
  readonly refusals: readonly string[]
  /** Lines that were read; a file refused as a whole counts as one. */
  readonly lines: number
  readonly refusedLines: number
}

async function takeFile(
  deps: Deps,
  batch: PendingBatch,
  {
    table,
    file,
    index,
    before,
    isCopy,
  }: { table: LakeTable; file: OfferedFile; index: number; before: number; isCopy: boolean },
): Promise<TakenFile> {
  const nothing = {
    file,
    archived: undefined,
    rows: undefined,
    refusals: [],
    lines: 0,
    refusedLines: 0,
  }
  if (isCopy) return { ...nothing, outcome: 'copy' }
  if (file.sizeBytes === 0) return { ...nothing, outcome: 'empty' }
  const ending = /(\.[a-z]+)?(\.gz)?$/i.exec(file.name)?.[0].toLowerCase() ?? ''
  const key =
    `raw/${keyPart(table.name)}/date=${batch.takenAt.slice(0, 10)}/` +
    `${padBatch(batch.number)}-${batch.attempt}-${index}${ending}`
  await uploadFile(batch.zone, key, { path: file.rawPath, rows: 0 })
  const refuseWhole = async (reason: string): Promise<TakenFile> => {
    const path = join(batch.db.scratchDir, `${batch.attempt}-${index}.refused.parquet`)
    await writeWholeRefusal(batch, { file, path, reason, archived: key, ordinal: before + 1 })
    return {
      ...nothing,
      archived: key,
      outcome: 'refused',
      refusals: [path],
      lines: 1,
      refusedLines: 1,
    }
  }
  if (file.rows === undefined) return await refuseWhole('not_readable')
  const path = join(batch.db.scratchDir, `${batch.attempt}-${index}.parquet`)
  let rows: FeedRows
  try {
    const { path: from, format } = file.rows
    rows = await readFeedFile(batch, table, {
      file: { name: file.name, path: from, format },
      before,
      path,
    })
  } catch (error) {
    if (error instanceof ContractError && error.code === 'FILE_UNREADABLE') {
      return await refuseWhole('not_readable')
    }
    throw error
  }
  const refusedLines = rows.refused?.rows ?? 0
  const lines = rows.rows + refusedLines
  if (rows.unknown.length > 0) {
    deps.log({ event: 'fields_ignored', table: table.name, file: file.name, fields: rows.unknown })
  }
  if (
    refusedLines > deps.limits.quarantineRows &&
    refusedLines > lines * deps.limits.quarantineShare
  ) {
    await rm(path)
    if (rows.refused !== undefined) await rm(rows.refused.path)
    return await refuseWhole('too_many_rejected')
  }
  const refusals = rows.refused === undefined ? [] : [rows.refused.path]
  return { file, outcome: 'taken', archived: key, rows, refusals, lines, refusedLines }
}

/** One entry of quarantine for a file of which nothing was taken. */
async function writeWholeRefusal(
  { db, number, takenAt }: PendingBatch,
  {
    file,
    path,
    reason,
    archived,
    ordinal,
  }: { file: OfferedFile; path: string; reason: string; archived: string; ordinal: number },
): Promise<void> {
  const columns = ['_file', '_archived'].map((name) => ({ name, type: 'VARCHAR' }))
  const row = `(select
      ${number}::bigint as _batch, ${duckLiteral(takenAt)}::timestamptz as _captured_at,
      ${ordinal} as _ordinal, 'insert' as _operation, null as _column,
      ${duckLiteral(reason)} as _reason, ${duckLiteral(file.name)} as _file,
      ${duckLiteral(archived)} as _archived)`
  const key = `json_object('file', _file)::varchar`
  await writeParquet(db, selectRefused(row, { key, columns }), path)
}

/** Compares the rows of all files with the table as it stood. */
async function captureRows(
  batch: PendingBatch,
  table: LakeTable,
  { accepted, previous }: { accepted: readonly string[]; previous: TableEntry | undefined },
): Promise<{ entry: TableEntry; accepted: string }> {
  const { db } = batch
  const state = previous?.state ?? []
  const blank: TableEntry = {
    rows: 0,
    open: [],
    state: [],
    ...previous,
    counts: NO_ROWS,
    changes: [],
    quarantine: [],
  }
  if (accepted.length === 0) {
    return {
      entry: blank,
      accepted: `(select *, 0 as _ordinal from ${incomingRelation(table, [])})`,
    }
  }
  const all = incomingRelation(table, accepted)
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
    for (const path of accepted) {
      const rows = await countParquet(batch, path)
      if (rows > 0) files.push(await prepareFile(batch, table, { path, rows, index: files.length }))
    }
    const inserted = sumRows(files)
    return {
      entry: {
        ...blank,
        counts: { ...NO_ROWS, inserted },
        changes: files,
        state: files.map(asBase),
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
  const role = state.length === 0 ? 'base' : 'change'
  const next = [...state, ...changes.map((file): StateFile => ({ ...file, role }))]
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

function asBase(file: FileRef): StateFile {
  return { ...file, role: 'base' }
}

async function holdsTwice(
  { db }: PendingBatch,
  table: LakeTable,
  relation: string,
): Promise<boolean> {
  const found = await db.rows(
    `select 1 from ${relation} group by ${identifiers(table.key)} having count(*) > 1 limit 1`,
  )
  return found.length > 0
}

async function countParquet({ db }: PendingBatch, path: string): Promise<number> {
  const [found] = await db.rows<{ rows: bigint }>(
    `select num_rows as rows from parquet_file_metadata(${duckLiteral(path)})`,
  )
  return Number(found?.rows)
}

/** Puts refused lines into quarantine, and settles what these files or their rows have mended. */
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

/** Whether a file that was never seen under its name holds what was taken under another. */
async function findKnown(
  { db, zone }: PendingBatch,
  feed: Feed,
  {
    previousFiles,
    read,
    file,
  }: { previousFiles: TableEntry | undefined; read: readonly TakenFile[]; file: OfferedFile },
): Promise<boolean> {
  const isTaken = (taken: TakenFile) =>
    taken.outcome === 'taken' && taken.file.sha256 === file.sha256
  if (read.some(isTaken)) return true
  const table = filesTable(feed)
  const relation = `files of ${feed.name}`
  await openState(db, zone, { relation, table, state: previousFiles?.state ?? [] })
  const found = await db.rows<{ file: string }>(
    `select file from ${identifier(relation)}
     where file = ${duckLiteral(file.name)} or (sha256 = ${duckLiteral(file.sha256)} and outcome = 'taken')`,
  )
  // Under its own name it says something new, even if it says what it said once before.
  return found.length > 0 && found.every((each) => each.file !== file.name)
}

async function recordFiles(
  batch: PendingBatch,
  feed: Feed,
  { read, previous }: { read: readonly TakenFile[]; previous: TableEntry | undefined },
): Promise<TableEntry> {
  const { db } = batch
  const table = filesTable(feed)
  const rows = read.map(({ file, outcome, lines, refusedLines, archived }) => [
    file.name,
    file.version,
    file.modifiedAt,
    file.sizeBytes,
    file.sha256,
    outcome,
    lines,
    refusedLines,
    archived,
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
  const known = { state: `state of ${table.name}`, changes: `changes of ${table.name}` }
  const state = previous?.state ?? []
  await openState(db, batch.zone, { relation: known.state, table, state })
  const { inserted, updated } = await compareRows(db, table, { incoming, ...known })
  const changes = await prepareChanges(batch, table, {
    changes: known.changes,
    rows: inserted + updated,
  })
  const role = state.length === 0 ? 'base' : 'change'
  const next = [...state, ...changes.map((file): StateFile => ({ ...file, role }))]
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
  { db, zone }: Pick<PendingBatch, 'db' | 'zone'>,
  feed: Feed,
  previous: TableEntry | undefined,
): Promise<ReadonlyMap<string, string>> {
  if (previous === undefined) return new Map()
  const relation = `files of ${feed.name}`
  await openState(db, zone, { relation, table: filesTable(feed), state: previous.state })
  const rows = await db.rows<{ file: string; version: string }>(
    `select file, version from ${identifier(relation)}`,
  )
  return new Map(rows.map(({ file, version }) => [file, version]))
}
