import { rm } from 'node:fs/promises'
import type { DuckDb } from '../duckdb.ts'
import { ContractError } from '../errors.ts'
import { duckLiteral, identifier, identifiers } from '../sql.ts'
import { type Stamp, writeParquet } from './capture.ts'
import { type Column, isReadAsNumber } from './lake-type.ts'
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
  /** The rows in the lake's types plus the four change columns; ordinals are line numbers. */
  readonly path: string
  readonly rows: number
  /** The lines that are no rows, as `selectRefused` has them, if there are any. */
  readonly refused: { readonly path: string; readonly rows: number } | undefined
  /** Names of fields that the feed does not have; they stay in the file alone. */
  readonly unknown: readonly string[]
}

/**
 * Reads a file's rows: fields by name, each value exactly in its column's type or the line is
 * refused with its number (`not_json`, `key_missing`, `value_not_exact`). A number in JSON counts as exact up to 15
 * significant digits, which is what every writer of JSON keeps; more must be a string. `before` rows precede the file in the
 * batch. Throws `ContractError` (`FILE_UNREADABLE`) when the file as a whole cannot be read: cut off,
 * not what its name says, without a column of the key.
 */
export async function readFeedFile(
  batch: Stamp,
  table: LakeTable,
  { file, before, path }: { file: FeedFile; before: number; path: string },
): Promise<FeedRows> {
  const { db } = batch
  const fields = await findFields(db, file)
  const unknown = fields.filter((name) => !table.columns.some((column) => column.name === name))
  const missing = table.key.find((name) => fields.length > 0 && !fields.includes(name))
  // In JSON each line has fields of its own, and those sampled may lack some.
  const isFixed = file.format === 'csv' || file.format === 'parquet'
  if (missing !== undefined && isFixed) throw unreadable(file, `it has no column ${missing}`)
  const present = table.columns.map((column) => ({
    column,
    isThere: !isFixed || fields.includes(column.name),
  }))
  const values = present.map(({ column, isThere }) => {
    const name = identifier(column.name)
    return isThere ? `${exactly(column)} as ${name}` : `null::${column.type} as ${name}`
  })
  const change = `'insert' as _operation, ${batch.number}::bigint as _batch,
    ${duckLiteral(batch.takenAt)}::timestamptz as _captured_at,
    ${before} + row_number() over () as _ordinal`
  try {
    const rows = await writeParquet(
      db,
      `select ${values.join(', ')}, ${change} from ${selectFields(file, table, fields)}`,
      path,
    )
    const keys = table.key.map((name) => `${identifier(name)} is null`).join(' or ')
    const [hit] = await db.rows<{ rows: bigint }>(
      `select count(*) as rows from ${readParquet([path])} where ${keys}`,
    )
    if (hit?.rows === 0n) return { path, rows, refused: undefined, unknown }
  } catch {
    // Whichever line it was: they are looked at one by one.
  }
  await rm(path, { force: true })
  return { ...(await divideLines(batch, table, { file, fields, before, path })), unknown }
}

