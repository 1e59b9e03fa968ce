import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { codeOf, ConfigError, ConflictError, ContractError } from '../errors.ts'
import { withPostgresErrors } from '../io/postgres-errors.ts'
import { qualified } from '../io/sql.ts'
import { NOT_UTF8_STATES } from '../io/sql-states.ts'
import type { SourceContract, SourceTable } from '../project/source-contract.ts'
import { type Breach, findBreach } from './contract.ts'
import { byContent } from './content.ts'
import { lockTables } from './lock.ts'
import { attemptRead, type PostgresSnapshot } from './snapshot.ts'
import type { SourceColumn, TableShape } from './table-shape.ts'

/** A table of the contract in this snapshot. */
export interface SourceState {
  readonly table: SourceTable
  /** Undefined if the table cannot be read at all. */
  readonly shape: TableShape | undefined
  /** Why it cannot be captured; undefined if it keeps its contract. */
  readonly breach: Breach | undefined
}

/** A row of `tables.sql`. */
interface ListedRow {
  name: string
  oid: string
  kind: string
  has_xmin: boolean
  has_ctid_ranges: boolean
  size_bytes: string
  descendants: string[]
  key_is_unique: boolean
  can_enforce_key: boolean
  may_enter: boolean
  hidden: string[]
  /** As they enter the fingerprint. Another field would make every table look changed. */
  columns: Omit<SourceColumn, keyof ColumnDetails>[] | null
  column_identities: unknown[] | null
  column_parts: unknown[] | null
  column_details: ColumnDetails[] | null
}

type ColumnDetails = Required<Pick<SourceColumn, 'default' | 'generated' | 'labels'>>

const NO_DETAILS: ColumnDetails = { default: null, generated: false, labels: null }

const QUERY = readFileSync(new URL('./tables.sql', import.meta.url), 'utf8')
const UNLISTED = readFileSync(new URL('./unlisted.sql', import.meta.url), 'utf8')
const REWRITTEN = readFileSync(new URL('./rewritten.sql', import.meta.url), 'utf8')

/**
 * Returns all tables of the contract, in its order, as they are in the snapshot. Each is compared
 * with its contract, and locked so that reading it need not wait. A table that somebody else has
 * locked is not read, and the lock is its breach. If no table at all can be read, this is another
 * database or another user rather than a changed schema. Then throws `ContractError` if no table
 * exists, and `ConfigError` if the user may not read any.
 */
export async function readTables(
  snapshot: PostgresSnapshot,
  contract: SourceContract,
): Promise<SourceState[]> {
  const placed = contract.tables.map((table) => ({ table, ...placeOf(table, contract) }))
  const wanted = placed.map(({ table, schema, relation }) => ({
    name: table.name,
    relation: qualified(schema, relation),
  }))
  const clashing = placed.flatMap(({ table: { name, clash } }): [string, Breach][] =>
    clash === undefined ? [] : [[name, { reason: 'name_taken', detail: clash }]],
  )
  const taken = new Map(clashing)
  const out = new Map([
    ...taken,
    ...(await lockTables(
      snapshot,
      wanted.filter(({ name }) => !taken.has(name)),
    )),
  ])
  const free = placed.filter(({ table }) => !out.has(table.name))
  const { found, unreadable } = await readDefinitions(snapshot, free)
  const states = placed.map(({ table, schema, relation }): SourceState => {
    const away = out.get(table.name) ?? unreadable.get(table.name)
    if (away !== undefined) return { table, shape: undefined, breach: away }
    const whole = found.get(table.name)
    const row = whole && withoutExcluded(table, whole)
    if (row === undefined) {
      const detail = `there is no table ${schema}.${relation}`
      return { table, shape: undefined, breach: { reason: 'table_missing', detail } }
    }
    if (!row.may_enter || row.columns === null) {
      const what = row.may_enter ? `table ${schema}.${relation}` : `schema ${schema}`
      const detail = `this user may not read ${what}`
      return { table, shape: undefined, breach: { reason: 'permission', detail } }
    }
    // A misspelt name could let an excluded column through, so nothing is read, not even for
    // quarantine.
    const unmatched = findUnmatched(table, whole)
    if (unmatched !== undefined) return { table, shape: undefined, breach: unmatched }
    const shape = shapeOf(table, row, qualified(schema, relation))
    return { table, shape, breach: findBreach(table, asFound(row, shape)) }
  })
  checkAnyReadable(snapshot, states)
  return states
}

