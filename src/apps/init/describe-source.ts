import type { CatalogueTable } from '../../platform/project/catalogue-table.ts'
import { patternOf } from '../../platform/project/patterns.ts'
import { formatBytes, formatCount, formatNumber, formatTable } from '../format.ts'
import { type ChosenTables, placeInSource } from './choose-tables.ts'
import { commentText } from './model-sql.ts'

/** The largest tables are shown, and the others counted. */
const MOST_SHOWN = 20
const MOST_NAMED = 5

/** A thing that a person should know about a source. */
export interface Remark {
  readonly text: string
  /** Whether something is left out, or less sure, because of it. */
  readonly isWarning: boolean
}

/** The largest tables of a source, as text for people. Sizes are the server's own estimates. Pure. */
export function describeTables({ tables }: ChosenTables): string {
  const sorted = tables.toSorted((a, b) => sizeOf(b.found) - sizeOf(a.found))
  const rows = sorted
    .slice(0, MOST_SHOWN)
    .map(({ found, table }) => [
      commentText(placeInSource(found)),
      found.rows === undefined ? '?' : formatCount(found.rows),
      found.bytes === undefined ? '?' : formatBytes(found.bytes),
      table.isByContent === true ? 'none' : commentText(table.key.join(', ')),
    ])
  const more = tables.length - rows.length
  const shown = formatTable(['table', 'rows', 'size', 'key'], rows)
  return more > 0 ? `${shown}\nand ${formatCount(more)} more` : shown
}

function sizeOf({ rows = 0, bytes = 0 }: CatalogueTable): number {
  return bytes + rows
}

/** What a person should know before the project is written, the most important last. Pure. */
export function remarksOn({ tables, leftOut }: ChosenTables): Remark[] {
  const rows = sum(tables.map(({ found }) => found.rows))
  const bytes = sum(tables.map(({ found }) => found.bytes))
  const size = rows === 0 ? '' : `: about ${formatNumber(rows, 'row')}, ${formatBytes(bytes)}`
  const keyless = tables.filter(({ table }) => table.isByContent === true)
  const left = (why: string): string[] =>
    leftOut.filter((each) => each.why === why).map(({ relation }) => relation)
  const secrets = tables.flatMap((each) =>
    each.secrets.map((column) => patternOf(each.found.schema, each.found.relation, column)),
  )
  const remarks = [
    say(left('view'), (count) => [
      `${formatNumber(count, 'view or foreign table', 'views and foreign tables')} not kept`,
      false,
    ]),
    say(
      keyless.map(({ found }) => placeInSource(found)),
      (count) => [
        `${formatNumber(count, 'table')} without a key, so a row is its values, with a count`,
        true,
      ],
    ),
    say(left('not readable'), (count) => [
      `${formatNumber(count, 'table')} that this user may not read`,
      true,
    ]),
    say(secrets, (count) => [
      `${formatNumber(count, 'column')} that ${count === 1 ? 'looks' : 'look'} like secrets`,
      true,
    ]),
  ]
  return [
    { text: `${formatNumber(tables.length, 'table')}${size}`, isWarning: false },
    ...remarks.flat(),
  ]
}

function say(
  names: readonly string[],
  what: (count: number) => [text: string, isWarning: boolean],
): Remark[] {
  if (names.length === 0) return []
  const [text, isWarning] = what(names.length)
  const more =
    names.length > MOST_NAMED ? ` and ${formatCount(names.length - MOST_NAMED)} more` : ''
  return [
    { text: `${text}: ${commentText(names.slice(0, MOST_NAMED).join(', '))}${more}`, isWarning },
  ]
}

function sum(values: readonly (number | undefined)[]): number {
  return values.reduce<number>((total, value) => total + (value ?? 0), 0)
}
