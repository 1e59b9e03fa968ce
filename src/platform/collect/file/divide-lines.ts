import { rm } from 'node:fs/promises'
import type { DuckDb, Relation } from '../../io/duckdb.ts'
import { duckLiteral, identifier, identifiers } from '../../io/sql.ts'
import { stamp, type Stamp } from '../../lake/batch.ts'
import { type Column, fileValue, unhex } from '../../lake/lake-type.ts'
import { writeParquet } from '../../lake/parquet.ts'
import { rowText, selectRefused } from '../../lake/quarantine/quarantine.ts'
import { keyColumns, type LakeTable } from '../../lake/table-state.ts'
import { fits, withCasts } from './exact-value.ts'
import { describeDuckDbError, type FeedFile, givenOf, unreadable, withGiven } from './format.ts'

/** The rows of a file in local Parquet files. */
export interface FeedRows {
  /**
   * The rows in the lake's types plus the four change columns. Ordinals rise with the lines. If
   * each row has one line, the ordinal is the number of the line.
   */
  readonly files: readonly RowFile[]
  /** The lines that are not valid rows, as `selectRefused` writes them. */
  readonly refused: readonly RowFile[]
  /** Lines of the file, empty ones included. No ordinal is greater. */
  readonly span: number
  /** Names of fields that the feed does not declare. They stay only in the archived file. */
  readonly unknown: readonly string[]
  /** Cells of a wide file that hold no value and so make no row. */
  readonly absent?: number
}

/** A local Parquet file and the number of its rows. */
export interface RowFile {
  readonly path: string
  readonly rows: number
}

/** Some lines of a file, and their place in the batch. */
export interface Place {
  readonly file: FeedFile
  /** Lines before these in the batch. */
  readonly before: number
  readonly path: string
}

/** Like `FeedRows`, for lines that are checked one by one. */
export type DividedLines = Omit<FeedRows, 'unknown'>

/** A number that may have more digits than a double can hold. */
const LONG_NUMBER = String.raw`-?[0-9][0-9.eE+-]{16,}`

/** Lines to check one by one, as a relation. */
export interface LinesToDivide extends Place {
  /**
   * Relation of the lines: the number `_n`, the original text `_t`, the object of its fields `_j`
   * if it differs from the text, and a `_fault` if the line cannot be read at all.
   */
  readonly lines: string
  /** Added to the number of each line. */
  readonly line?: number
  readonly isCsv?: boolean
  /** `lines` holds the fields themselves, as text, instead of `_j`. */
  readonly areFields?: boolean
  /** The column that orders the rows. `_at` is for lines that hold several rows. */
  readonly at?: '_n' | '_at'
}

/**
 * Checks lines one by one. Writes valid rows into one file, and all other lines with their reason
 * into another. Throws `ContractError` (`FILE_UNREADABLE`) if DuckDB cannot read the lines.
 */
export async function divideLines(
  batch: Stamp,
  table: LakeTable,
  options: LinesToDivide,
): Promise<DividedLines> {
  const { db } = batch
  const { file, before, path, line = 0 } = options
  await using lines = await openLines(db, table, options)
  const change = `'insert' as _operation, ${stamp(batch)}, ${before - line} + _place as _ordinal`
  const from = lines.name
  const valid = selectValidRows(table, { ...options, from, change })
  const rows = await writeParquet(db, valid, path, table.columns)
  const refusedPath = `${path}.refused`
  const refused = await writeParquet(
    db,
    selectRefusedLines(table, { file, from, change }),
    refusedPath,
    table.columns,
  )
  const { last } = await db.row<{ last: bigint | null }>(`select max(_place) as last from ${from}`)
  if (rows === 0) await rm(path)
  if (refused === 0) await rm(refusedPath)
  return {
    files: rows > 0 ? [{ path, rows }] : [],
    refused: refused > 0 ? [{ path: refusedPath, rows: refused }] : [],
    span: Number(last ?? 0) - line,
  }
}

/**
 * Opens the lines with each field as text, and with `_line`, `_place`, `_text`. A line that is not
 * a valid row also has `_reason` and, if one value is to blame, `_column`. Throws `ContractError`
 * (`FILE_UNREADABLE`) if DuckDB cannot read them.
 */
async function openLines(
  db: DuckDb,
  table: LakeTable,
  { file, lines, line = 0, isCsv = false, areFields = false, at = '_n' }: LinesToDivide,
): Promise<Relation> {
  const names = identifiers(table.columns.map(({ name }) => name))
  const nullKey = table.key.map((name) => `${identifier(name)} is null`).join(' or ')
  const fields = areFields
    ? `(select *, true as _is_row, false as _is_twice from ${lines})`
    : selectFields(table, { lines, file })
  const passed = ['_n', '_t', '_fault', '_is_row', '_is_twice']
  if (at === '_at') passed.push('_at')
  if (!areFields) passed.push('_o', '_is_long')
  try {
    return await db.table(`
      select
          ${names}, _n + ${line} as _line, ${at} + ${line} as _place, _t as _text,
          case
              when _fault is not null then _fault
              when not _is_row then 'not_json'
              when _is_twice then 'field_twice'
              when ${nullKey} then 'key_missing'
              when _column is not null then 'value_not_exact'
          end as _reason,
          case when _fault is null and _is_row and not _is_twice and not (${nullKey}) then _column end as _column
      from (
          select *, ${firstBadColumn(table, { isCsv, areFields })} as _column
          from (select ${passed.join(', ')}, ${withCasts(table)} from ${fields})
      )`)
  } catch (error) {
    throw unreadable(file, describeDuckDbError(error))
  }
}

