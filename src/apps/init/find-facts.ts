import type { CatalogueColumn, ForeignKey } from '../../platform/project/catalogue-table.ts'
import { type ChosenTable, placeInSource } from './choose-tables.ts'
import { wordsOf } from '../../platform/project/secret-columns.ts'

/** A foreign key whose both ends a project keeps. */
export interface TableLink {
  /** The columns that refer, in the order of the key of `to`. */
  readonly columns: readonly string[]
  readonly to: ChosenTable
}

/** Tables, the links from each, and which of them are facts. */
export interface LinkedTables {
  readonly tables: readonly ChosenTable[]
  links(table: ChosenTable): readonly TableLink[]
  isFact(table: ChosenTable): boolean
}

/**
 * Reads the foreign keys of the tables that have a key, and decides which tables hold events. A table is
 * a fact if it refers to two other tables and has a measure or a date. A table with a measure alone is
 * none if a fact refers to it: a product with a price is what was sold, not a sale. Pure.
 */
export function linkTables(chosen: readonly ChosenTable[]): LinkedTables {
  const tables = chosen.filter(({ table }) => table.isByContent !== true)
  const places = new Map(tables.map((each) => [placeInSource(each.table), each]))
  const links = new Map(
    tables.map((each) => [
      each,
      each.found.foreignKeys.flatMap((key) => linkOf(each, key, places)),
    ]),
  )
  const linksOf = (table: ChosenTable): readonly TableLink[] => links.get(table) ?? []
  const candidates = new Set(
    tables.filter((table) => {
      const others = new Set(linksOf(table).map(({ to }) => to))
      others.delete(table)
      return (
        others.size >= 2 &&
        table.columns.some((column) => isDate(column) || isMeasure(table, column))
      )
    }),
  )
  const known = new Map<ChosenTable, boolean>()
  const isFact = (table: ChosenTable): boolean => {
    const before = known.get(table)
    if (before !== undefined) return before
    const hasDate = table.columns.some(isDate)
    // Where tables refer to each other in a circle, this one counts for the others as none.
    known.set(table, candidates.has(table) && hasDate)
    const is =
      candidates.has(table) &&
      (hasDate ||
        !tables.some(
          (other) =>
            other !== table && linksOf(other).some(({ to }) => to === table) && isFact(other),
        ))
    known.set(table, is)
    return is
  }
  return { tables, links: linksOf, isFact }
}

/** The link of a foreign key, if it refers to the key of a table and all its columns are kept. */
function linkOf(
  { columns }: ChosenTable,
  { columns: from, refersTo }: ForeignKey,
  places: ReadonlyMap<string, ChosenTable>,
): TableLink[] {
  const to = places.get(placeInSource(refersTo))
  if (to === undefined || to.table.key.length !== from.length) return []
  const kept = new Set(columns.map(({ name }) => name))
  const ordered = to.table.key.flatMap((name) => from[refersTo.columns.indexOf(name)] ?? [])
  const isWhole = ordered.length === from.length && ordered.every((name) => kept.has(name))
  return isWhole ? [{ columns: ordered, to }] : []
}

/** Whether a column is a number that measures something: neither a key nor a reference. */
function isMeasure({ table, found }: ChosenTable, { name, baseType }: CatalogueColumn): boolean {
  if (!/^(smallint|integer|bigint|real|double precision|numeric)\b(?!.*\[\])/.test(baseType))
    return false
  return (
    !table.key.includes(name) && !found.foreignKeys.some(({ columns }) => columns.includes(name))
  )
}

/** Whether a column holds the day or the moment of something that happened. */
function isDate(column: CatalogueColumn): boolean {
  return (holdsDays(column) || holdsMoments(column)) && !isBookkeeping(column)
}

/** Whether a column holds days. */
export function holdsDays({ baseType }: CatalogueColumn): boolean {
  return baseType === 'date'
}

/** Whether a column holds moments, with or without a time zone. */
export function holdsMoments({ baseType }: CatalogueColumn): boolean {
  return /^timestamp(\(\d\))? with(out)? time zone$/.test(baseType)
}

const MADE = /^(created?|creation|inserted|updated?|modified|changed|deleted)$/
const BESIDE = /^(last|at|on|by|date|day|time|timestamp|ts|dt|row|record)$/

/** Whether a column only says when its row was written, such as `created_at`. */
export function isBookkeeping({ name }: CatalogueColumn): boolean {
  const words = wordsOf(name)
  return (
    words.some((word) => MADE.test(word)) &&
    words.every((word) => MADE.test(word) || BESIDE.test(word))
  )
}
