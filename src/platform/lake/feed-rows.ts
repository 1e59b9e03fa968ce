import { rm, stat } from 'node:fs/promises'
import { type DuckDb, type DuckDbOptions, openDuckDb } from '../duckdb.ts'
import { ContractError } from '../errors.ts'
import { duckLiteral, identifier, identifiers } from '../sql.ts'
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
import type { Column } from './lake-type.ts'
import { rowText, selectRefused } from './quarantine.ts'
import { type LakeTable, readParquet } from './table-state.ts'
import { keyColumns } from './withheld.ts'

/** What a file is, by the end of its name; each but Parquet may be gzipped (`.gz`). */
export type FileFormat = 'json' | 'jsonl' | 'csv' | 'parquet'

const ENDINGS: Readonly<Record<string, FileFormat>> = {
  json: 'json',
  jsonl: 'jsonl',
  ndjson: 'jsonl',
  csv: 'csv',
  parquet: 'parquet',
}

/** The format of a file by its name, `undefined` for one that is nothing a feed takes. */
export function formatOf(name: string): FileFormat | undefined {
  const [, ending = '', gzip] = /\.([a-z]+)(\.gz)?$/i.exec(name) ?? []
  const format = ENDINGS[ending.toLowerCase()]
  return format === 'parquet' && gzip !== undefined ? undefined : format
}

/** A local file of a feed, unpacked. */
export interface FeedFile {
  /** What it is called where it came from: in quarantine with the line. */
  readonly name: string
  readonly path: string
  readonly format: FileFormat
}

/** A file's rows as local Parquet files. */
export interface FeedRows {
  /** The rows in the lake's types plus the four change columns; ordinals rise with the lines, of which they are the numbers where a row has one line. */
  readonly files: readonly RowFile[]
  /** The lines that are no rows, as `selectRefused` has them. */
  readonly refused: readonly RowFile[]
  /** Lines of the file, the empty ones included: no ordinal is greater. */
  readonly span: number
  /** Names of fields that the feed does not have; they stay in the file alone. */
  readonly unknown: readonly string[]
}

export interface RowFile {
  readonly path: string
  readonly rows: number
}

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

interface Place {
  readonly file: FeedFile
  /** Lines that precede these in the batch. */
  readonly before: number
  readonly path: string
}

type Divided = Omit<FeedRows, 'unknown'>

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

/** A number that may have more digits than a double keeps. */
const LONG_NUMBER = String.raw`-?[0-9][0-9.eE+-]{16,}`

/**
 * Takes lines one by one: those that are rows go into one file, the others into another with their
 * reason. `lines` has the number `n`, the text `t` as it came, the object of its fields `j` where that
 * is another text, and a `fault` where it cannot be read at all; or, with `areFields`, the fields themselves.
 */