/** Every line by itself: those that are rows in one file, the others in another with their reason. */
async function divideLines(
  batch: Stamp,
  table: LakeTable,
  {
    file,
    fields,
    before,
    path,
  }: { file: FeedFile; fields: readonly string[]; before: number; path: string },
): Promise<Omit<FeedRows, 'unknown'>> {
  const { db } = batch
  const lines = identifier(`lines of ${table.name}`)
  const names = identifiers(table.columns.map(({ name }) => name))
  const nullKey = table.key.map((name) => `${identifier(name)} is null`).join(' or ')
  const faults = table.columns.map((column) => {
    const name = identifier(column.name)
    return `when ${name} is not null and not ${fits(column, '_text')} then ${duckLiteral(column.name)}`
  })
  try {
    await db.run(`
      create or replace temp table ${lines} as
      select
          ${names}, _line, _text,
          case
              when not _is_row then ${duckLiteral(file.format === 'csv' ? 'not_csv' : 'not_json')}
              when ${nullKey} then 'key_missing'
              when _column is not null then 'value_not_exact'
          end as _reason,
          case when _is_row then _column end as _column
      from (
          select *, case ${faults.join(' ')} end as _column
          from ${selectLines(file, table, fields)}
      )`)
  } catch (error) {
    throw unreadable(file, describeFault(error))
  }
  if (file.format === 'csv') await addRejects(db, table, lines)
  const stamp = `'insert' as _operation, ${batch.number}::bigint as _batch,
    ${duckLiteral(batch.takenAt)}::timestamptz as _captured_at, ${before} + _line as _ordinal`
  const typed = ({ name, type }: Column) => `try_cast(${identifier(name)} as ${type})`
  const values = table.columns.map((column) => `${typed(column)} as ${identifier(column.name)}`)
  const rows = await writeParquet(
    db,
    `select ${values.join(', ')}, ${stamp} from ${lines} where _reason is null order by _line`,
    path,
  )
  const refusedPath = `${path}.refused.parquet`
  const text = table.columns.map(({ name }): Column => ({ name, type: 'VARCHAR' }))
  // A key is given in its type where it can be; a line without one by its number.
  const keys = keyColumns(table).map((column) => ({
    ...column,
    name: `typed ${column.name}`,
    label: column.name,
  }))
  const hasKey = keys.map(({ name }) => `${identifier(name)} is not null`).join(' and ')
  const place = `json_object('file', _file, 'line', _line)::varchar`
  const more = keyColumns(table).map(
    (column) => `${typed(column)} as ${identifier(`typed ${column.name}`)}`,
  )
  const select = selectRefused(
    `(select *, ${[stamp, ...more].join(', ')}, ${duckLiteral(file.name)} as _file
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
  const refused = await writeParquet(db, select, refusedPath)
  await db.run(`drop table ${lines}`)
  return { path, rows, refused: refused > 0 ? { path: refusedPath, rows: refused } : undefined }
}

/** A line may be this long; the reader keeps a few of them in memory. */
const MAX_LINE_BYTES = 4 * 1024 * 1024
const LINES = `max_line_size = ${MAX_LINE_BYTES}, buffer_size = ${2 * MAX_LINE_BYTES}`

/** Names of the fields that the first lines of a file have. */
async function findFields(db: DuckDb, file: FeedFile): Promise<string[]> {
  const from =
    file.format === 'parquet'
      ? readParquet([file.path])
      : file.format === 'csv'
        ? `read_csv(${duckLiteral(file.path)}, ${csvOptions(true)}, all_varchar = true, sample_size = 1000, ignore_errors = true)`
        : `read_json(${jsonOptions(file)}, sample_size = 1000, ignore_errors = ${file.format === 'jsonl'}, map_inference_threshold = -1)`
  try {
    const found = await db.rows<{ column_name: string }>(
      `select column_name from (describe select * from ${from})`,
    )
    // What is no object has one unnamed column.
    return found.map((row) => row.column_name)
  } catch (error) {
    throw unreadable(file, describeFault(error))
  }
}

/** A relation of the fields as text, in the file's order; fails at the first line that is none. */
function selectFields(file: FeedFile, table: LakeTable, fields: readonly string[]): string {
  if (file.format === 'json' || file.format === 'jsonl') {
    return `read_json(${jsonOptions(file)}, columns = ${textColumns(table)})`
  }
  if (file.format === 'csv') {
    return `read_csv(${duckLiteral(file.path)}, ${csvOptions()}, columns = ${struct(fields)})`
  }
  return `(select ${asText(table, fields)} from ${readParquet([file.path])})`
}

/** The same of every line: with `_line` from 1, `_text` as it came where that is known, `_is_row`. */
function selectLines(file: FeedFile, table: LakeTable, fields: readonly string[]): string {
  const names = table.columns.map(({ name }) => name)
  if (file.format === 'csv') {
    const read = `read_csv(${duckLiteral(file.path)}, ${csvOptions()}, columns = ${struct(fields)},
      ignore_errors = true, store_rejects = true)`
    const some = names.map((name) =>
      fields.includes(name) ? identifier(name) : `null::varchar as ${identifier(name)}`,
    )
    return `(select ${some.join(', ')}, row_number() over () as _line, null::varchar as _text, true as _is_row from ${read})`
  }
  if (file.format === 'parquet') {
    return `(select ${asText(table, fields)}, row_number() over () as _line, null::varchar as _text,
      true as _is_row from ${readParquet([file.path])})`
  }
  const lines =
    file.format === 'jsonl'
      ? `read_csv(${duckLiteral(file.path)}, columns = {line: 'VARCHAR'}, header = false, auto_detect = false,
          delim = chr(1), quote = '', escape = '', ${LINES})`
      : `(select json as line from read_json_objects(${jsonOptions(file)}))`
  const values = names.map(
    (name) => `struct_extract(fields, ${duckLiteral(name)}) as ${identifier(name)}`,
  )
  return `(
      select ${values.join(', ')}, _line, line as _text, _is_row
      from (
          select
              line, _line, _is_row,
              from_json(case when _is_row then line else '{}' end, ${duckLiteral(
                JSON.stringify(Object.fromEntries(names.map((name) => [name, 'VARCHAR']))),
              )}) as fields
          from (
              select
                  line,
                  row_number() over () as _line,
                  coalesce(json_valid(line) and json_type(case when json_valid(line) then line end) = 'OBJECT', false) as _is_row
              from ${lines}
          )
          where trim(line) <> '' -- null where the line is empty
      )
  )`
}

/** Lines that have too many or too few fields; the reader has left them out. */
async function addRejects(db: DuckDb, table: LakeTable, lines: string): Promise<void> {
  const nothing = table.columns.map(() => 'null')
  await db.run(`
    insert into ${lines}
    select ${nothing.join(', ')}, line - 1, csv_line, 'not_csv', null
    from (select line, any_value(csv_line) as csv_line from reject_errors group by line)`)
  await db.run('drop table reject_errors; drop table reject_scans')
}

function csvOptions(isSniffed = false): string {
  return `header = true, auto_detect = ${isSniffed}, delim = ',', quote = '"', escape = '"', nullstr = '',
    ${LINES}`
}

function jsonOptions({ path, format }: FeedFile): string {
  const shape = format === 'jsonl' ? 'newline_delimited' : 'auto'
  return `${duckLiteral(path)}, format = '${shape}', maximum_object_size = ${MAX_LINE_BYTES}`
}

function textColumns({ columns }: LakeTable): string {
  return struct(columns.map(({ name }) => name))
}

function struct(names: readonly string[]): string {
  return `{${names.map((name) => `${duckLiteral(name)}: 'VARCHAR'`).join(', ')}}`
}

function asText({ columns }: LakeTable, fields: readonly string[]): string {
  return columns
    .map(({ name }) => {
      const column = identifier(name)
      return fields.includes(name)
        ? `${column}::varchar as ${column}`
        : `null::varchar as ${column}`
    })
    .join(', ')
}

/** SQL of a text field's value, or an error where it has no exact form. */
function exactly(column: Column): string {
  const name = identifier(column.name)
  if (column.type === 'VARCHAR') {
    return `case when contains(${name}, chr(0)) then error('inexact') else ${name} end`
  }
  return `case when ${name} is null then null when ${fits(column)} then ${name}::${column.type} else error('inexact')::${column.type} end`
}

/**
 * SQL that says whether a text is exactly a value of a column's type; the cheap answers first. A
 * number that JSON gave with 16 or 17 digits may have had more: `raw`, the line it stood in, proves
 * that it had not.
 */
function fits({ name, type }: Column, raw?: string): string {
  const text = identifier(name)
  const cast = `try_cast(${text} as ${type})`
  const scale = /^DECIMAL\(\d+,(\d+)\)$/.exec(type)?.[1]
  if (scale !== undefined) {
    const isSame = `coalesce(${cast}::double = try_cast(${text} as double), false)`
    return `case when length(${text}) < 16 then ${isSame} else ${fitsLong({ text, cast, scale }, raw)} end`
  }
  if (isReadAsNumber(type)) return `coalesce(${cast}::varchar = ${text}, false)`
  switch (type) {
    case 'VARCHAR':
      return `not contains(${text}, chr(0))`
    case 'BOOLEAN':
      return `lower(${text}) in ('true', 'false')`
    case 'DATE':
      return `coalesce(length(${text}) = 10 and ${cast}::varchar = ${text}, false)`
    default:
      return `coalesce(${cast} is not null, false)`
  }
}

function fitsLong(
  { text, cast, scale }: { text: string; cast: string; scale: string },
  raw?: string,
): string {
  const digits = `length(regexp_replace(regexp_replace(${text}, '[eE].*$', ''), '^-?0*\\.?0*|\\.', '', 'g'))`
  const isPlain = `regexp_full_match(${text}, '-?[0-9]+(\\.[0-9]{0,${scale}}0*)?')`
  const isWritten = `coalesce(regexp_matches(${raw}, '(^|[^0-9.])' || regexp_escape(${text}) || '($|[^0-9.eE])'), false)`
  const isKept = `(${digits} not between 16 and 17${raw === undefined ? '' : ` or ${isWritten}`})`
  const isSame = `(${digits} < 16 and ${cast}::double = try_cast(${text} as double))`
  return `coalesce(${cast} is not null and ${isKept} and (${isPlain} or ${isSame}), false)`
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
