import { fileNameOf } from './csv.ts'
import type { ResultColumn, Row } from './cursor.ts'
import { type Download, type DownloadOptions, openDownload } from './download.ts'
import type { Question } from './question.ts'
import type { Reader } from './reader.ts'
import {
  type SheetColumn,
  sheetColumns,
  writeCell,
  writeHeader,
  writeTextCell,
} from './xlsx-cells.ts'
import { fixedParts } from './xlsx-parts.ts'
import { zipArchive } from './zip.ts'

/** The media type of an Excel workbook. */
export const XLSX_TYPE = 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet'

/** The most rows of an answer in an Excel file. Excel itself ends at 1,048,576. */
export const XLSX_MAX_ROWS = 1_000_000

/** The last row of a sheet that ends before its answer does. */
const CUT = 'The sheet ends here. There are more rows: the CSV has all of them.'

/**
 * Opens the rows of a question as an Excel workbook (ECMA-376, Office Open XML) with one sheet: the
 * names of the columns in a bold row that stays in view, then a row for each row of the answer. The
 * types of the cells are those of `writeCell`. After `XLSX_MAX_ROWS` rows a last row says that the CSV
 * has all. See `openDownload`.
 */
export async function openXlsx(
  reader: Reader,
  question: Question,
  options: DownloadOptions = {},
): Promise<Download> {
  const { body, given, completeTo } = await openDownload(reader, question, {
    ...options,
    write: (columns, pieces) => writeWorkbook(columns, pieces, question.name),
  })
  return { fileName: fileNameOf(question, given, completeTo, 'xlsx'), body }
}

/**
 * The same workbook from rows in memory, whole. `sheet` is the name of its sheet; a character that
 * Excel forbids there becomes a space, and it is cut to 31.
 */
export async function xlsxOf(
  { columns, rows }: { readonly columns: readonly ResultColumn[]; readonly rows: readonly Row[] },
  { sheet }: { readonly sheet: string },
): Promise<Uint8Array<ArrayBuffer>> {
  async function* pieces(): AsyncGenerator<readonly Row[]> {
    // In pieces, so that other requests get their turn in between.
    for (let from = 0; from < rows.length; from += 2000) yield rows.slice(from, from + 2000)
  }
  const chunks: Uint8Array[] = []
  for await (const chunk of writeWorkbook(columns, pieces(), sheet)) chunks.push(chunk)
  return new Uint8Array(Buffer.concat(chunks))
}

function writeWorkbook(
  columns: readonly ResultColumn[],
  pieces: AsyncIterable<readonly Row[]>,
  sheet: string,
): AsyncGenerator<Uint8Array> {
  return zipArchive([
    ...fixedParts(sheet).map(({ name, xml }) => ({ name, body: [Buffer.from(xml)] })),
    { name: 'xl/worksheets/sheet1.xml', body: writeSheet(columns, pieces) },
  ])
}

/** The sheet's XML. The first piece decides how wide a column is, because widths come first. */
async function* writeSheet(
  columns: readonly ResultColumn[],
  pieces: AsyncIterable<readonly Row[]>,
): AsyncGenerator<Buffer> {
  let shown: readonly SheetColumn[] | undefined
  // The header is row 1.
  let next = 2
  for await (const rows of pieces) {
    if (shown === undefined) yield Buffer.from(openSheet((shown = sheetColumns(columns, rows))))
    const own = shown
    const fitting = rows.slice(0, XLSX_MAX_ROWS + 2 - next)
    yield Buffer.from(fitting.map((row, index) => writeRow(own, row, next + index)).join(''))
    next += fitting.length
    if (fitting.length === rows.length) continue
    yield Buffer.from(`<row r="${next}">${writeTextCell(CUT, `A${next}`)}</row>`)
    break
  }
  if (shown === undefined) yield Buffer.from(openSheet(sheetColumns(columns, [])))
  yield Buffer.from('</sheetData></worksheet>')
}

function writeRow(columns: readonly SheetColumn[], row: Row, place: number): string {
  const cells = columns.map(({ letters, kind }, index) =>
    writeCell(kind, row[index] ?? null, `${letters}${place}`),
  )
  return `<row r="${place}">${cells.join('')}</row>`
}

function openSheet(columns: readonly SheetColumn[]): string {
  const widths = columns.map(
    ({ width }, index) =>
      `<col min="${index + 1}" max="${index + 1}" width="${width}" customWidth="1"/>`,
  )
  return (
    '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>' +
    '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">' +
    '<sheetViews><sheetView workbookViewId="0">' +
    '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/>' +
    `</sheetView></sheetViews>${widths.length === 0 ? '' : `<cols>${widths.join('')}</cols>`}` +
    `<sheetData><row r="1">${columns.map(writeHeader).join('')}</row>`
  )
}
