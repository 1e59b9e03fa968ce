import type { ColumnKind, ResultColumn, Row } from './cursor.ts'
import { escapeXml, STYLES } from './xlsx-parts.ts'

/** A column of a sheet. */
export interface SheetColumn {
  readonly header: string
  readonly kind: ColumnKind
  /** Its name in a reference: A, B … AA. */
  readonly letters: string
  /** Its width in characters. */
  readonly width: number
}

/** The most characters that Excel takes in a cell, as UTF-16 counts them. */
const MAX_CELL_CHARS = 32_767

/**
 * The columns of a sheet, as wide as the first of their rows want. The header of moments says that
 * they are in UTC, unless Postgres prints them without a zone.
 */
export function sheetColumns(
  columns: readonly ResultColumn[],
  rows: readonly Row[],
): readonly SheetColumn[] {
  const sample = rows.slice(0, 200)
  return columns.map(({ name, kind }, index) => {
    const cells = sample.map((row) => row[index] ?? '')
    const isZoneless = cells.some((cell) => / [\d:.]+$/.test(cell))
    const header = kind === 'moment' && !isZoneless ? `${name} (UTC)` : name
    const chars = [header, ...cells].map((text) => text.length)
    const width = Math.min(60, Math.max(8, ...chars) + 2)
    return { header, kind, letters: lettersOf(index), width }
  })
}

/** The cell that names a column. */
export function writeHeader({ header, letters }: SheetColumn): string {
  return writeTextCell(header, `${letters}1`, STYLES.header)
}

/**
 * A cell of Excel for a value as Postgres prints it. Null is no cell. A value that Excel cannot hold
 * as its own type becomes text, exactly as it is printed:
 *
 * - number: at most 15 significant digits, up to 9.99e307; not `NaN` or `Infinity`
 * - date: from 1 March 1900 to 9999; before that, Excel counts a day that never existed
 * - moment: the same, to the millisecond; further digits are cut off
 * - boolean: `TRUE` or `FALSE`
 * - text: see `writeTextCell`
 */
export function writeCell(kind: ColumnKind, value: string | null, place: string): string {
  if (value === null) return ''
  if (kind === 'boolean') return `<c r="${place}" t="b"><v>${value === 't' ? 1 : 0}</v></c>`
  const number = kind === 'number' ? numberOf(value) : undefined
  const { serial, style } =
    number ?? (kind === 'date' || kind === 'moment' ? (dayOf(value) ?? {}) : {})
  if (serial === undefined) return writeTextCell(value, place)
  return `<c r="${place}" s="${style}"><v>${serial}</v></c>`
}

/**
 * A cell of text, which is never a formula. A character that XML cannot hold becomes U+FFFD, and
 * text beyond 32,767 characters ends in `…`.
 */
export function writeTextCell(text: string, place: string, style: number = STYLES.plain): string {
  const own = style === STYLES.plain ? '' : ` s="${style}"`
  const fitting = text.length > MAX_CELL_CHARS ? cut(text) : text
  return `<c r="${place}"${own} t="inlineStr"><is><t xml:space="preserve">${escapeXml(fitting)}</t></is></c>`
}

function cut(text: string): string {
  // Not inside a character that takes two.
  return `${text.slice(0, MAX_CELL_CHARS - 1).replace(/[\uD800-\uDBFF]$/, '')}…`
}

/** A number in Excel's notation, and its style. */
interface Numeral {
  readonly serial: string
  readonly style: number
}

function numberOf(text: string): Numeral | undefined {
  const {
    whole = '',
    rest = '',
    power,
  } = /^-?(?<whole>\d+)(?:\.(?<rest>\d+))?(?:e(?<power>[+-]\d+))?$/.exec(text)?.groups ?? {}
  const digits = (whole + rest).replace(/^0+|0+$/g, '')
  const size = Math.abs(Number(text))
  if (whole === '' || digits.length > 15 || size > 9.99e307) return undefined
  if (digits !== '' && size < 2.3e-308) return undefined
  const style =
    power !== undefined || size >= 1e15
      ? STYLES.plain
      : rest === ''
        ? STYLES.integer
        : rest.length === 2
          ? STYLES.cents
          : STYLES.plain
  return { serial: text, style }
}

/** The day before the first, so that 1 March 1900 is day 61, as Excel counts. */
const DAY_ZERO_MS = Date.UTC(1899, 11, 30)
const FIRST_DAY = '1900-03-01'
const DAY_MS = 86_400_000

function dayOf(text: string): Numeral | undefined {
  const { day, time, fraction } =
    /^(?<day>\d{4}-\d\d-\d\d)(?: (?<time>\d\d:\d\d:\d\d)(?:\.(?<fraction>\d+))?(?:\+00)?)?$/.exec(
      text,
    )?.groups ?? {}
  if (day === undefined || day < FIRST_DAY) return undefined
  const thousandths = (fraction ?? '').slice(0, 3).padEnd(3, '0')
  const moment = Date.parse(`${day}T${time ?? '00:00:00'}.${thousandths}Z`)
  const style =
    time === undefined ? STYLES.day : fraction === undefined ? STYLES.second : STYLES.millisecond
  return { serial: String((moment - DAY_ZERO_MS) / DAY_MS), style }
}

function lettersOf(index: number): string {
  const last = String.fromCodePoint(65 + (index % 26))
  return index < 26 ? last : `${lettersOf(Math.floor(index / 26) - 1)}${last}`
}
