import { readFileSync } from 'node:fs'
import { codeOf, ContractError } from '../errors.ts'
import { NOT_UTF8_STATES } from '../io/sql-states.ts'
import type { CatalogueColumn, CatalogueTable, ForeignKey } from '../project/catalogue-table.ts'
import { attemptRead, type PostgresSnapshot } from './snapshot.ts'

const CATALOGUE = readFileSync(new URL('./catalogue.sql', import.meta.url), 'utf8')
const RELATIONS = readFileSync(new URL('./relations.sql', import.meta.url), 'utf8')

/** What the message of an error calls the read. */
const READ = { name: 'pg_catalog', hasXmin: true } as const

/**
 * Reads every table, view and foreign table of the source, by schema and name, in the moment of the
 * snapshot. Leaves out partitions, temporary tables, and what belongs to the server or to an
 * extension. Needs no right to any of the tables, and waits for nobody's lock.
 *
 * The definition of a table need not be UTF-8. Then the table comes without its comments and foreign
 * keys. If its own name, a column or a type is not UTF-8, it cannot be read: it comes without columns,
 * with every byte outside ASCII in its name as an octal escape (`sch\366n`).
 */
export async function readCatalogue(snapshot: PostgresSnapshot): Promise<CatalogueTable[]> {
  const all = await readRelations(snapshot, { hasDetails: true })
  if (all !== undefined) return all
  const { rows } = await attemptRead(snapshot, READ, (client) =>
    client.query<EscapedRelation>(RELATIONS),
  )
  const found = await readApart(snapshot, rows)
  return found.toSorted((a, b) => compare(a.schema, b.schema) || compare(a.relation, b.relation))
}

function compare(left: string, right: string): number {
  return left < right ? -1 : Number(left > right)
}

/** A row of `relations.sql`. */
interface EscapedRelation {
  oid: string
  schema: string
  relation: string
}

/** Reads the halves of a list apart until only the relations that are not UTF-8 fail. */
async function readApart(
  snapshot: PostgresSnapshot,
  relations: readonly EscapedRelation[],
): Promise<CatalogueTable[]> {
  const [first, ...others] = relations
  if (first === undefined) return []
  const oids = relations.map(({ oid }) => oid)
  const found = await readRelations(snapshot, { oids, hasDetails: true })
  if (found !== undefined) return found
  if (others.length === 0) {
    const bare = await readRelations(snapshot, { oids, hasDetails: false })
    return bare ?? [unreadable(first)]
  }
  const middle = Math.ceil(oids.length / 2)
  return [
    ...(await readApart(snapshot, relations.slice(0, middle))),
    ...(await readApart(snapshot, relations.slice(middle))),
  ]
}

/** A row of `catalogue.sql`. */
interface CatalogueRow {
  schema: string
  relation: string
  kind: CatalogueTable['kind']
  is_readable: boolean
  columns: (Omit<CatalogueColumn, 'comment'> & { readonly comment: string | null })[]
  key: { readonly columns: string[]; readonly from: 'primary key' | 'unique index' } | null
  comment: string | null
  foreign_keys: ForeignKey[]
  rows: number | null
  bytes: number | null
}

/** Reads these relations, or all. Undefined if something in one of them is not UTF-8. */
async function readRelations(
  snapshot: PostgresSnapshot,
  { oids, hasDetails }: { oids?: readonly string[]; hasDetails: boolean },
): Promise<CatalogueTable[] | undefined> {
  const rows = await unlessNotUtf8(
    attemptRead(snapshot, READ, (client) =>
      client.query<CatalogueRow>(CATALOGUE, [oids ?? null, hasDetails]),
    ),
  )
  return rows?.rows.map((row) => ({
    schema: row.schema,
    relation: row.relation,
    kind: row.kind,
    isReadable: row.is_readable,
    columns: row.columns.map((column) => ({ ...column, comment: column.comment ?? undefined })),
    key: row.key?.columns,
    keyFrom: row.key?.from,
    comment: row.comment ?? undefined,
    foreignKeys: row.foreign_keys,
    rows: row.rows === null ? undefined : Math.round(row.rows),
    bytes: row.bytes ?? undefined,
  }))
}

/** A relation whose definition is not UTF-8: its name, and nothing else. */
function unreadable({ schema, relation }: EscapedRelation): CatalogueTable {
  return {
    schema,
    relation,
    kind: 'table',
    isReadable: false,
    columns: [],
    key: undefined,
    keyFrom: undefined,
    comment: undefined,
    foreignKeys: [],
    rows: undefined,
    bytes: undefined,
  }
}

async function unlessNotUtf8<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading
  } catch (error) {
    if (error instanceof ContractError && NOT_UTF8_STATES.has(codeOf(error.cause))) return undefined
    throw error
  }
}