/** A table of the contract and its place in the source. */
interface Placed {
  readonly table: SourceTable
  readonly schema: string
  readonly relation: string
}

/**
 * Reads what the catalogue says about each table that exists, by name. If the server cannot answer
 * for all tables at once, asks for each alone: a name, label or default that is not UTF-8 is a
 * breach of its own table only.
 */
async function readDefinitions(
  snapshot: PostgresSnapshot,
  tables: readonly Placed[],
): Promise<{ found: ReadonlyMap<string, ListedRow>; unreadable: ReadonlyMap<string, Breach> }> {
  const found = new Map<string, ListedRow>()
  const unreadable = new Map<string, Breach>()
  const read = async (some: readonly Placed[]): Promise<ContractError | undefined> => {
    const name = some.map(({ table }) => table.name).join(', ')
    try {
      const { rows } = await attemptRead(snapshot, { name, hasXmin: true }, (client) =>
        client.query<ListedRow>(QUERY, [
          some.map(({ table }) => table.name),
          some.map(({ schema }) => schema),
          some.map(({ relation }) => relation),
          some.map(({ table }) => table.key.join('\u0001')),
        ]),
      )
      for (const row of rows) found.set(row.name, row)
      return undefined
    } catch (error) {
      if (!(error instanceof ContractError)) throw error
      return error
    }
  }
  if ((await read(tables)) === undefined) return { found, unreadable }
  for (const each of tables) {
    const error = await read([each])
    if (error !== undefined) unreadable.set(each.table.name, indefinable(error))
  }
  return { found, unreadable }
}

/** The breach of a table whose definition the server cannot read. */
function indefinable({ cause }: ContractError): Breach {
  const code = codeOf(cause)
  const why = NOT_UTF8_STATES.has(code)
    ? 'a name, label or default in its definition is not UTF-8'
    : 'the source cannot read its definition'
  return { reason: 'unreadable', detail: `${why}: error ${code}` }
}

/** What the catalogue says about a table, as if its excluded columns did not exist. */
function withoutExcluded({ exclude = [] }: SourceTable, row: ListedRow): ListedRow {
  if (exclude.length === 0) return row
  const isKept = (row.columns ?? []).map(({ name }) => !exclude.includes(name))
  const keep = <T>(values: T[] | null) => values && values.filter((_, index) => isKept[index])
  return {
    ...row,
    hidden: row.hidden.filter((name) => !exclude.includes(name)),
    columns: keep(row.columns),
    column_identities: keep(row.column_identities),
    column_details: keep(row.column_details),
  }
}

/** The breach of a table that lacks a column to exclude, because its name may be misspelt. */
function findUnmatched(
  { exclude = [] }: SourceTable,
  row: ListedRow | undefined,
): Breach | undefined {
  const names = new Set([...(row?.columns ?? []).map(({ name }) => name), ...(row?.hidden ?? [])])
  const unmatched = exclude.find((name) => !names.has(name))
  if (unmatched === undefined) return undefined
  return {
    reason: 'column_missing',
    detail: `there is no column ${unmatched} to exclude`,
  }
}

function placeOf(table: SourceTable, contract: SourceContract): Omit<Placed, 'table'> {
  return { schema: table.schema ?? contract.schema, relation: table.relation ?? table.name }
}

