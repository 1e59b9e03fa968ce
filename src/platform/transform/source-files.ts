import type { DuckDb } from '../io/duckdb.ts'
import { duckLiteral, identifier } from '../io/sql.ts'
import type { Column } from '../lake/lake-type.ts'
import { readParquet } from '../lake/parquet.ts'
import { rowText } from '../lake/quarantine/quarantine.ts'
import { selectNothing } from '../lake/table-state.ts'
import { CHANGE_COLUMNS } from '../project/source-contract.ts'
import { shortType } from '../lake/describe-select.ts'

/** A source table in the columns that models see. */
export interface SourceView {
  readonly name: string
  readonly key: readonly string[]
  readonly columns: readonly (Column & { readonly formerly: readonly string[] })[]
  /** Whether a contract declares the columns. Otherwise they are the columns that were captured. */
  readonly isContract: boolean
}

/** The columns of a change in addition to the table's own. */
export const CHANGE_TYPES: readonly Column[] = [
  { name: '_operation', type: 'VARCHAR' },
  { name: '_batch', type: 'BIGINT' },
  { name: '_captured_at', type: 'TIMESTAMPTZ' },
  { name: '_ordinal', type: 'BIGINT' },
]

/** Files of a source table, read in a view's columns, whatever columns each was written with. */
export interface ReadFiles {
  /** Whether all files were written in the view's types, so that no value is converted. */
  readonly isExact: boolean
  /**
   * SQL of the rows in some of the files, with the view's columns and the change columns that the
   * files have. `_fault` is the first column whose value does not fit and is null here; it is null
   * if all values fit. `_key` and `_content` are as in quarantine.
   */
  rows(paths: readonly string[]): string
}

/**
 * Reads the columns of local files and prepares their conversion to a view's columns. Reads no
 * rows.
 */
export async function readFiles(
  db: DuckDb,
  view: SourceView,
  paths: readonly string[],
): Promise<ReadFiles> {
  const shapes = await readShapes(db, paths)
  const selects = new Map(shapes.map((shape) => [shape, selectShape(view, shape.columns)]))
  return {
    isExact: [...selects.values()].every(({ isExact }) => isExact),
    rows(some) {
      const wanted = new Set(some)
      const arms = [...selects].flatMap(([shape, { select }]) => {
        const own = shape.paths.filter((path) => wanted.has(path))
        return own.length === 0 ? [] : [`select ${select} from ${readParquet(own)}`]
      })
      const nothing = selectNothing([
        ...view.columns,
        ...CHANGE_TYPES,
        ...['_fault', '_key', '_content'].map((name) => ({ name, type: 'VARCHAR' })),
      ])
      return `(${arms.length === 0 ? nothing : arms.join('\nunion all by name\n')})`
    },
  }
}

/** Files that were written with the same columns. */
interface Shape {
  readonly paths: string[]
  /** Name → type. */
  readonly columns: ReadonlyMap<string, string>
}

async function readShapes(db: DuckDb, paths: readonly string[]): Promise<Shape[]> {
  const files = [...new Set(paths)]
  const found = await db.parquetColumns(files)
  const shapes = new Map<string, Shape>()
  for (const [index, path] of files.entries()) {
    const columns = new Map(found[index]?.map(({ name, type }) => [name, shortType(type)]))
    const text = JSON.stringify([...columns])
    const shape = shapes.get(text) ?? { paths: [], columns }
    shape.paths.push(path)
    shapes.set(text, shape)
  }
  return [...shapes.values()]
}

/** The select list that makes a view's rows from files with these columns. */
function selectShape(
  { key, columns }: SourceView,
  present: ReadonlyMap<string, string>,
): { select: string; isExact: boolean } {
  const misfits: string[] = []
  const keyColumns: (Column & { label: string })[] = []
  const selected = columns.map(({ name, type, formerly }) => {
    const was = [name, ...formerly].find((each) => present.has(each))
    const before = was === undefined ? undefined : present.get(was)
    if (was === undefined || before === undefined) return `null::${type} as ${identifier(name)}`
    if (key.includes(name)) keyColumns.push({ name: was, type: before, label: name })
    if (before === type) return `${identifier(was)} as ${identifier(name)}`
    const value = identifier(was)
    const fits = fitsExactly(value, { from: before, to: type })
    misfits.push(`when ${value} is not null and not ${fits} then ${duckLiteral(name)}`)
    return `case when ${fits} then try_cast(${value} as ${type}) end as ${identifier(name)}`
  })
  const captured = [...present].filter(([name]) => !CHANGE_COLUMNS.has(name))
  const inOrder = key.flatMap((name) => keyColumns.find(({ label }) => label === name) ?? [])
  const misfit = misfits.length === 0 ? 'null::varchar' : `case ${misfits.join(' ')} end`
  const select = [
    ...selected,
    ...[...CHANGE_COLUMNS].filter((name) => present.has(name)),
    `${misfit} as _fault`,
    `${rowText(inOrder)} as _key`,
    `${rowText(captured.map(([name, type]) => ({ name, type })))} as _content`,
  ]
  return { select: select.join(', '), isExact: misfits.length === 0 }
}

/**
 * SQL condition that the type `to` holds a value of the type `from` exactly; never null for a
 * value.
 */
function fitsExactly(value: string, { from, to }: { from: string; to: string }): string {
  const cast = `try_cast(${value} as ${to})`
  if (from !== 'VARCHAR') return `coalesce(try_cast(${cast} as ${from}) = ${value}, false)`
  // An unbounded numeric is kept as text, in which 2.5 and 2.50 are the same number.
  return `coalesce(${shortNumber(`${cast}::varchar`)} = ${shortNumber(value)}, false)`
}

function shortNumber(text: string): string {
  return `case when contains(${text}, '.') then rtrim(rtrim(${text}, '0'), '.') else ${text} end`
}
