import { rm, stat } from 'node:fs/promises'
import { type DuckDb, type DuckDbOptions, openDuckDb } from '../../io/duckdb.ts'
import { readAhead } from '../../io/read-ahead.ts'
import { duckLiteral, identifier } from '../../io/sql.ts'
import type { Stamp } from '../../lake/batch.ts'
import type { Column } from '../../lake/lake-type.ts'
import { readParquet } from '../../lake/parquet.ts'
import type { LakeTable } from '../../lake/table-state.ts'
import type { WideFormat } from '../../project/source-contract.ts'
import { type Header, readHeader } from './csv-records.ts'
import { type DividedLines, divideLines, type FeedRows, type Place } from './divide-lines.ts'
import {
  describeDuckDbError,
  type FeedFile,
  type FileFormat,
  givenOf,
  limitGiven,
  unreadable,
  withGiven,
} from './format.ts'
import { findPattern, type LinePattern } from './line-pattern.ts'
import { type LineRun, splitLines } from './line-runs.ts'
import { CHUNK_BYTES, isJsonText, isPlainText, MAX_LINE_BYTES, withoutMark } from './lines.ts'
import { readWhole } from './whole-file.ts'
import { isWide, readWide } from './wide-rows.ts'
import { writeLines } from './write-lines.ts'
import { describeSelect } from '../../lake/describe-select.ts'

/** What to read, and where to write the rows. */
export interface ReadOptions {
  readonly file: FeedFile
  /** Lines before this file in the batch. */
  readonly before: number
  /** The start of the name of every file that is made. */
  readonly path: string
  /** What DuckDB may use to read a large file in parts, in addition to what `db` uses. */
  readonly limits?: Pick<DuckDbOptions, 'memoryLimitMb' | 'threads'>
  /** The format of wide CSV files, if the feed takes them. */
  readonly wide?: WideFormat | undefined
}

/**
 * Reads the rows of a file, with fields by name. Each value is converted exactly into the type of
 * its column. Otherwise the line is refused, with its number and a reason: `not_json`, `not_csv`,
 * `not_text` (not UTF-8, or a NUL), `line_too_long`, `field_twice`, `key_missing` or
 * `value_not_exact`. Every digit of a number counts, also in JSON. Throws `ContractError`
 * (`FILE_UNREADABLE`) if the file cannot be read as a whole: it is cut off, is not what its name
 * says, lacks a column of the key, or has a column of the feed twice.
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

/**
 * One database reads a file up to this size. Several databases, one for each thread, read a larger
 * file.
 */
const LARGE_BYTES = 128 * 1024 * 1024

/** The most bytes of a run. With smaller runs, a gigabyte would become dozens of objects. */
const RUN_BYTES = 64 * 1024 * 1024

/**
 * The bytes of a run: as many as make the number of runs a multiple of the threads, so that every
 * database reads equally many and none waits for the last one.
 */
function runBytes(sizeBytes: number, threads: number): number {
  const runs = threads * Math.ceil(sizeBytes / threads / RUN_BYTES)
  // A run ends where the next piece would not fit, so it may be one piece smaller than this.
  return Math.ceil(sizeBytes / Math.max(1, runs)) + CHUNK_BYTES
}

