import { readFileSync } from 'node:fs'
import { ContractError } from '../errors.ts'
import { type BinaryForm, FORM_TYPES, writeBinary } from '../io/copy-binary.ts'
import type { DuckDb } from '../io/duckdb.ts'
import { copyFromPieces } from '../io/postgres-copy.ts'
import type { Client } from '../io/postgres.ts'
import { duckLiteral, identifier, identifiers, qualified } from '../io/sql.ts'
import { describeFiles } from '../lake/describe-select.ts'
import type { Column } from '../lake/lake-type.ts'
import { readParquet } from '../lake/parquet.ts'
import { CHANGE_COLUMNS } from '../project/source-contract.ts'

const TABLE_COLUMNS = readFileSync(new URL('./table-columns.sql', import.meta.url), 'utf8')

/** Where rows go: a connection in a transaction, and the DuckDB that reads them. */
export interface Transfer {
  readonly client: Client
  readonly db: DuckDb
}

/** How the rows of change files are sent to one table. */
export interface CopyPlan {
  readonly columns: readonly SentColumn[]
  /** Select of the rows, each column with the DuckDB type of its form. */
  readonly select: string
}

/** A column on its way from a change file to a table of the warehouse. */
interface SentColumn extends Form {
  readonly name: string
  /** The table's type, with domains resolved. */
  readonly type: string
}

interface Form {
  readonly form: BinaryForm
  /** The Postgres type that takes the bytes. */
  readonly sentAs: string
  /** SQL of the value in DuckDB. */
  readonly value: string
}

/**
 * Plans the copy of change files into `table`. Throws `ContractError` (`WAREHOUSE_CHANGED`) if the
 * table cannot take their rows: it has lost a column, or has a new one that requires a value.
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
  const areTimes = await haveOneForm(
    db,
    source,
    typed.flatMap(({ column, type }) => (isTime(column, type) ? [column.name] : [])),
  )
  const columns = typed.map(({ column, type }) => ({
    name: column.name,
    type,
    ...formOf(column, { type, isExactTime: areTimes && isTime(column, type) }),
  }))
  const values = columns.map(({ name, value }) => `${value} as ${identifier(name)}`)
  return { columns, select: `select ${values.join(', ')} from ${source}` }
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
  throw new ContractError(
    `The warehouse table ${table} has a new column ${added.name} that must not be null`,
    {
      code: 'WAREHOUSE_CHANGED',
      hint: `nothing was changed; alter table ${qualified(added.schema, table)} alter column ${identifier(added.name)} drop not null;`,
    },
  )
}

/** What to do about a warehouse that somebody else has changed. */
export const RESTORE =
  'restore the warehouse from a backup, or load into an empty TIDEMARK_WAREHOUSE_SCHEMA; nothing was changed'

/**
 * Streams the planned rows into `table`, in the order of the files, and returns how many were
 * stored. A column that cannot be sent in its own type goes as text into a table of its own first,
 * from which the server converts it as it would convert the text of a COPY.
 */
export async function storeRows(
  transfer: Transfer,
  plan: CopyPlan,
  table: string,
): Promise<number> {
  if (plan.columns.every(({ sentAs, type }) => isTakenAs(sentAs, type))) {
    return await sendRows(transfer, plan, identifier(table))
  }
  const incoming = await copyAside(transfer, plan, table)
  const { rowCount } = await transfer.client.query(`
    insert into ${identifier(table)} (${namesOf(plan)}) select ${incoming.values} from ${incoming.name}`)
  await incoming.drop()
  return rowCount ?? 0
}

/** Copied rows in a table of their own. */
export interface RowsAside {
  /** Its quoted name. */
  readonly name: string
  readonly rows: number
  /** Select list of the columns in the types of the table they are for. */
  readonly values: string
  drop(): Promise<void>
}

/**
 * Streams the planned rows into a new table without indexes, from which they can go into `table`.
 */
export async function copyAside(
  transfer: Transfer,
  plan: CopyPlan,
  table: string,
): Promise<RowsAside> {
  const { client } = transfer
  const name = identifier(`incoming ${table}`)
  const columns = plan.columns.map((column) => `${identifier(column.name)} ${column.sentAs}`)
  // Not a temporary table, because the loader may lack the right to create one.
  await client.query(`create unlogged table ${name} (${columns.join(', ')})`)
  const values = plan.columns.map((column) => {
    const value = identifier(column.name)
    return isTakenAs(column.sentAs, column.type) ? value : `${value}::${column.type}`
  })
  return {
    name,
    rows: await sendRows(transfer, plan, name),
    values: values.join(', '),
    drop: async () => {
      await client.query(`drop table ${name}`)
    },
  }
}

/** The quoted names of the columns that are sent, in order. */
export function namesOf({ columns }: CopyPlan): string {
  return identifiers(columns.map(({ name }) => name))
}

async function sendRows(
  { client, db }: Transfer,
  plan: CopyPlan,
  relation: string,
): Promise<number> {
  const pieces = writeBinary(
    db.chunks(plan.select),
    plan.columns.map(({ form }) => form),
  )
  return await copyFromPieces(client, `${relation} (${namesOf(plan)})`, pieces)
}

/** Whether a column takes the bytes of another type, and reads them as it reads text. */
function isTakenAs(sentAs: string, type: string): boolean {
  return sentAs === type || (sentAs === 'text' && TEXT_TYPES.has(type))
}

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

/** How a column is sent: in the table's own type if the value is then the same, else as text. */
function formOf(
  { name, type: held }: Column,
  { type, isExactTime }: { type: string; isExactTime: boolean },
): Form {
  const column = identifier(name)
  const alike = ALIKE.find(([duckDb, postgres]) => duckDb.test(held) && postgres === type)
  if (alike !== undefined) return { form: alike[2], sentAs: type, value: column }
  const target = INTEGERS.find((each) => each === type)
  const width = INTEGERS.findIndex((each) => each.toUpperCase() === held)
  if (target !== undefined && width >= 0 && width <= INTEGERS.indexOf(target)) {
    return { form: INTEGER_FORMS[target], sentAs: type, value: `${column}::${target}` }
  }
  if (held === 'DATE' && type === 'date') {
    const days = `(${column} - date '1970-01-01' - ${EPOCH_DAYS})::integer`
    return { form: 'int4', sentAs: type, value: orInfinite(column, days, INFINITE_DAYS) }
  }
  if (MOMENTS[held] === type) {
    const micros = `epoch_us(${column}) - ${EPOCH_MICROS}`
    return { form: 'int8', sentAs: type, value: orInfinite(column, micros, INFINITE_MICROS) }
  }
  if (isExactTime) return { form: 'int8', sentAs: type, value: `epoch_us(${column}::time)` }
  return { form: 'bytes', sentAs: 'text', value: `encode(${asText(column, held)})` }
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

/** SQL of a value as the text from which Postgres reads it exactly. */
function asText(column: string, held: string): string {
  switch (held) {
    case 'VARCHAR':
      return column
    case 'BLOB':
      return `${duckLiteral('\\x')} || hex(${column})`
    case 'DATE':
    case 'TIMESTAMP':
    case 'TIMESTAMPTZ':
      // DuckDB marks a year before our era with `(BC)` behind the date, Postgres with `BC` at the end.
      return `case when ${column} < '0001-01-01'::${held} then regexp_replace(${column}::varchar, ' \\(BC\\)(.*)$', '\\1 BC') else ${column}::varchar end`
    default:
      return `${column}::varchar`
  }
}
