import { rm, stat } from 'node:fs/promises'
import { type DuckDb, type DuckDbOptions, openDuckDb } from '../duckdb.ts'
import { duckLiteral, identifier } from '../sql.ts'
import { type Stamp, writeParquet } from './capture.ts'
import {
  isJsonText,
  isPlainText,
  MAX_LINE_BYTES,
  readHeader,
  splitLines,
  withoutMark,
  writeLines,
} from './feed-lines.ts'
import { type Divided, divide, type FeedRows, type Place, stamp } from './feed-divide.ts'
import { cast, fits, withCasts } from './feed-exact.ts'
import { describeFault, type FeedFile, type FileFormat, unreadable } from './feed-file.ts'
import { type LakeTable, readParquet } from './table-state.ts'

export interface ReadOptions {
  readonly file: FeedFile
  /** Lines that precede the file's in the batch. */
  readonly before: number
  /** What the names of all files made begin with. */
  readonly path: string
  /** What DuckDB may use where a large file is read in parts, beside what `db` may. */
  readonly limits?: Pick<DuckDbOptions, 'memoryLimitMb' | 'threads'>
}

/**
 * Reads a file's rows: fields by name, each value exactly in its column's type or the line is
 * refused with its number: `not_json`, `not_csv`, `not_text` (no UTF-8, or a NUL), `line_too_long`,
 * `field_twice`, `key_missing`, `value_not_exact`. Every digit of a number counts, in JSON too. Throws `ContractError`
 * (`FILE_UNREADABLE`) when the file as a whole cannot be read: cut off, not what its name says,
 * without a column of the key or with one of the feed's twice.
 */
export async function readFeedFile(
  batch: Stamp,
  table: LakeTable,
  options: ReadOptions,
): Promise<FeedRows> {
  return await READERS[options.file.format](batch, table, options)
}

const READERS: Readonly<Record<FileFormat, typeof readFeedFile>> = {
  jsonl: readJsonLines,
  csv: readCsv,
  json: readJson,
  parquet: readParquetRows,
}

/** Below this a file is read in one piece. */
const RUN_BYTES = 128 * 1024 * 1024

async function readJsonLines(
  batch: Stamp,
  table: LakeTable,
  { file, before, path, limits = {} }: ReadOptions,
): Promise<FeedRows> {
  const { memoryLimitMb = 192, threads = 2 } = limits
  const { size } = await stat(file.path)
  const runs = splitLines(file.path, { target: (index) => `${path}.${index}.jsonl` })
  const made: (Divided & { readonly before: number })[] = []
  const unknown = new Set<string>()
  let span = 0
  // Rows are numbered one after the other: in several databases at once, one thread each.
  const isLarge = size > RUN_BYTES && threads > 1
  const work = async (db: DuckDb): Promise<void> => {
    for (;;) {
      const { value: run, done } = await runs.next()
      if (done === true) return
      span += run.lines
      if (run.before === 0) {
        for (const name of await sampleFields(db, run.path)) unknown.add(name)
      }
      const place = { before: before + run.before, path: run.path.replace(/jsonl$/, 'parquet') }
      const source = `read_json(${jsonOptions(run.path, 'jsonl')}, columns = ${textColumns(table)}, records = true)`
      const whole = run.isPlain
        ? await readWhole({ ...batch, db }, table, { file, source, ...place })
        : undefined
      const lines = run.lines - run.emptyLines
      const rows =
        whole !== undefined && whole.span === lines
          ? whole
          : await divideLines({ ...batch, db }, table, {
              file,
              from: run.path,
              line: run.before,
              ...place,
            })
      made.push({ ...rows, before: run.before })
      await rm(run.path)
    }
  }
  const workOnOwn = async (): Promise<void> => {
    await using db = await openDuckDb({
      scratchDir: batch.db.scratchDir,
      memoryLimitMb: Math.floor(memoryLimitMb / threads),
      threads: 1,
    })
    await work(db)
  }
  try {
    if (isLarge) await inParallel(threads, workOnOwn)
    else await work(batch.db)
  } finally {
    await runs.return(undefined)
  }
  made.sort((a, b) => a.before - b.before)
  for (const { name } of table.columns) unknown.delete(name)
  return {
    files: made.flatMap(({ files }) => files),
    refused: made.flatMap(({ refused }) => refused),
    span,
    unknown: [...unknown],
  }
}