async function divide(
  batch: Stamp,
  table: LakeTable,
  {
    file,
    before,
    path,
    lines: from,
    line = 0,
    isCsv = false,
    areFields = false,
  }: Place & { lines: string; line?: number; isCsv?: boolean; areFields?: boolean },
): Promise<Divided> {
  const { db } = batch
  const lines = identifier(`lines of ${table.name}`)
  const names = identifiers(table.columns.map(({ name }) => name))
  const nullKey = table.key.map((name) => `${identifier(name)} is null`).join(' or ')
  // Those of the key first: a key of which any part is at fault names no row.
  const others = table.columns.filter(({ name }) => !table.key.includes(name))
  const faults = [...keyColumns(table), ...others].flatMap((column) => {
    const name = identifier(column.name)
    const found = duckLiteral(column.name)
    const isGiven = isCsv && column.type !== 'VARCHAR' ? `${name} <> ''` : `${name} is not null`
    const lost = areFields ? [] : [`when ${name} is not null and ${isLost(column)} then ${found}`]
    return [...lost, `when ${isGiven} and not coalesce(${fits(column)}, false) then ${found}`]
  })
  const fields = areFields
    ? `(select *, true as is_row, false as is_twice from ${from})`
    : selectFields(table, from)
  try {
    await db.run(`
      create or replace temp table ${lines} as
      select
          ${names}, n + ${line} as _line, t as _text,
          case
              when fault is not null then fault
              when not is_row then 'not_json'
              when is_twice then 'field_twice'
              when ${nullKey} then 'key_missing'
              when _column is not null then 'value_not_exact'
          end as _reason,
          case when fault is null and is_row and not is_twice and not (${nullKey}) then _column end as _column
      from (
          select *, case ${faults.join(' ')} end as _column
          from (select n, t, fault, is_row, is_twice, ${areFields ? '' : 'o, is_long,'} ${withCasts(table)} from ${fields})
      )`)
  } catch (error) {
    throw unreadable(file, describeFault(error))
  }
  const change = `'insert' as _operation, ${stamp(batch)}, ${before - line} + _line as _ordinal`
  const typed = (column: Column) => `try_cast(${identifier(column.name)} as ${column.type})`
  const values = table.columns.map((column) => {
    const name = identifier(column.name)
    const value = column.type === 'BLOB' ? unhex(name) : typed(column)
    return `${isCsv && column.type !== 'VARCHAR' ? `case when ${name} <> '' then ${value} end` : value} as ${name}`
  })
  const rows = await writeParquet(
    db,
    `select ${values.join(', ')}, ${change} from ${lines} where _reason is null order by _line`,
    path,
  )
  const text = table.columns.map(({ name }): Column => ({ name, type: 'VARCHAR' }))
  // A key is given in its type where it can be; a line without one by its number.
  const keys = keyColumns(table).map((column) => ({
    ...column,
    name: `typed ${column.name}`,
    label: column.name,
  }))
  const hasKey = keys.map(({ name }) => `${identifier(name)} is not null`).join(' and ')
  const place = `json_object('file', _file, 'line', _line)::varchar`
  const more = keyColumns(table).map((column) => {
    const isRow = `_reason = 'value_not_exact' and _column is distinct from ${duckLiteral(column.name)}`
    const value =
      column.type === 'BLOB'
        ? `case when ${fits(column)} then ${unhex(identifier(column.name))} end`
        : typed(column)
    return `case when ${isRow} then ${value} end as ${identifier(`typed ${column.name}`)}`
  })
  const select = selectRefused(
    `(select *, ${[change, ...more].join(', ')}, ${duckLiteral(file.name)} as _file
      from ${lines} where _reason is not null)`,
    {
      key: `case when ${hasKey} then ${rowText(keys)} else ${place} end`,
      columns: [
        ...text,
        { name: '_file', type: 'VARCHAR' },
        { name: '_line', type: 'BIGINT' },
        { name: '_text', type: 'VARCHAR' },
      ],
    },
  )
  const refusedPath = `${path}.refused`
  const refused = await writeParquet(db, select, refusedPath)
  const [last] = await db.rows<{ line: bigint | null }>(`select max(_line) as line from ${lines}`)
  await db.run(`drop table ${lines}`)
  if (rows === 0) await rm(path)
  if (refused === 0) await rm(refusedPath)
  return {
    files: rows > 0 ? [{ path, rows }] : [],
    refused: refused > 0 ? [{ path: refusedPath, rows: refused }] : [],
    span: Number(last?.line ?? 0) - line,
  }
}

/** A relation of the fields of lines as text, with `o`, the object they are of. */
function selectFields(table: LakeTable, lines: string): string {
  const names = table.columns.map(({ name }) => name)
  const structure = duckLiteral(
    JSON.stringify(Object.fromEntries(names.map((name) => [name, 'VARCHAR']))),
  )
  const values = names.map((name) => {
    const field = `struct_extract(fields, ${duckLiteral(name)})`
    const digits = numbersOf(name)
    return `case when is_long and len(${digits}) = 1 then ${digits}[1] else ${field} end as ${identifier(name)}`
  })
  const known = `list_filter(json_keys(o), each -> list_contains([${names.map(duckLiteral).join(', ')}], each))`
  return `(
      select n, t, fault, is_row, o, is_long, ${values.join(', ')}, len(${known}) <> len(list_distinct(${known})) as is_twice
      from (
          select *, from_json(case when len(${known}) = len(list_distinct(${known})) then o else '{}' end, ${structure}) as fields
          from (
              select
                  n, t, fault, is_row,
                  case when is_row then coalesce(j, t) else '{}' end as o,
                  is_row and j is null and regexp_matches(t, ${duckLiteral(LONG_NUMBER)}) as is_long
              from (
                  select *, fault is null and coalesce(json_valid(coalesce(j, t)) and json_type(case when json_valid(coalesce(j, t)) then coalesce(j, t) end) = 'OBJECT', false) as is_row
                  from ${lines}
              )
          )
      )
  )`
}

/** SQL of the numbers that follow a field's name in the line, with the digits they stood there with. */
function numbersOf(name: string): string {
  const quoted = JSON.stringify(name).replaceAll(/[.*+?^${}()|[\]\\/]/g, String.raw`\$&`)
  const pattern = String.raw`${quoted}\s*:\s*(-?[0-9][0-9.eE+-]*)`
  return `regexp_extract_all(t, ${duckLiteral(pattern)}, 1)`
}

