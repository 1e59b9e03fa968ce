import type { DuckDb, Relation } from '../io/duckdb.ts'
import { openTogether } from '../io/open-together.ts'
import { identifier, identifiers } from '../io/sql.ts'
import type { StateFile } from './commit-record.ts'
import { type Column, tryValueFrom } from './lake-type.ts'
import { readParquet } from './parquet.ts'
import { printedText } from './printed-text.ts'
import { openFiles, type Zone } from './zone.ts'
import { describeFiles } from './describe-select.ts'

/** The schema of a table in the lake. */
export interface LakeTable {
  readonly name: string
  readonly key: readonly string[]
  readonly columns: readonly Column[]
  /** How the table's change files name the change columns, by their usual names. */
  readonly changeNames?: Readonly<Record<string, string>>
}

/** Operations after which a key has no row. */
export const GONE_OPERATIONS = "('delete', 'leave')"

/** A select list of change columns of a table's files, under their usual names. */
export function changeColumns(
  { changeNames = {} }: Pick<LakeTable, 'changeNames'>,
  names: Iterable<string>,
): string[] {
  return [...names].map((name) => {
    const own = changeNames[name]
    return own === undefined ? name : `${identifier(own)} as ${name}`
  })
}

/** The columns of a table's key, in the key's order. */
export function keyColumns({ key, columns }: Pick<LakeTable, 'key' | 'columns'>): Column[] {
  return key.flatMap((name) => columns.find((column) => column.name === name) ?? [])
}

/**
 * The table in the state that a commit record describes: the rows of the base, overridden by the
 * last change of each key, without deleted rows. It has the columns of `table`.
 *
 * If an older file lacks a column, the column comes from a former name, or is null. If its type
 * differs, its values are converted, so a type that became wider changes no row; a value that does
 * not convert becomes null. Reads local, checked files only. Dispose of the relation after use.
 */
export async function openState(
  db: DuckDb,
  zone: Zone,
  {
    table,
    state,
    select = selectFiles,
    as,
  }: {
    table: LakeTable
    state: readonly StateFile[]
    /** Selects the columns from the files, if not by their names alone. */
    select?: typeof selectFiles
    /** Name of the view; a generated name if omitted. */
    as?: string
  },
): Promise<Relation> {
  const open = (isBase: boolean) =>
    openFiles(
      zone,
      state.filter(({ role }) => (role === 'base') === isBase),
    )
  const base = await select(db, await open(true), table.columns)
  const later = await open(false)
  if (later.length === 0) return await db.view(base, as)

  const names = identifiers(table.columns.map((column) => column.name))
  const extra = changeColumns(table, ['_operation', '_batch', '_ordinal'])
  const changes = await select(db, later, table.columns, extra)
  return await openTogether(async (keep) => {
    const overlay = keep(
      await db.table(`select ${names}, _operation from (${changes}) ${lastOfEachKey(table)}`),
    )
    return keep(
      await db.view(
        `select ${names} from (${base})
         anti join ${overlay.name} using (${identifiers(table.key)})
         union all
         select ${names} from ${overlay.name} where _operation not in ${GONE_OPERATIONS}`,
        as,
      ),
    )
  })
}

/**
 * A select of `columns` and `extra` columns from Parquet files that may have been written with
 * other columns or types.
 */
export async function selectFiles(
  db: DuckDb,
  paths: readonly string[],
  columns: readonly Column[],
  extra: readonly string[] = [],
): Promise<string> {
  if (paths.length === 0) return selectNothing(columns)
  // Each file is selected on its own: among several, a missing column looks like a renamed one.
  const isRenamed = columns.some(({ formerly = [] }) => formerly.length > 0)
  const groups = isRenamed ? paths.map((path) => [path]) : await groupByTypes(db, paths)
  const selects: string[] = []
  for (const group of groups) selects.push(await selectGroup(db, group, { columns, extra }))
  return selects.join(' union all ')
}

/**
 * The files in groups in which each column has one type. DuckDB would convert the values of a group to
 * the widest of its types, which changes them: `true` beside 1 becomes 1.
 */
async function groupByTypes(db: DuckDb, paths: readonly string[]): Promise<string[][]> {
  const found = await db.parquetColumns(paths)
  const groups: { types: Map<string, string>; paths: string[] }[] = []
  for (const [index, path] of paths.entries()) {
    const file = found[index] ?? []
    const fits = ({ types }: { types: Map<string, string> }) =>
      file.every(({ name, type }) => (types.get(name) ?? type) === type)
    let group = groups.find(fits)
    if (group === undefined) groups.push((group = { types: new Map(), paths: [] }))
    group.paths.push(path)
    for (const { name, type } of file) group.types.set(name, type)
  }
  return groups.map((group) => group.paths)
}

async function selectGroup(
  db: DuckDb,
  paths: readonly string[],
  { columns, extra }: { columns: readonly Column[]; extra: readonly string[] },
): Promise<string> {
  const source = readParquet(paths)
  const found = await describeFiles(db, paths)
  const types = new Map(found.map((column) => [column.name, column.type]))
  const selected = columns.map(({ name, type, formerly = [], was }) => {
    const held = [name, ...formerly].find((each) => types.has(each))
    if (held === undefined) return `null::${type} as ${identifier(name)}`
    const value = identifier(held)
    const from = types.get(held) ?? ''
    const as = (to: string) => (from === to ? value : tryValueFrom(value, { held: from, type: to }))
    if (was === undefined || from === 'VARCHAR') return `${as(type)} as ${identifier(name)}`
    const text = printedText(as(was.type), was.type)
    return `case when ${was.where} then ${text} else ${as(type)} end as ${identifier(name)}`
  })
  return `select ${[...selected, ...extra].join(', ')} from ${source}`
}

/** SQL clause that keeps the last change of each key, by batch and ordinal. */
export function lastOfEachKey({ key }: Pick<LakeTable, 'key'>): string {
  return `qualify row_number() over (
    partition by ${identifiers(key)} order by _batch desc, _ordinal desc
  ) = 1`
}

/** A select with these columns and no rows. */
export function selectNothing(columns: readonly Column[]): string {
  const none = columns.map(({ name, type }) => `null::${type} as ${identifier(name)}`)
  return `select ${none.join(', ')} where false`
}
