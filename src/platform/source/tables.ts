import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { ConflictError, ContractError } from '../errors.ts'
import { withPostgresErrors } from '../postgres.ts'
import { CHANGE_COLUMNS, type SourceContract, type SourceTable } from '../project.ts'
import { qualified } from '../sql.ts'
import type { SourceSnapshot } from './snapshot.ts'

export interface SourceColumn {
  readonly name: string
  /** As `format_type` prints it. */
  readonly type: string
  /** The same with domains resolved. */
  readonly baseType: string
  readonly nullable: boolean
  /**
   * These three are for the archive; `readShapes` always gives them. The expression of the default,
   * or the one a generated column is computed by.
   */
  readonly default?: string | null
  readonly generated?: boolean
  /** Labels of its enum (or of the enum its array holds), in their order. */
  readonly labels?: readonly string[] | null
}

/** A source table as it is in this snapshot. */
export interface TableShape {
  readonly name: string
  readonly key: readonly string[]
  /** Quoted, for SQL. */
  readonly relation: string
  readonly columns: readonly SourceColumn[]
  /**
   * Whether transaction ids and a count prove what changed. Not so of a view or a foreign table,
   * which have none, nor under row security, where a policy decides anew which rows are seen:
   * these are compared whole every time.
   */
  readonly hasXmin: boolean
  /** Whether it can be read in ranges of pages. */
  readonly hasCtidRanges: boolean
  readonly sizeBytes: number
  /** Whether the catalogue proves the key to be unique and not null. */
  readonly keyIsUnique: boolean
  /**
   * Changes with the columns and with the table's identity: relation, partitions, and whatever
   * changes what is read without touching a row (a column put in another's place, the labels of
   * an enum, the expression of a generated column).
   */
  readonly fingerprint: string
}

interface Row {
  name: string
  oid: string
  kind: string
  has_xmin: boolean
  has_ctid_ranges: boolean
  size_bytes: string
  descendants: string[]
  key_is_unique: boolean
  /** As they enter the fingerprint: a field more would make every table look changed. */
  columns: Omit<SourceColumn, keyof ColumnDetails>[]
  column_identities: unknown[]
  column_details: ColumnDetails[]
}

type ColumnDetails = Required<Pick<SourceColumn, 'default' | 'generated' | 'labels'>>

const NO_DETAILS: ColumnDetails = { default: null, generated: false, labels: null }

const QUERY = readFileSync(new URL('./tables.sql', import.meta.url), 'utf8')
const REWRITTEN = readFileSync(new URL('./rewritten.sql', import.meta.url), 'utf8')

/**
 * The shapes of all tables of the contract, in its order. Throws `ContractError` naming a table
 * or key column that is not there.
 */
export async function readShapes(
  snapshot: SourceSnapshot,
  contract: SourceContract,
): Promise<TableShape[]> {
  const placed = contract.tables.map((table) => ({
    table,
    schema: table.schema ?? contract.schema,
    relation: table.relation ?? table.name,
  }))
  const { rows } = await withPostgresErrors(snapshot.database, () =>
    snapshot.client.query<Row>(QUERY, [
      placed.map(({ table }) => table.name),
      placed.map(({ schema }) => schema),
      placed.map(({ relation }) => relation),
      placed.map(({ table }) => table.key.join('\u0001')),
    ]),
  )
  const found = new Map(rows.map((row) => [row.name, row]))
  return placed.map(({ table, schema, relation }) => {
    const row = found.get(table.name)
    if (row === undefined) {
      throw new ContractError(
        `${snapshot.database.title} has no table ${schema}.${relation}, or it may not be seen`,
        { code: 'SOURCE_TABLE_MISSING', hint: 'restore the table or grant usage on its schema' },
      )
    }
    checkColumns(table, row)
    return {
      name: table.name,
      key: table.key,
      relation: qualified(schema, relation),
      columns: row.columns.map((column, index) => ({
        ...column,
        ...(row.column_details[index] ?? NO_DETAILS),
      })),
      hasXmin: row.has_xmin,
      hasCtidRanges: row.has_ctid_ranges,
      sizeBytes: Number(row.size_bytes),
      keyIsUnique: row.key_is_unique,
      fingerprint: fingerprintOf(table, row),
    }
  })
}

/**
 * Throws `ConflictError` when a table was truncated or rewritten after the snapshot was taken: to
 * an older snapshot such a table looks empty (manual, 13.6). Called after the tables were read,
 * when this transaction's locks rule out a later rewrite.
 */
export async function checkNotRewritten(
  snapshot: SourceSnapshot,
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
  throw new ConflictError(`Table ${found.relation} was truncated or rewritten while it was read`, {
    code: 'SOURCE_REWRITTEN',
    hint: 'run it again; nothing was half-published',
  })
}

function checkColumns(table: SourceTable, row: Row): void {
  const names = new Set(row.columns.map((column) => column.name))
  const missing = table.key.find((column) => !names.has(column))
  if (missing !== undefined) {
    throw new ContractError(`Table ${table.name} has lost its key column ${missing}`, {
      code: 'SOURCE_KEY_MISSING',
      hint: 'restore the column, or declare another key',
    })
  }
  const seen = new Set<string>()
  for (const name of names) {
    const folded = name.toLowerCase()
    if (seen.has(folded) || CHANGE_COLUMNS.has(folded)) {
      throw new ContractError(
        `Table ${table.name} has a column ${name} that the lake cannot name`,
        {
          code: 'SOURCE_COLUMN_NAME',
          hint: `names must differ in more than case, and ${[...CHANGE_COLUMNS].join(', ')} are taken`,
        },
      )
    }
    seen.add(folded)
  }
}

function fingerprintOf(table: SourceTable, row: Row): string {
  const identity = [
    row.oid,
    row.kind,
    row.columns,
    row.column_identities,
    row.descendants,
    table.key,
  ]
  return createHash('sha256').update(JSON.stringify(identity)).digest('hex').slice(0, 16)
}
