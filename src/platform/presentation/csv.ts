import type { ResultColumn, Row } from './cursor.ts'
import { type Download, type DownloadOptions, openDownload } from './download.ts'
import type { Filters, Question } from './question.ts'
import type { Reader } from './reader.ts'

/** The first bytes of a CSV file that people open: without it, Excel does not read UTF-8. */
export const CSV_BOM = '\uFEFF'

/**
 * Opens all rows of a question as CSV (RFC 4180, header first) in UTF-8 with a byte order mark. See
 * `openDownload`.
 */
export async function openCsv(
  reader: Reader,
  question: Question,
  options: DownloadOptions = {},
): Promise<Download> {
  const { body, given, completeTo } = await openDownload(reader, question, {
    ...options,
    write: writeCsv,
  })
  return { fileName: fileNameOf(question, given, completeTo), body }
}

async function* writeCsv(
  columns: readonly ResultColumn[],
  pieces: AsyncIterable<readonly Row[]>,
): AsyncGenerator<Uint8Array> {
  yield Buffer.from(CSV_BOM + csvHeader(columns))
  for await (const rows of pieces) {
    yield Buffer.from(rows.map((row) => csvLine(columns, row)).join(''))
  }
}

/**
 * The first line: the column names. A name that a spreadsheet would take for a formula gets an
 * apostrophe in front.
 */
export function csvHeader(columns: readonly ResultColumn[]): string {
  return csvRecord(columns.map(({ name }) => defuse(name)))
}

/**
 * One row as a line. Null is an empty cell, an empty text is `""`, and moments are ISO 8601. A text
 * that a spreadsheet would take for a formula gets an apostrophe in front; numbers stay unchanged.
 */
export function csvLine(columns: readonly ResultColumn[], row: Row): string {
  const cells = row.map((cell, index) => {
    if (cell === null) return undefined
    const kind = columns[index]?.kind ?? 'text'
    if (kind === 'text') return defuse(cell)
    return kind === 'moment' ? isoMoment(cell) : cell
  })
  return csvRecord(cells)
}

/**
 * Exact texts as a record of CSV (RFC 4180), with the end of its line. Undefined is an empty cell, and
 * an empty text is `""`.
 */
export function csvRecord(cells: readonly (string | undefined)[]): string {
  return `${cells.map((cell) => (cell === undefined ? '' : quote(cell))).join(',')}\r\n`
}

/**
 * Characters that spreadsheets take for the start of a formula (OWASP, CSV injection), with the
 * full-width signs.
 */
const FORMULA = /^[=+\-@\t\r\n＝＋－＠]/

function defuse(text: string): string {
  return FORMULA.test(text) ? `'${text}` : text
}

function quote(text: string): string {
  return text === '' || /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

/**
 * ISO 8601 for a moment that Postgres prints in UTC, such as `2025-11-03 09:42:05+00`. Infinity and
 * years BC stay unchanged.
 */
function isoMoment(text: string): string {
  const { day, time, zone } =
    /^(?<day>\d{4,}-\d\d-\d\d) (?<time>[\d:.]+)(?<zone>\+00)?$/.exec(text)?.groups ?? {}
  return day === undefined ? text : `${day}T${time}${zone === undefined ? '' : 'Z'}`
}

/**
 * The file name of a download. It is never longer than file systems allow, and never holds a
 * character that they treat as special.
 */
export function fileNameOf(
  question: Pick<Question, 'name'>,
  given: Filters,
  completeTo: string,
  extension: 'csv' | 'xlsx' = 'csv',
): string {
  const { as_of: asOf = completeTo, ...others } = given
  const parts = Object.entries(others).map(
    ([name, value]) => `${name.replaceAll(/\W+/g, '-')}-${plain(value ?? '')}`,
  )
  const name = [question.name, ...parts].join('_').slice(0, 150)
  const moment = plain(asOf.replace(/\.\d+/, '').replaceAll(':', '')).slice(0, 40)
  return `${name}_as-of-${moment}.${extension}`
}

function plain(text: string): string {
  return text.replace(/[^A-Za-z0-9-]+/g, '-')
}