/** SQL of the first column whose text is not a value of its type; null if all texts are valid. */
function firstBadColumn(
  table: LakeTable,
  { isCsv, areFields }: { isCsv: boolean; areFields: boolean },
): string {
  // Key columns first: if part of a key is not valid, the key identifies no row.
  const others = table.columns.filter(({ name }) => !table.key.includes(name))
  const cases = [...keyColumns(table), ...others].flatMap((column) => {
    const name = identifier(column.name)
    const found = duckLiteral(column.name)
    const isGiven = isCsv && column.type !== 'VARCHAR' ? `${name} <> ''` : `${name} is not null`
    const lost = areFields ? [] : [`when ${name} is not null and ${isLost(column)} then ${found}`]
    return [...lost, `when ${isGiven} and not coalesce(${fits(column)}, false) then ${found}`]
  })
  return `case ${cases.join(' ')} end`
}

/** SQL of a column's text in its type; null if the text is not a value of the type. */
function typed(column: Column): string {
  return `try_cast(${identifier(column.name)} as ${column.type})`
}

/** A select of the valid rows, in the lake's types. */
function selectValidRows(
  table: LakeTable,
  { from, change, isCsv = false }: { from: string; change: string; isCsv?: boolean },
): string {
  const values = table.columns.map((column) => {
    const name = identifier(column.name)
    const value = column.type === 'BLOB' ? unhex(name) : fileValue(typed(column), column.type)
    const isEmptyNull = isCsv && column.type !== 'VARCHAR'
    return `${isEmptyNull ? `case when ${name} <> '' then ${value} end` : value} as ${name}`
  })
  return `
    select ${values.join(', ')}, ${change} from ${from} where _reason is null order by _place`
}

/** A select of the lines that are not valid rows, in the form of the quarantine. */
function selectRefusedLines(
  table: LakeTable,
  { file, from, change }: { file: FeedFile; from: string; change: string },
): string {
  // A line is identified by its key, in the types of the key, or by its number if the key is not
  // valid.
  const keys = keyColumns(table).map((column) => ({
    ...column,
    name: `typed ${column.name}`,
    label: column.name,
  }))
  const more = keyColumns(table).map((column) => {
    const isRow = `_reason = 'value_not_exact' and _column is distinct from ${duckLiteral(column.name)}`
    const value =
      column.type === 'BLOB'
        ? `case when ${fits(column)} then ${unhex(identifier(column.name))} end`
        : typed(column)
    return `case when ${isRow} then ${value} end as ${identifier(`typed ${column.name}`)}`
  })
  const hasKey = keys.map(({ name }) => `${identifier(name)} is not null`).join(' and ')
  const place = `json_object('file', _file, 'line', _line)::varchar`
  return selectRefused(
    `(select *, ${[change, ...more].join(', ')}, ${duckLiteral(file.name)} as _file
      from ${from} where _reason is not null)`,
    {
      key: `case when ${hasKey} then ${rowText(keys)} else ${place} end`,
      columns: [
        ...table.columns.map(({ name }): Column => ({ name, type: 'VARCHAR' })),
        { name: '_file', type: 'VARCHAR' },
        { name: '_line', type: 'BIGINT' },
        { name: '_text', type: 'VARCHAR' },
      ],
    },
  )
}

/** SQL of the fields of lines as text, with `_o`, the object that holds them. */
function selectFields(
  table: LakeTable,
  { lines, file }: { lines: string; file: FeedFile },
): string {
  const names = table.columns.map(({ name }) => name)
  const structure = duckLiteral(
    JSON.stringify(Object.fromEntries(names.map((name) => [name, 'VARCHAR']))),
  )
  const values = names.map((name) => {
    const field = `struct_extract(fields, ${duckLiteral(name)})`
    const digits = numbersOf(name)
    const text = `case when _is_long and len(${digits}) = 1 then ${digits}[1] else ${field} end`
    return `${withGiven(text, givenOf(file, name))} as ${identifier(name)}`
  })
  const known = `list_filter(json_keys(_o), each -> list_contains([${names.map(duckLiteral).join(', ')}], each))`
  return `(
      select _n, _t, _fault, _is_row, _o, _is_long, ${values.join(', ')}, len(${known}) <> len(list_distinct(${known})) as _is_twice
      from (
          select *, from_json(case when len(${known}) = len(list_distinct(${known})) then _o else '{}' end, ${structure}) as fields
          from (
              select
                  _n, _t, _fault, _is_row,
                  case when _is_row then coalesce(_j, _t) else '{}' end as _o,
                  _is_row and _j is null and regexp_matches(_t, ${duckLiteral(LONG_NUMBER)}) as _is_long
              from (
                  select *, _fault is null and coalesce(json_valid(coalesce(_j, _t)) and json_type(case when json_valid(coalesce(_j, _t)) then coalesce(_j, _t) end) = 'OBJECT', false) as _is_row
                  from ${lines}
              )
          )
      )
  )`
}

/** SQL of the numbers that follow a field's name in a line, with all their digits. */
function numbersOf(name: string): string {
  const quoted = JSON.stringify(name).replaceAll(/[.*+?^${}()|[\]\\/]/g, String.raw`\$&`)
  const pattern = String.raw`${quoted}\s*:\s*(-?[0-9][0-9.eE+-]*)`
  return `regexp_extract_all(_t, ${duckLiteral(pattern)}, 1)`
}

/**
 * SQL that says whether a number lost digits when it was read, and its text cannot be found again.
 */
function isLost({ name }: Column): string {
  const pointer = `/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`
  const kind = `json_type(_o, ${duckLiteral(pointer)})`
  return `_is_long and (${kind} in ('OBJECT', 'ARRAY') or ${kind} = 'DOUBLE' and len(${numbersOf(name)}) <> 1)`
}
