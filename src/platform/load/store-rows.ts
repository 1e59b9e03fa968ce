import { readFileSync } from 'node:fs'
import { ContractError } from '../errors.ts'
import { type BinaryForm, FORM_TYPES, writeBinary, writeText } from '../io/copy-formats.ts'
import type { DuckDb } from '../io/duckdb.ts'
import { copyFromPieces } from '../io/postgres-copy.ts'
import type { Client } from '../io/postgres.ts'
import { identifier, identifiers } from '../io/sql.ts'
import { describeFiles } from '../lake/describe-select.ts'
import type { Column } from '../lake/lake-type.ts'
import { readParquet } from '../lake/parquet.ts'
import { printedText } from '../lake/printed-text.ts'
import { CHANGE_COLUMNS } from '../project/source-contract.ts'
import { unfilled } from '../warehouse/unfilled-columns.ts'
import { RESTORE } from '../warehouse/warehouse.ts'

const TABLE_COLUMNS = readFileSync(new URL('./table-columns.sql', import.meta.url), 'utf8')

/** Where rows go: a connection in a transaction, and the DuckDB that reads them. */
export interface Transfer {
  readonly client: Client
  readonly db: DuckDb
}

/** How the rows of change files are sent to one table. */
export interface CopyPlan {
  /** The names of the columns, in order. */
  readonly columns: readonly string[]
  /** The names of all columns of the table. Those that the files lack get their defaults. */
  readonly allColumns: readonly string[]
  /** The number of rows in the files. */
  readonly rows: number
  /** Select of the rows: a column for each form, or one column with whole lines as bytes. */
  readonly select: string
  /** In COPY's binary format, the form of each column; undefined in its text format. */
  readonly forms: readonly BinaryForm[] | undefined
}

interface Form {
  readonly form: BinaryForm
  /** SQL of the value in DuckDB. */
  readonly value: string
}

/**
 * Plans the copy of change files into `table`. Rows are sent in COPY's binary format if each column
 * can be sent in the table's own type, and otherwise in its text format. Throws `ContractError`
 * (`WAREHOUSE_CHANGED`) if the table cannot take their rows: it has lost a column, or has a new one
 * that requires a value.
 */
export async function planCopy(
  { client, db }: Transfer,
  table: string,
  files: readonly string[],
): Promise<CopyPlan> {
  const source = readParquet(files)
  const found = await describeFiles(db, files)
  const incoming = found.filter(({ name }) => !CHANGE_COLUMNS.has(name))
  const { rows: present } = await client.query<TableColumn>(TABLE_COLUMNS, [identifier(table)])
  checkColumns(table, { incoming, present })
  const types = new Map(present.map(({ name, type }) => [name, type]))
  const typed = incoming.map((column) => ({ column, type: types.get(column.name) ?? 'text' }))
  const times = typed.flatMap(({ column, type }) => (isTime(column, type) ? [column.name] : []))
  const areExactTimes = await haveOneForm(db, source, times)
  const forms = typed.flatMap(({ column, type }) => formOf(column, { type, areExactTimes }) ?? [])
  const plan = {
    columns: incoming.map(({ name }) => name),
    allColumns: present.map(({ name }) => name),
    rows: await db.count(source),
  }
  if (forms.length < incoming.length) {
    const fields = typed.map(({ column, type }) => asField(column, type))
    const line = `concat_ws(chr(9), ${fields.join(', ')})`
    return { ...plan, select: `select encode(${line}) as line from ${source}`, forms: undefined }
  }
  const values = forms.map(({ value }, index) => `${value} as c${index}`)
  const select = `select ${values.join(', ')} from ${source}`
  return { ...plan, select, forms: forms.map(({ form }) => form) }
}

interface TableColumn {
  readonly name: string
  readonly type: string
  readonly wants: boolean
  readonly schema: string
}

function checkColumns(
  table: string,
  { incoming, present }: { incoming: readonly Column[]; present: readonly TableColumn[] },
): void {
  const there = new Set(present.map(({ name }) => name))
  const names = incoming.map(({ name }) => name)
  const lost = names.filter((name) => !there.has(name))
  if (lost.length > 0) {
    throw new ContractError(`The warehouse table ${table} has lost its column ${lost.join(', ')}`, {
      code: 'WAREHOUSE_CHANGED',
      hint: RESTORE,
    })
  }
  const added = present.find(({ name, wants }) => wants && !names.includes(name))
  if (added === undefined) return
  throw unfilled({ schema: added.schema, table, column: added.name })
}

/**
 * Streams the planned rows into `table`, in the order of the files, and returns how many were
 * stored.
 */
export async function storeRows(
  { client, db }: Transfer,
  plan: CopyPlan,
  table: string,
): Promise<number> {
  const { select, rows, forms } = plan
  const chunks = db.chunks(select, rows)
  const target = `${identifier(table)} (${namesOf(plan)})`
  return forms === undefined
    ? await copyFromPieces(client, { target, format: 'text' }, writeText(chunks))
    : await copyFromPieces(client, { target, format: 'binary' }, writeBinary(chunks, forms))
}

/** The quoted names of the columns that are sent, in order. */
export function namesOf({ columns }: CopyPlan): string {
  return identifiers(columns)
}

/** The types that take bytes as they take text. */
const TEXT_TYPES: ReadonlySet<string> = new Set(['text', 'character varying', 'character'])

const INTEGERS = ['smallint', 'integer', 'bigint'] as const
const INTEGER_FORMS = { smallint: 'int2', integer: 'int4', bigint: 'int8' } as const

