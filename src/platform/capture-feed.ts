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
import { checkNotTaken } from './lake/batch-log.ts'
import { extendState, prepareState } from './lake/checkpoint.ts'
import {
  type FileRef,
  NO_ROWS,
  standStill,
  sumRows,
  type TableEntry,
} from './lake/commit-record.ts'
import { type FileFormat, valuesOfFolders } from './lake/feed-file.ts'
import type { RowFile } from './lake/feed-divide.ts'
import { readFeedFile } from './lake/feed-rows.ts'
import {
  logRefused,
  prepareOpen,
  prepareQuarantine,
  readRefused,
  rowText,
  selectRefused,
} from './lake/quarantine.ts'
import { lakeTable, parsedTable, prepareSchema } from './lake/schema.ts'
import { lastOfEachKey, type LakeTable, openState } from './lake/table-state.ts'
import { keyColumns } from './lake/withheld.ts'
import { hashFile, keyPart, openFiles, padBatch } from './lake/zone.ts'
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
  /** A local copy as it came. */
  readonly rawPath: string
  /** The rows in it, unpacked or made of it; undefined where nothing can be read of it. */
  readonly rows: { readonly path: string; readonly format: FileFormat } | undefined
  /** Values for columns that its rows lack, taken from the names of its folders. */
  readonly given: Readonly<Record<string, string | null>>
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

interface TakenFile {
  readonly file: OfferedFile
  readonly sha256: string
  readonly outcome: FileOutcome
  /** The file in the ingestion zone, where it was archived. */
  readonly archived: FileRef | undefined
  readonly files: readonly RowFile[]
  /** Local files of refused lines. */
  readonly refusals: readonly string[]
  /** Lines that were read; a file refused as a whole counts as one. */
  readonly lines: number
  readonly refusedLines: number
  /** No ordinal of the file is greater than those of the files before it and this. */
  readonly span: number
}

async function takeFile(
  deps: Deps,
  batch: PendingBatch,
  {
    feed,
    table,
    file,
    index,
    before,
    isCopy,
    hashing,
  }: {
    feed: Feed
    table: LakeTable
    file: OfferedFile
    index: number
    before: number
    isCopy: boolean
    hashing: Promise<string>
  },
): Promise<TakenFile> {
  const nothing = {
    file,
    sha256: '',
    archived: undefined,
    files: [],
    refusals: [],
    lines: 0,
    refusedLines: 0,
    span: 0,
  }
  if (isCopy) return { ...nothing, sha256: await hashing, outcome: 'copy' }
  if (file.sizeBytes === 0) return { ...nothing, sha256: await hashing, outcome: 'empty' }
  const ending = /(\.[a-z]+)?(\.gz)?$/i.exec(file.name)?.[0].toLowerCase() ?? ''
  const key =
    `raw/${keyPart(table.name)}/tidemark_date=${batch.takenAt.slice(0, 10)}/` +
    `${padBatch(batch.number)}-${batch.attempt}-${index}${ending}`
  const path = join(batch.db.scratchDir, `${batch.attempt}-${index}`)
  const { rows } = file
  await checkNotTaken(batch.zone, batch.number)
  // Its lines are read while it is archived; nothing of them is uploaded before it is.
  const [uploaded, hashed, found] = await Promise.allSettled([
    batch.zone.store.uploadIfAbsent(batch.zone.prefix + key, file.rawPath),
    hashing,
    rows === undefined
      ? undefined
      : readFeedFile(batch, table, {
          file: { name: file.name, given: file.given, ...rows },
          before,
          path,
          limits: deps.limits,
          wide: feed.wide,
        }),
  ])
  if (uploaded.status === 'rejected') throw uploaded.reason
  if (hashed.status === 'rejected') throw hashed.reason
  const sha256 = hashed.value
  const archived: FileRef = { key, rows: 0, bytes: file.sizeBytes, sha256 }
  const refuseWhole = async (reason: string): Promise<TakenFile> => {
    const whole = `${path}.refused.parquet`
    await writeWholeRefusal(batch, {
      file,
      path: whole,
      reason,
      archived: key,
      ordinal: before + 1,
    })
    return {
      ...nothing,
      sha256,
      archived,
      outcome: 'refused',
      refusals: [whole],
      lines: 1,
      refusedLines: 1,
      span: 1,
    }
  }
  if (found.status === 'rejected') {
    const error: unknown = found.reason
    if (!(error instanceof ContractError && error.code === 'FILE_UNREADABLE')) throw error
  }
  if (found.status === 'rejected' || found.value === undefined) {
    return await refuseWhole('not_readable')
  }
  const { files, refused, span, unknown, absent = 0 } = found.value
  const refusedLines = sumRows(refused)
  const lines = sumRows(files) + refusedLines
  if (unknown.length > 0) {
    const fields = unknown.slice(0, MAX_NAMED).map((name) => name.slice(0, MAX_NAMED))
    deps.log({ event: 'fields_ignored', table: table.name, file: file.name, fields })
  }
  if (absent > 0) {
    deps.log({ event: 'cells_absent', table: table.name, file: file.name, cells: absent })
  }
  const refusals = refused.map((each) => each.path)
  if (
    refusedLines > deps.limits.quarantineRows &&
    refusedLines > lines * deps.limits.quarantineShare
  ) {
    for (const each of [...files, ...refused]) await rm(each.path)
    return await refuseWhole('too_many_rejected')
  }
  return { file, sha256, outcome: 'taken', archived, files, refusals, lines, refusedLines, span }
}

/** Of the fields that a feed does not have, no more are named, and none with more characters. */
const MAX_NAMED = 50

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
async function openRegister(
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
async function findCopy(
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

async function recordFiles(
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