/** Reads JSON lines run by run, so that one bad line does not slow down the other runs. */
async function readJsonLines(
  batch: Stamp,
  table: LakeTable,
  { file, before, path, limits = {} }: ReadOptions,
): Promise<FeedRows> {
  const { memoryLimitMb = 192, threads = 2 } = limits
  const { size } = await stat(file.path)
  // One database numbers its rows with one thread, so a large file uses several databases.
  const isLarge = size > LARGE_BYTES && threads > 1
  const pattern = await findPattern(file, table)
  const runs = splitLines(file.path, {
    target: (index) => `${path}.${index}.jsonl`,
    pattern: pattern?.line,
    maxBytes: runBytes(size, threads),
    smallRuns: isLarge ? threads : 0,
  })
  const made: (DividedLines & { readonly before: number })[] = []
  const unknown = new Set<string>()
  let span = 0
  const takeRun = readAhead(runs)
  const work = async (db: DuckDb): Promise<void> => {
    for (;;) {
      const { value: run, done } = await takeRun()
      if (done === true) return
      span += run.lines
      if (run.before === 0) {
        for (const name of await sampleFields(db, run.path)) unknown.add(name)
      }
      const rows = await readRun({ ...batch, db }, table, { file, before, run, pattern })
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

/** Reads one run: in one pass if all its lines convert exactly, otherwise line by line. */
async function readRun(
  batch: Stamp,
  table: LakeTable,
  {
    file,
    before,
    run,
    pattern,
  }: { file: FeedFile; before: number; run: LineRun; pattern: LinePattern | undefined },
): Promise<DividedLines> {
  const place = { before: before + run.before, path: run.path.replace(/jsonl$/, 'parquet') }
  const typed = run.isMatched ? pattern?.typed : undefined
  const source = readObjects(table, file, jsonOptions(run.path, 'jsonl'), typed)
  const whole = run.isPlain
    ? await readWhole(batch, table, { file, source, typed, ...place })
    : undefined
  if (whole?.span === run.lines - run.emptyLines) return whole
  return await divideFile(batch, table, { file, from: run.path, line: run.before, ...place })
}

/** Runs `work` several times at once. Waits for all of them, then throws the first error. */
async function inParallel(count: number, work: () => Promise<void>): Promise<void> {
  const outcomes = await Promise.allSettled(Array.from({ length: count }, work))
  const failed = outcomes.find((outcome) => outcome.status === 'rejected')
  if (failed !== undefined) throw failed.reason
}

/** Reads CSV. Tries the whole file first, and line by line if any row does not convert. */
async function readCsv(
  batch: Stamp,
  table: LakeTable,
  { file: offered, before, path, wide }: ReadOptions,
): Promise<FeedRows> {
  const header = await readHeader(offered.path)
  if (header === undefined) throw unreadable(offered, 'its first line is not CSV')
  const { fields: titles, line } = header
  const file = limitGiven(offered, titles)
  if (titles.length === 0) return { files: [], refused: [], span: 0, unknown: [] }
  if (wide !== undefined && isWide(titles, wide)) {
    return await readWide(batch, table, { file, before, path, header, wide })
  }
  const names = table.columns.map(({ name }) => name)
  const twice = names.find((name) => titles.indexOf(name) !== titles.lastIndexOf(name))
  if (twice !== undefined) throw unreadable(file, `it has two columns named ${twice}`)
  checkKeyIsThere(file, table, titles)
  // Other columns may have any name, even twice. They only keep their place.
  const fields = titles.map((name, at) => (names.includes(name) ? name : `other ${at}`))
  const some = names.map((name) => {
    const own = titles.includes(name) ? identifier(name) : undefined
    return `${withGiven(own, givenOf(file, name))} as ${identifier(name)}`
  })
  const source = `(select ${some.join(', ')} from read_csv(${duckLiteral(file.path)}, columns = ${struct(fields.map((name) => ({ name, type: 'VARCHAR' })))},
    header = true, skip = ${line - 1}, auto_detect = false, delim = ',', quote = '"', escape = '"', nullstr = '',
    allow_quoted_nulls = false, max_line_size = ${MAX_LINE_BYTES}, buffer_size = ${2 * MAX_LINE_BYTES}))`
  const place = { file, before, path: `${path}.parquet` }
  const unknown = titles.filter((name) => !names.includes(name))
  const whole = (await isPlainText(file.path, 'csv'))
    ? await readWhole(batch, table, { ...place, source, isCsv: true, before: before + line })
    : undefined
  // The header counts as a line too.
  if (whole !== undefined) return { ...whole, span: whole.span + line, unknown }
  const rows = await divideFile(batch, table, { from: file.path, line: 0, header, ...place })
  return { ...rows, unknown }
}

/** Reads one JSON document: an array of objects, or objects one after the other. */
async function readJson(
  batch: Stamp,
  table: LakeTable,
  { file, before, path }: ReadOptions,
): Promise<FeedRows> {
  const bare = await withoutMark(file.path, `${path}.json`)
  const place = { file, before, path: `${path}.parquet` }
  try {
    if (!(await isJsonText(bare))) throw unreadable(file, 'it does not hold JSON objects')
    const fields = await sampleFields(batch.db, bare, 'json').catch((error: unknown) => {
      throw unreadable(file, describeDuckDbError(error))
    })
    const unknown = fields.filter((name) => !table.columns.some((column) => column.name === name))
    const source = readObjects(table, file, jsonOptions(bare, 'json'))
    const rows =
      ((await isPlainText(bare, 'json'))
        ? await readWhole(batch, table, { source, ...place })
        : undefined) ??
      (await divideLines(batch, table, {
        lines: `(
          select row_number() over () as _n, json::varchar as _t, null::varchar as _j, null::varchar as _fault
          from read_json_objects(${jsonOptions(bare, 'json')}))`,
        ...place,
      }))
    return { ...rows, unknown }
  } finally {
    if (bare !== file.path) await rm(bare)
  }
}

/** Reads Parquet. Every value becomes text first, so that one rule decides for all formats. */
async function readParquetRows(
  batch: Stamp,
  table: LakeTable,
  { file: offered, before, path }: ReadOptions,
): Promise<FeedRows> {
  const found = await describeSelect(
    batch.db,
    `select * from ${readParquet([offered.path])}`,
  ).catch((error: unknown) => {
    throw unreadable(offered, describeDuckDbError(error))
  })
  const types = new Map(found.map((column) => [column.name, column.type]))
  const file = limitGiven(offered, [...types.keys()])
  checkKeyIsThere(file, table, [...types.keys()])
  const unknown = [...types.keys()].filter(
    (name) => !table.columns.some((column) => column.name === name),
  )
  const texts = table.columns.map((column) => textOf(column, types.get(column.name)))
  const from = readParquet([file.path])
  const select = (kind: 'strict' | 'lenient') =>
    texts
      .map(
        ({ column, ...text }) =>
          `${withGiven(text[kind], givenOf(file, column))} as ${identifier(column)}`,
      )
      .join(', ')
  const faults = texts.flatMap(({ isLost }) => isLost ?? [])
  const fault = faults.length > 0 ? `case when ${faults.join(' or ')} then 'not_text' end` : 'null'
  const place = { file, before, path: `${path}.parquet` }
  const rows =
    (await readWhole(batch, table, {
      source: `(select ${select('strict')} from ${from})`,
      isChecked: faults.length === 0,
      ...place,
    })) ??
    (await divideLines(batch, table, {
      lines: `(select ${select('lenient')}, row_number() over () as _n,
        null::varchar as _t, ${fault}::varchar as _fault from ${from})`,
      areFields: true,
      ...place,
    }))
  return { ...rows, unknown }
}

/** How to read one column of a Parquet file as text. */
interface ParquetText {
  readonly column: string
  /** SQL of the text. Fails on bytes that are not text. */
  readonly strict?: string
  /** SQL of the text. Null for bytes that are not text. */
  readonly lenient?: string
  /** SQL condition: the value exists, but has no text. */
  readonly isLost?: string
}

/**
 * How a Parquet value becomes text. Bytes without an annotation are text if they are UTF-8, except
 * for a column that takes bytes. Bytes inside a list or a struct have no text.
 */
function textOf({ name, type: wanted }: Column, type: string | undefined): ParquetText {
  const column = identifier(name)
  const same = (sql: string): ParquetText => ({ column: name, strict: sql, lenient: sql })
  if (type === undefined) return { column: name }
  if (type === 'BLOB') {
    if (wanted === 'BLOB') return same(`'\\x' || lower(hex(${column}))`)
    const lenient = `try(decode(${column}))`
    const isLost = `${column} is not null and ${lenient} is null`
    return { column: name, strict: `decode(${column})`, lenient, isLost: `(${isLost})` }
  }
  const isNested = /[[(]/.test(type) && !type.startsWith('DECIMAL') && !type.startsWith('ENUM')
  if (!isNested) return same(`${column}::varchar`)
  if (!/\bBLOB\b/.test(type)) return same(`to_json(${column})::varchar`)
  const isLost = `${column} is not null`
  const strict = `case when ${isLost} then error('bytes')::varchar end`
  return { column: name, strict, lenient: 'null::varchar', isLost: `(${isLost})` }
}

/** Throws unless the file or its folders give every column of the key. */
function checkKeyIsThere(file: FeedFile, table: LakeTable, fields: readonly string[]): void {
  const missing = table.key.find(
    (name) => !fields.includes(name) && givenOf(file, name) === undefined,
  )
  if (missing !== undefined) throw unreadable(file, `it has no column ${missing}`)
}

/** Like `divideLines`, for a file of JSON lines or of CSV records. */
async function divideFile(
  batch: Stamp,
  table: LakeTable,
  { from, line, header, ...place }: Place & { from: string; line: number; header?: Header },
): Promise<DividedLines> {
  const path = `${place.path}.lines`
  try {
    const span = await writeLines(from, path, { header })
    if (span === undefined) throw unreadable(place.file, 'a quote is never closed')
    const rows = await divideLines(batch, table, {
      ...place,
      lines: `(select n as _n, t as _t, j as _j, fault as _fault from read_json(${duckLiteral(path)}, format = 'newline_delimited',
        columns = {n: 'BIGINT', t: 'VARCHAR', j: 'VARCHAR', fault: 'VARCHAR'}, maximum_object_size = ${8 * MAX_LINE_BYTES}))`,
      line,
      isCsv: header !== undefined,
    })
    return { ...rows, span }
  } finally {
    await rm(path, { force: true })
  }
}

/** Names of the fields in the first lines of a file. */
async function sampleFields(
  db: DuckDb,
  path: string,
  format: 'json' | 'jsonl' = 'jsonl',
): Promise<string[]> {
  const from = `read_json(${jsonOptions(path, format)}, sample_size = 1000, ignore_errors = ${format === 'jsonl'},
    map_inference_threshold = -1, maximum_depth = 1)`
  const described = describeSelect(db, `select * from ${from}`)
  const found = await (format === 'jsonl' ? described.catch(() => []) : described)
  // DuckDB names the column of a value that is not an object `json`.
  return found.map(({ name }) => name).filter((name) => name !== 'json')
}

function jsonOptions(path: string, format: 'json' | 'jsonl'): string {
  const layout = format === 'jsonl' ? 'newline_delimited' : 'auto'
  return `${duckLiteral(path)}, format = '${layout}', maximum_object_size = ${MAX_LINE_BYTES}`
}

/** SQL of the fields of a JSON file: `typed` columns in their types, all others as text. */
function readObjects(
  table: LakeTable,
  file: FeedFile,
  options: string,
  typed: ReadonlySet<string> = new Set(),
): string {
  const names = table.columns.map(({ name }) => name)
  const columns = table.columns.map(({ name, type }) => ({
    name,
    type: typed.has(name) ? type : 'VARCHAR',
  }))
  const some = names.map(
    (name) => `${withGiven(identifier(name), givenOf(file, name))} as ${identifier(name)}`,
  )
  return `(select ${some.join(', ')} from read_json(${options}, columns = ${struct(columns)}, records = true))`
}

function struct(columns: readonly Column[]): string {
  return `{${columns.map(({ name, type }) => `${duckLiteral(name)}: '${type}'`).join(', ')}}`
}