/** Throws if every table is missing or forbidden. */
function checkAnyReadable({ database }: PostgresSnapshot, states: readonly SourceState[]): void {
  const [first] = states
  const isAway = ({ shape, breach }: SourceState) =>
    shape === undefined && (breach?.reason === 'table_missing' || breach?.reason === 'permission')
  if (first?.breach === undefined || !states.every(isAway)) return
  if (states.every(({ breach }) => breach?.reason === 'table_missing')) {
    throw new ContractError(
      `${database.title} has none of the tables in the contract: ${first.breach.detail}`,
      {
        code: 'SOURCE_TABLE_MISSING',
        hint: 'check that TIDEMARK_SOURCE_URL names the right database',
      },
    )
  }
  throw new ConfigError(
    `This user cannot read any table of ${database.title}: ${first.breach.detail}`,
    {
      code: 'SOURCE_FORBIDDEN',
      hint: 'tidemark doctor',
    },
  )
}

function asFound(
  row: ListedRow,
  { columns, keyIsUnique }: TableShape,
): Parameters<typeof findBreach>[1] {
  const enums = new Set(
    columns.filter(({ labels }) => Array.isArray(labels)).map(({ name }) => name),
  )
  return {
    columns,
    hidden: row.hidden,
    isEnum: (column) => enums.has(column),
    keyIsUnique,
    canEnforceKey: row.can_enforce_key,
  }
}

function shapeOf(table: SourceTable, row: ListedRow, relation: string): TableShape {
  const columns = (row.columns ?? []).map((column, index) => ({
    ...column,
    ...(row.column_details?.[index] ?? NO_DETAILS),
  }))
  const shape: TableShape = {
    name: table.name,
    key: table.key,
    relation,
    columns,
    hasXmin: row.has_xmin,
    hasCtidRanges: row.has_ctid_ranges,
    sizeBytes: Number(row.size_bytes),
    keyIsUnique: row.key_is_unique,
    fingerprint: fingerprintOf(table, row),
  }
  return table.isByContent === true ? byContent(shape) : shape
}

/**
 * Relations in the captured schemas that the contract does not name, in order. If one of the names
 * is not UTF-8, every byte outside ASCII in all of them is written as an octal escape
 * (`sch\\366n`).
 */
export async function readUnlisted(
  snapshot: PostgresSnapshot,
  contract: SourceContract,
): Promise<string[]> {
  const places = contract.tables.map((table) => placeOf(table, contract))
  const read = (escaped: boolean) =>
    attemptRead(snapshot, { name: 'of no contract', hasXmin: true }, (client) =>
      client.query<{ name: string }>(UNLISTED, [
        places.map(({ schema }) => schema),
        places.map(({ relation }) => relation),
        escaped,
      ]),
    )
  const { rows } = await read(false).catch((error: unknown) => {
    if (error instanceof ContractError) return read(true)
    throw error
  })
  return rows.map(({ name }) => name)
}

/**
 * Throws `ConflictError` if a table was truncated or rewritten after the snapshot was taken, because
 * it then looks empty to that snapshot (manual, 13.6), or if it has had other partitions since,
 * because a read uses the present ones. Called after the tables were read, when the locks of this
 * transaction rule out a later change of this kind.
 */
export async function checkNotRewritten(
  snapshot: PostgresSnapshot,
  contract: SourceContract,
): Promise<void> {
  const { rows } = await withPostgresErrors(snapshot.database, () =>
    snapshot.client.query<{ relation: string }>(REWRITTEN, [
      contract.tables.map((table) => table.schema ?? contract.schema),
      contract.tables.map((table) => table.relation ?? table.name),
    ]),
  )
  const [found] = rows
  if (found === undefined) return
  throw new ConflictError(
    `Table ${found.relation} was truncated, rewritten or given other partitions while it was read`,
    {
      code: 'SOURCE_REWRITTEN',
      hint: 'run it again; nothing was half-published',
    },
  )
}

/** A hash of everything that `TableShape.fingerprint` covers. */
function fingerprintOf(table: SourceTable, row: ListedRow): string {
  const identity = [
    row.oid,
    row.kind,
    row.columns,
    row.column_identities,
    row.descendants,
    table.key,
    // Added only if there are any, so that the fingerprints of all other tables stay the same.
    ...(row.column_parts ?? []),
  ]
  return createHash('sha256').update(JSON.stringify(identity)).digest('hex').slice(0, 16)
}
