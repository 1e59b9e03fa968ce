import { readFileSync } from 'node:fs'
import { withPostgresErrors } from '../io/postgres-errors.ts'
import { storedHistory } from '../project/fact-names.ts'
import { CONTENT_COUNT, CONTENT_KEY } from '../project/mirror.ts'
import type { Model } from '../project/model.ts'
import type { Project } from '../project/project.ts'
import { presentModels } from '../warehouse/derive-tables.ts'
import { inSnapshot, type WarehouseClient } from '../warehouse/warehouse.ts'

const COLUMNS = readFileSync(new URL('./table-columns.sql', import.meta.url), 'utf8')

/** A table of the warehouse, as people browse it. */
export interface BrowsedTable {
  readonly model: Model
  /** Its own columns, in order: without the record id and the columns of the history. */
  readonly columns: readonly BrowsedColumn[]
  /** Whether its source table has no key, so that a row is its values, with a count. */
  readonly isByContent: boolean
}

/** A column of a table, and what can be done with its values. */
export interface BrowsedColumn {
  readonly name: string
  /** As Postgres prints it, with a length or precision. */
  readonly type: string
  /** The same without them. Safe to use in SQL: Postgres has quoted it. */
  readonly plain: string
  readonly kind: ValueKind
  /** Whether its values have an order, so that rows can be sorted by them. */
  readonly isOrdered: boolean
  readonly description: string | undefined
}

/** How values of a type are written and compared. */
export type ValueKind =
  | 'integer'
  | 'number'
  | 'float'
  | 'date'
  | 'moment'
  | 'boolean'
  | 'uuid'
  | 'text'
  | 'other'

/**
 * A table of the project in the warehouse, by its name. Undefined if the project has no such model or
 * the warehouse no such table yet. Throws what reading throws.
 */
export async function findBrowsedTable(
  connection: WarehouseClient,
  project: Project,
  name: string,
): Promise<BrowsedTable | undefined> {
  const { client, warehouse } = connection
  return await withPostgresErrors(warehouse, () =>
    inSnapshot(connection, async () => {
      const models = project.models.filter(({ table }) => table === name)
      const [model] = await presentModels(client, { ...project, models })
      if (model === undefined) return undefined
      const { rows } = await client.query<ColumnRow>(COLUMNS, [name])
      return browsedTable(model, rows)
    }),
  )
}

interface ColumnRow extends Pick<BrowsedColumn, 'name' | 'type' | 'plain'> {
  readonly description: string | null
}

/** The table of a model with the columns that the warehouse says it has. Pure. */
export function browsedTable(model: Model, rows: readonly ColumnRow[]): BrowsedTable {
  const about = new Set(model.kind === 'fact' ? [model.recordId, ...storedHistory(model)] : [])
  const columns = rows.flatMap(({ description, ...column }): BrowsedColumn[] =>
    about.has(column.name)
      ? []
      : [
          {
            ...column,
            kind: kindOf(column.plain),
            isOrdered: isOrdered(column.plain),
            description: description ?? undefined,
          },
        ],
  )
  const isByContent =
    model.key.length === 1 &&
    model.key[0] === CONTENT_KEY &&
    columns.some(({ name }) => name === CONTENT_COUNT)
  return { model, columns, isByContent }
}

const KINDS: Readonly<Record<string, ValueKind>> = {
  smallint: 'integer',
  integer: 'integer',
  bigint: 'integer',
  numeric: 'number',
  real: 'float',
  'double precision': 'float',
  date: 'date',
  'timestamp without time zone': 'moment',
  'timestamp with time zone': 'moment',
  boolean: 'boolean',
  uuid: 'uuid',
  text: 'text',
  'character varying': 'text',
  bpchar: 'text',
}

function kindOf(plain: string): ValueKind {
  return KINDS[plain] ?? 'other'
}

/** Other types whose values Postgres puts in order by itself. */
const ORDERED =
  /^(time with(out)? time zone|interval|inet|cidr|macaddr8?|bytea|oid|jsonb|bit varying|"bit"|int[48](multi)?range|num(multi)?range|ts(tz)?(multi)?range|date(multi)?range|tsvector|tsquery)$/

function isOrdered(plain: string): boolean {
  const item = plain.replace(/(\[\])+$/, '')
  return kindOf(item) !== 'other' || ORDERED.test(item)
}
