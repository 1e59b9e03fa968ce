import { ConfigError } from '../errors.ts'
import type { CatalogueTable } from './catalogue-table.ts'
import { nearestName } from './nearest-name.ts'

/** A pattern of tables or columns, as a person wrote it. */
export interface Pattern {
  readonly text: string
  /** One to three parts: the table, the schema and the table, or both and the column. */
  readonly parts: readonly PatternPart[]
}

/** One part of a pattern. */
export interface PatternPart {
  /** Without its quotes. */
  readonly name: string
  /** Set if the part has a `*` outside quotes, so that it may match several names. */
  readonly matches?: RegExp
}

const PART = String.raw`"(?:[^"]|"")+"|[^".]+`
const WHOLE = new RegExp(`^(?:${PART})(?:\\.(?:${PART})){0,2}$`)

/**
 * Reads a pattern: `table`, `schema.table` or `schema.table.column`. In each part `*` stands for any
 * characters. A part in double quotes is taken as it is, dots and `*` included. Capitals count. Pure.
 * Throws `ConfigError` (`PATTERN_INVALID`) for any other text.
 */
export function parsePattern(text: string): Pattern {
  if (!WHOLE.test(text)) {
    throw new ConfigError(`${text === '' ? 'An empty text' : text} is not a pattern of tables`, {
      code: 'PATTERN_INVALID',
      hint: 'write table, schema.table or schema.table.column; * stands for any characters, and a name with a dot goes in double quotes',
    })
  }
  const parts = [...text.matchAll(new RegExp(PART, 'g'))].map(([part]) => parsePart(part))
  return { text, parts }
}

function parsePart(text: string): PatternPart {
  if (text.startsWith('"')) return { name: text.slice(1, -1).replaceAll('""', '"') }
  if (!text.includes('*')) return { name: text }
  const pieces = text.split('*').map((piece) => piece.replaceAll(/[\\^$.|?*+()[\]{}]/g, '\\$&'))
  return { name: text, matches: new RegExp(`^${pieces.join('.*')}$`, 'su') }
}