/** Waits for all of them before it throws what one of them threw. */
async function inParallel(count: number, work: () => Promise<void>): Promise<void> {
  const outcomes = await Promise.allSettled(Array.from({ length: count }, work))
  const failed = outcomes.find((outcome) => outcome.status === 'rejected')
  if (failed !== undefined) throw failed.reason
}

async function readCsv(
  batch: Stamp,
  table: LakeTable,
  { file, before, path }: ReadOptions,
): Promise<FeedRows> {
  const header = await readHeader(file.path)
  if (header === undefined) throw unreadable(file, 'its first line is no CSV')
  const nothing = { files: [], refused: [], span: 0, unknown: [] }
  if (header.length === 0) return nothing
  const names = table.columns.map(({ name }) => name)
  const twice = names.find((name) => header.indexOf(name) !== header.lastIndexOf(name))
  if (twice !== undefined) throw unreadable(file, `it has two columns ${twice}`)
  checkKeyIsThere(file, table, header)
  // Others may be called anything, twice too: they only take their place.
  const fields = header.map((name, at) => (names.includes(name) ? name : `other ${at}`))
  const some = names.map((name) =>
    header.includes(name) ? identifier(name) : `null::varchar as ${identifier(name)}`,
  )
  const source = `(select ${some.join(', ')} from read_csv(${duckLiteral(file.path)}, columns = ${struct(fields)},
    header = true, auto_detect = false, delim = ',', quote = '"', escape = '"', nullstr = '',
    allow_quoted_nulls = false, max_line_size = ${MAX_LINE_BYTES}, buffer_size = ${2 * MAX_LINE_BYTES}))`
  const place = { file, before, path: `${path}.parquet` }
  const unknown = header.filter((name) => !names.includes(name))
  const whole = (await isPlainText(file.path, 'csv'))
    ? await readWhole(batch, table, { ...place, source, isCsv: true, before: before + 1 })
    : undefined
  if (whole !== undefined) {
    // The header is a line.
    return { ...whole, span: whole.span + 1, unknown }
  }
  const rows = await divideLines(batch, table, { from: file.path, line: 0, header, ...place })
  return { ...rows, unknown }
}

async function readJson(
  batch: Stamp,
  table: LakeTable,
  { file, before, path }: ReadOptions,
): Promise<FeedRows> {
  const bare = await withoutMark(file.path, `${path}.json`)
  const place = { file, before, path: `${path}.parquet` }
  try {
    if (!(await isJsonText(bare))) throw unreadable(file, 'it is no JSON of objects')
    const fields = await sampleFields(batch.db, bare, 'json').catch((error: unknown) => {
      throw unreadable(file, describeFault(error))
    })
    const unknown = fields.filter((name) => !table.columns.some((column) => column.name === name))
    const source = `read_json(${jsonOptions(bare, 'json')}, columns = ${textColumns(table)}, records = true)`
    const rows =
      ((await isPlainText(bare, 'json'))
        ? await readWhole(batch, table, { source, ...place })
        : undefined) ??
      (await divide(batch, table, {
        lines: `(
          select row_number() over () as n, json::varchar as t, null::varchar as j, null::varchar as fault
          from read_json_objects(${jsonOptions(bare, 'json')}))`,
        ...place,
      }))
    return { ...rows, unknown }
  } finally {
    if (bare !== file.path) await rm(bare)
  }
}

async function readParquetRows(
  batch: Stamp,
  table: LakeTable,
  { file, before, path }: ReadOptions,
): Promise<FeedRows> {
  const found = await batch.db
    .rows<{ column_name: string; column_type: string }>(
      `select column_name, column_type from (describe select * from ${readParquet([file.path])})`,
    )
    .catch((error: unknown) => {
      throw unreadable(file, describeFault(error))
    })
  const types = new Map(found.map((row) => [row.column_name, row.column_type]))
  checkKeyIsThere(file, table, [...types.keys()])
  const texts = table.columns.map(({ name }) => {
    const column = identifier(name)
    return `${textOf(column, types.get(name))} as ${column}`
  })
  const unknown = [...types.keys()].filter(
    (name) => !table.columns.some((column) => column.name === name),
  )
  const source = `(select ${texts.join(', ')} from ${readParquet([file.path])})`
  const place = { file, before, path: `${path}.parquet` }
  const rows =
    (await readWhole(batch, table, { source, isChecked: true, ...place })) ??
    (await divide(batch, table, {
      lines: `(select *, row_number() over () as n, null::varchar as t, null::varchar as j, null::varchar as fault from ${source})`,
      areFields: true,
      ...place,
    }))
  return { ...rows, unknown }
}