/** The types that hold the same values in both databases, beside whole numbers, dates and times. */
const ALIKE: readonly (readonly [duckDb: RegExp, postgres: string, form: BinaryForm])[] = [
  [FORM_TYPES.bool, 'boolean', 'bool'],
  [FORM_TYPES.float4, 'real', 'float4'],
  [FORM_TYPES.float8, 'double precision', 'float8'],
  [FORM_TYPES.numeric, 'numeric', 'numeric'],
  [FORM_TYPES.bytes, 'bytea', 'bytes'],
]

/** Days and microseconds from 1970, where DuckDB counts from, to 2000, where Postgres does. */
const EPOCH_DAYS = 10_957
const EPOCH_MICROS = 946_684_800_000_000n

/**
 * How a column is sent in the table's own type; undefined if the type may not hold exactly the same
 * values.
 */
function formOf(
  { name, type: held }: Column,
  { type, areExactTimes }: { type: string; areExactTimes: boolean },
): Form | undefined {
  const column = identifier(name)
  const alike = ALIKE.find(([duckDb, postgres]) => duckDb.test(held) && postgres === type)
  if (alike !== undefined) return { form: alike[2], value: column }
  if (held === 'VARCHAR' && TEXT_TYPES.has(type)) {
    return { form: 'bytes', value: `encode(${column})` }
  }
  if (isWiderFloat(held, type)) return { form: 'float8', value: `${column}::double` }
  const target = INTEGERS.find((each) => each === type)
  const width = INTEGERS.findIndex((each) => each.toUpperCase() === held)
  if (target !== undefined && width >= 0 && width <= INTEGERS.indexOf(target)) {
    return { form: INTEGER_FORMS[target], value: `${column}::${target}` }
  }
  if (held === 'DATE' && type === 'date') {
    const days = `(${column} - date '1970-01-01' - ${EPOCH_DAYS})::integer`
    return { form: 'int4', value: orInfinite(column, days, INFINITE_DAYS) }
  }
  if (MOMENTS[held] === type) {
    const micros = `epoch_us(${column}) - ${EPOCH_MICROS}`
    return { form: 'int8', value: orInfinite(column, micros, INFINITE_MICROS) }
  }
  const isExactTime = areExactTimes && isTime({ name, type: held }, type)
  return isExactTime ? { form: 'int8', value: `epoch_us(${column}::time)` } : undefined
}

const MOMENTS: Readonly<Record<string, string>> = {
  TIMESTAMP: 'timestamp without time zone',
  TIMESTAMPTZ: 'timestamp with time zone',
}

interface Infinite {
  readonly least: string
  readonly greatest: string
}

const INFINITE_DAYS: Infinite = { least: '-2147483648', greatest: '2147483647' }
const INFINITE_MICROS: Infinite = {
  least: '-9223372036854775808',
  greatest: '9223372036854775807',
}

/** SQL of a count from the epoch. Postgres writes infinity as the least or greatest number. */
function orInfinite(column: string, finite: string, { least, greatest }: Infinite): string {
  return `case
    when isfinite(${column}) then ${finite}
    when ${column} is null then null
    when ${column} > date '1970-01-01' then ${greatest} else ${least}
  end`
}

function isTime({ type: held }: Column, type: string): boolean {
  return held === 'VARCHAR' && type === 'time without time zone'
}

/**
 * Whether every text in these columns is a time as DuckDB writes it. Only then is its number of
 * microseconds surely what Postgres would read from the text.
 */
async function haveOneForm(
  db: DuckDb,
  source: string,
  columns: readonly string[],
): Promise<boolean> {
  if (columns.length === 0) return true
  const others = columns.map((name) => {
    const column = identifier(name)
    return `${column} is distinct from try_cast(${column} as time)::varchar`
  })
  const { found } = await db.row<{ found: boolean }>(
    `select exists (select 1 from ${source} where ${others.join(' or ')}) as found`,
  )
  return !found
}

/** Types whose text never holds a backslash, tab or line break. */
const PLAIN = /^(BOOLEAN|SMALLINT|INTEGER|BIGINT|DECIMAL\(.*\)|FLOAT|DOUBLE)$/

/** SQL of a field in COPY's text format, from which Postgres reads the value as `target` exactly. */
function asField({ name, type }: Column, target: string): string {
  const column = identifier(name)
  const value = isWiderFloat(type, target) ? `${column}::double` : column
  // A number that is kept as text is kept in the text that the source would print.
  const isText = PLAIN.test(type) && TEXT_TYPES.has(target)
  const text = isText ? printedText(value, type) : asText(value, type)
  return `coalesce(${text}, '\\N')`
}

/** Whether the text of a float would be that of another float in the column's type. */
function isWiderFloat(held: string, type: string): boolean {
  return held === 'FLOAT' && type === 'double precision'
}

function asText(column: string, type: string): string {
  if (PLAIN.test(type)) return `${column}::varchar`
  switch (type) {
    case 'BLOB':
      // In the digits that Postgres prints: the column may have become text.
      return `'\\\\x' || lower(hex(${column}))`
    case 'DATE':
    case 'TIMESTAMP':
    case 'TIMESTAMPTZ':
      // DuckDB marks a year before our era with `(BC)` behind the date, Postgres with `BC` at the end.
      return `case when ${column} < '0001-01-01'::${type} then regexp_replace(${column}::varchar, ' \\(BC\\)(.*)$', '\\1 BC') else ${column}::varchar end`
    default:
      return `replace(replace(replace(replace(${column}::varchar, '\\', '\\\\'), chr(9), '\\t'), chr(10), '\\n'), chr(13), '\\r')`
  }
}