/** The pattern that matches exactly this table or column: its names, in quotes where they need them. */
export function patternOf(...names: readonly string[]): string {
  return names
    .map((name) => (/[".*]/.test(name) || name === '' ? `"${name.replaceAll('"', '""')}"` : name))
    .join('.')
}

/** A table that patterns keep, and the columns of it that they leave out, in their order. */
export interface SelectedTable {
  readonly table: CatalogueTable
  readonly exclude: readonly string[]
}

/**
 * The tables that are selected and not excluded, in the order of the catalogue. Without `select`, all
 * are. With two parts, the first names a schema if the catalogue has one of that name, and otherwise a
 * table of any schema; a first part that is only `*` names tables, so that `*.password` is a column of
 * every table. A table alone may be in any schema.
 *
 * A pattern of columns in `select` keeps those columns and the key of each table that has them, even if
 * another pattern selects the whole table. `exclude` wins.
 *
 * Pure. Throws `ConfigError` for a pattern that is not one (`PATTERN_INVALID`), that matches nothing
 * (`PATTERN_MATCHES_NOTHING`), or that leaves out a column in the key of a table that is kept
 * (`PATTERN_EXCLUDES_KEY`).
 */
export function selectTables(
  catalogue: readonly CatalogueTable[],
  { select = [], exclude = [] }: { select?: readonly string[]; exclude?: readonly string[] },
): SelectedTable[] {
  const index = indexTables(catalogue)
  const kept = matchAll(index, { patterns: select, setting: 'select' })
  const left = matchAll(index, { patterns: exclude, setting: 'exclude' })
  return catalogue.flatMap((table) => {
    const isKept = select.length === 0 || kept.tables.has(table) || kept.columns.has(table)
    if (!isKept || left.tables.has(table)) return []
    const wanted = kept.columns.get(table)
    const unwanted = left.columns.get(table)
    if (wanted === undefined && unwanted === undefined) return [{ table, exclude: [] }]
    checkKey(table, unwanted)
    const isLeft = (name: string): boolean =>
      unwanted?.has(name) === true ||
      (wanted?.has(name) === false && table.key?.includes(name) !== true)
    return [{ table, exclude: table.columns.map(({ name }) => name).filter(isLeft) }]
  })
}

/** Throws if an excluded column is in the key of its table. */
function checkKey(table: CatalogueTable, unwanted: ReadonlyMap<string, Pattern> | undefined): void {
  const name = table.key?.find((column) => unwanted?.has(column))
  if (name === undefined) return
  const whole = patternOf(table.schema, table.relation)
  throw new ConfigError(
    `The pattern ${unwanted?.get(name)?.text} in exclude leaves out ${name}, which is in the key of ${whole}`,
    {
      code: 'PATTERN_EXCLUDES_KEY',
      hint: `a table needs its key: exclude the whole table with ${whole}, or name other columns`,
    },
  )
}

/** What a list of patterns matches: whole tables, and columns with the pattern that named each. */
interface Matched {
  readonly tables: ReadonlySet<CatalogueTable>
  readonly columns: ReadonlyMap<CatalogueTable, ReadonlyMap<string, Pattern>>
}

function matchAll(
  index: TableIndex,
  { patterns, setting }: { patterns: readonly string[]; setting: 'select' | 'exclude' },
): Matched {
  const tables = new Set<CatalogueTable>()
  const columns = new Map<CatalogueTable, Map<string, Pattern>>()
  for (const text of patterns) {
    const pattern = parsePattern(text)
    const target = targetOf(pattern, index)
    const found = findTables(target, index)
    if (found.length === 0) throw matchesNothing(pattern, { setting, found, index })
    if (target.column === undefined) {
      for (const table of found) tables.add(table)
      continue
    }
    let isAny = false
    for (const table of found) {
      for (const name of findColumns(target.column, table)) {
        isAny = true
        const named = columns.get(table) ?? new Map<string, Pattern>()
        columns.set(table, named.set(name, pattern))
      }
    }
    if (!isAny) throw matchesNothing(pattern, { setting, found, index })
  }
  return { tables, columns }
}

/** Tables by schema and name, and by name alone, so that an exact name needs no search. */
interface TableIndex {
  readonly all: readonly CatalogueTable[]
  readonly bySchema: ReadonlyMap<string, ReadonlyMap<string, CatalogueTable>>
  readonly byName: ReadonlyMap<string, readonly CatalogueTable[]>
}

function indexTables(all: readonly CatalogueTable[]): TableIndex {
  const bySchema = new Map<string, Map<string, CatalogueTable>>()
  const byName = new Map<string, CatalogueTable[]>()
  for (const table of all) {
    const schema = bySchema.get(table.schema) ?? new Map<string, CatalogueTable>()
    bySchema.set(table.schema, schema.set(table.relation, table))
    const named = byName.get(table.relation)
    if (named === undefined) byName.set(table.relation, [table])
    else named.push(table)
  }
  return { all, bySchema, byName }
}

/** What the parts of a pattern name. Without a schema, tables of any; without a column, whole tables. */
interface Target {
  readonly schema?: PatternPart
  readonly table: PatternPart
  readonly column?: PatternPart
}

function targetOf({ parts }: Pattern, { bySchema }: TableIndex): Target {
  const [first = { name: '' }, second, third] = parts
  if (second === undefined) return { table: first }
  if (third !== undefined) return { schema: first, table: second, ...columnOf(third) }
  const isSchema = !isEverything(first) && findNames(first, bySchema).length > 0
  return isSchema ? { schema: first, table: second } : { table: first, ...columnOf(second) }
}

/** All columns of a table are the table. */
function columnOf(part: PatternPart): { column?: PatternPart } {
  return isEverything(part) ? {} : { column: part }
}

function isEverything({ name, matches }: PatternPart): boolean {
  return matches !== undefined && name === '*'
}

/** The keys of a map that a part matches. */
function findNames({ name, matches }: PatternPart, names: ReadonlyMap<string, unknown>): string[] {
  if (matches === undefined) return names.has(name) ? [name] : []
  return [...names.keys()].filter((each) => matches.test(each))
}

function findTables(
  { schema, table }: Target,
  { bySchema, byName }: TableIndex,
): readonly CatalogueTable[] {
  if (schema === undefined)
    return findNames(table, byName).flatMap((name) => byName.get(name) ?? [])
  return findNames(schema, bySchema).flatMap((name) => {
    const within = bySchema.get(name) ?? new Map<string, CatalogueTable>()
    return findNames(table, within).flatMap((relation) => within.get(relation) ?? [])
  })
}

function findColumns({ name, matches }: PatternPart, { columns }: CatalogueTable): string[] {
  const isMatch = (each: string) => (matches === undefined ? each === name : matches.test(each))
  return columns.map((column) => column.name).filter(isMatch)
}

/** The error for a pattern without a match, with what may have been meant. */
function matchesNothing(
  pattern: Pattern,
  {
    setting,
    found,
    index,
  }: { setting: string; found: readonly CatalogueTable[]; index: TableIndex },
): ConfigError {
  const hasTable = found.length > 0
  const meant = hasTable ? nearestColumn(pattern, found, index) : nearestTable(pattern, index)
  return new ConfigError(
    `The pattern ${pattern.text} in ${setting} matches no ${hasTable ? 'column' : 'table'} of the source`,
    {
      code: 'PATTERN_MATCHES_NOTHING',
      hint: `${meant === undefined ? '' : `did you mean ${meant}? `}Correct the pattern or remove it; capitals count`,
    },
  )
}

/** The pattern with the nearest name of a column in the tables that it matches. */
function nearestColumn(
  { text, parts }: Pattern,
  found: readonly CatalogueTable[],
  { byName }: TableIndex,
): string | undefined {
  const { name: last } = parts.at(-1) ?? { name: '' }
  const before = text.slice(0, text.lastIndexOf(patternOf(last)))
  // Two parts may have been meant as a schema and a table.
  if (parts.length === 2 && byName.has(last)) return `${text}.*`
  const names = new Set(found.flatMap(({ columns }) => columns.map(({ name }) => name)))
  const near = nearestName(last, names, farthest(last))
  return near === undefined ? undefined : before + patternOf(near)
}

function nearestTable(
  { parts }: Pattern,
  { all, byName, bySchema }: TableIndex,
): string | undefined {
  const [first = '', second] = parts.map(({ name }) => name)
  if (second !== undefined) {
    const whole = patternOf(first, second)
    const places = all.map(({ schema, relation }) => patternOf(schema, relation))
    const near = nearestName(whole, places, farthest(whole))
    if (near !== undefined) return near
  }
  const near = nearestName(first, [...byName.keys(), ...bySchema.keys()], farthest(first))
  return near === undefined ? undefined : patternOf(near)
}

/** In how many letters a mistyped name may differ from the one that was meant. */
function farthest(name: string): number {
  return Math.max(1, Math.floor(name.length / 4))
}