/** SQL of a Parquet value as the text that stands for it. */
function textOf(column: string, type: string | undefined): string {
  if (type === undefined) return 'null::varchar'
  if (type === 'BLOB') return `'\\x' || lower(hex(${column}))`
  return /[[(]/.test(type) && !type.startsWith('DECIMAL')
    ? `to_json(${column})::varchar`
    : `${column}::varchar`
}

function checkKeyIsThere(file: FeedFile, table: LakeTable, fields: readonly string[]): void {
  const missing = table.key.find((name) => !fields.includes(name))
  if (missing !== undefined) throw unreadable(file, `it has no column ${missing}`)
}

/**
 * Reads fields, which are all text, as rows in one pass; undefined where one of them is none or has
 * no exact form: which one it is has to be found line by line.
 */
async function readWhole(
  batch: Stamp,
  table: LakeTable,
  {
    source,
    before,
    path,
    isCsv = false,
    isChecked = false,
  }: Place & { source: string; isCsv?: boolean; isChecked?: boolean },
): Promise<Divided | undefined> {
  const values = table.columns.map((column) => {
    const name = identifier(column.name)
    const isNone = isCsv && column.type === 'BLOB'
    return `${isNone ? `case when ${name} <> '' then ${cast(column)} end` : cast(column)} as ${name}`
  })
  const checks = table.columns.flatMap((column) => {
    const name = identifier(column.name)
    if (table.key.includes(column.name)) {
      return column.type === 'VARCHAR' && !isChecked ? [`${name} is not null`] : [fits(column)]
    }
    if (column.type === 'VARCHAR' && !isChecked) return []
    return [`(${name} is null or ${isCsv ? `${name} = '' or ` : ''}${fits(column)})`]
  })
  try {
    const rows = await writeParquet(
      batch.db,
      // All of a row at once, and beside its values: no value is copied for being looked at.
      `select ${values.join(', ')}, case when ${checks.join(' and ')} then 'insert' else error('inexact') end as _operation,
          ${stamp(batch)}, ${before} + row_number() over () as _ordinal
       from (select ${withCasts(table)} from ${source})`,
      path,
    )
    return { files: [{ path, rows }], refused: [], span: rows }
  } catch {
    // It is read again, whatever it was.
    await rm(path, { force: true })
    return undefined
  }
}

/** As `divide`, of lines of JSON or records of CSV. */
async function divideLines(
  batch: Stamp,
  table: LakeTable,
  {
    from,
    line,
    header,
    ...place
  }: Place & { from: string; line: number; header?: readonly string[] },
): Promise<Divided> {
  const path = `${place.path}.lines`
  try {
    const span = await writeLines(from, path, { header })
    if (span === undefined) throw unreadable(place.file, 'a quote is never closed')
    const rows = await divide(batch, table, {
      ...place,
      lines: `(select n, t, j, fault from read_json(${duckLiteral(path)}, format = 'newline_delimited',
        columns = {n: 'BIGINT', t: 'VARCHAR', j: 'VARCHAR', fault: 'VARCHAR'}, maximum_object_size = ${8 * MAX_LINE_BYTES}))`,
      line,
      isCsv: header !== undefined,
    })
    return { ...rows, span }
  } finally {
    await rm(path, { force: true })
  }
}

/** Names of the fields that the first lines of a file have. */
async function sampleFields(
  db: DuckDb,
  path: string,
  format: 'json' | 'jsonl' = 'jsonl',
): Promise<string[]> {
  const from = `read_json(${jsonOptions(path, format)}, sample_size = 1000, ignore_errors = ${format === 'jsonl'},
    map_inference_threshold = -1, maximum_depth = 1)`
  const describe = `select column_name from (describe select * from ${from})`
  const found =
    format === 'jsonl'
      ? await db.rows<{ column_name: string }>(describe).catch(() => [])
      : await db.rows<{ column_name: string }>(describe)
  // What is no object has one unnamed column.
  return found.map((row) => row.column_name).filter((name) => name !== 'json')
}

function jsonOptions(path: string, format: 'json' | 'jsonl'): string {
  const shape = format === 'jsonl' ? 'newline_delimited' : 'auto'
  return `${duckLiteral(path)}, format = '${shape}', maximum_object_size = ${MAX_LINE_BYTES}`
}

function textColumns({ columns }: LakeTable): string {
  return struct(columns.map(({ name }) => name))
}

function struct(names: readonly string[]): string {
  return `{${names.map((name) => `${duckLiteral(name)}: 'VARCHAR'`).join(', ')}}`
}