/** SQL that says whether a number of a line has lost digits when it was read and they cannot be found again. */
function isLost({ name }: Column): string {
  const pointer = `/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`
  const kind = `json_type(o, ${duckLiteral(pointer)})`
  return `is_long and (${kind} in ('OBJECT', 'ARRAY') or ${kind} = 'DOUBLE' and len(${numbersOf(name)}) <> 1)`
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

/** `_batch` and `_captured_at`. */
function stamp({ number, takenAt }: Stamp): string {
  return `${number}::bigint as _batch,
    ${duckLiteral(takenAt)}::timestamptz as _captured_at`
}

/** Every column as text, and beside it what it is in its type, made once for all that ask for it. */
function withCasts({ columns }: LakeTable): string {
  return columns
    .flatMap((column) => {
      const name = identifier(column.name)
      return column.type === 'VARCHAR' || column.type === 'BLOB'
        ? [name]
        : [name, `try_cast(${name} as ${column.type}) as ${castName(column)}`]
    })
    .join(', ')
}

function castName({ name }: Column): string {
  return identifier(`as typed ${name}`)
}

function cast(column: Column): string {
  if (column.type === 'VARCHAR') return identifier(column.name)
  return column.type === 'BLOB' ? unhex(identifier(column.name)) : castName(column)
}

function unhex(text: string): string {
  return `unhex(substr(${text}, 3))`
}

/**
 * SQL that says whether a text is exactly a value of its column's type, and written as one: true,
 * false or null. The cheap answers come first.
 */
function fits(column: Column): string {
  const { name, type } = column
  const text = identifier(name)
  const value = castName(column)
  const scale = /^DECIMAL\(\d+,(\d+)\)$/.exec(type)?.[1]
  if (scale !== undefined) {
    // Up to 15 digits two decimals are the same number if they are the same double.
    const isSame = `${value}::double = try_cast(${text} as double)`
    const isShort = `strlen(${text}) < 16 and ${isSame} and not contains(${text}, '_')`
    return `(case when ${isShort} then true else ${fitsLong({ text, value, scale, isSame })} end)`
  }
  const matches = (pattern: string) =>
    `${value} is not null and regexp_full_match(${text}, ${duckLiteral(pattern)})`
  switch (type) {
    case 'VARCHAR':
      return `not contains(${text}, chr(0))`
    case 'BOOLEAN':
      return `(${value} is not null and strlen(${text}) > 3)`
    case 'DATE':
      return `(strlen(${text}) = 10 and ${value}::varchar = ${text})`
    case 'TIMESTAMP':
      return `(case when ${value}::varchar = ${text} then true else ${matches(`${DAY}[ T]${TIME}`)} end)`
    case 'TIMESTAMPTZ':
      return `(${matches(`${DAY}[ T]${TIME}(Z|[+-][0-9]{2}(:?[0-9]{2})?)`)})`
    case 'TIME':
      return `(${matches(TIME)})`
    case 'FLOAT':
    case 'DOUBLE': {
      const isNamed = `regexp_full_match(lower(${text}), '-?(nan|inf|infinity)')`
      const isKept = `isfinite(${value}) and (${value} <> 0 or not regexp_matches(${text}, '^[^eE]*[1-9]'))`
      return `(${value} is not null and not contains(${text}, '_') and not contains(${text}, ' ') and (${isKept} or ${isNamed}))`
    }
    case 'UUID':
      return `(${value}::varchar = lower(${text}))`
    case 'BLOB':
      return `regexp_full_match(${text}, '\\\\x([0-9a-fA-F]{2})*')`
    default:
      return `(${value}::varchar = ${text})`
  }
}

const DAY = '[0-9]{4}-[0-9]{2}-[0-9]{2}'
/** To the microsecond; zeros may follow. */
const TIME = String.raw`([01][0-9]|2[0-3]):[0-9]{2}:[0-9]{2}(\.[0-9]{1,6}0*)?`

function fitsLong({
  text,
  value,
  scale,
  isSame,
}: Record<'text' | 'value' | 'scale' | 'isSame', string>): string {
  const digits = `length(regexp_replace(regexp_replace(${text}, '[eE].*$', ''), '^-?0*\\.?0*|\\.', '', 'g'))`
  const isPlain = `regexp_full_match(${text}, '-?[0-9]+(\\.[0-9]{0,${scale}}0*)?')`
  const isNumber = `regexp_full_match(${text}, '-?[0-9]+(\\.[0-9]+)?([eE][+-]?[0-9]+)?')`
  return `(${value} is not null and (${isPlain} or ${isNumber} and ${digits} < 16 and ${isSame}))`
}

function unreadable(file: FeedFile, why: string): ContractError {
  return new ContractError(`The file ${file.name} cannot be read: ${why}`, {
    code: 'FILE_UNREADABLE',
    hint: 'correct it and drop it again, under this name or another',
  })
}

/** What is wrong with a file, in words that hold nothing of it. */
function describeFault(error: unknown): string {
  const message = error instanceof Error ? error.message : ''
  if (/Malformed JSON|JSON/i.test(message)) return 'it is no whole JSON'
  if (/parquet|magic bytes|thrift/i.test(message)) return 'it is no whole Parquet file'
  return 'it is not what its name says'
}
