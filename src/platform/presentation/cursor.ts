import { readText, type TextRows } from '../io/postgres-text.ts'
import type { Client } from '../io/postgres.ts'
import type { BoundStatement } from './question.ts'

/** The kind of a column's values, as far as it matters for showing them. */
export type ColumnKind = 'number' | 'date' | 'moment' | 'boolean' | 'text'

/** A column of a result. */
export interface ResultColumn {
  readonly name: string
  readonly kind: ColumnKind
}

/** The cells of a row as Postgres prints them (ISO dates, every digit); null for null. */
export type Row = readonly (string | null)[]

/** An open cursor in the transaction of its connection. */
export interface Cursor {
  readonly columns: readonly ResultColumn[]
  /** Fetches up to `rowCount` further rows. Fewer rows mean that there are no more. */
  fetch(rowCount: number): Promise<readonly Row[]>
}

/** The text in front of the statement in a cursor's declaration. */
export const DECLARATION = 'declare tidemark_cursor no scroll cursor without hold for\n'

/**
 * Opens a cursor over one statement, in the transaction that is open. Postgres itself ensures that
 * the statement is one select without side effects in its `with` (manual, DECLARE); the extended
 * protocol ensures that no second statement follows. Throws `pg`'s errors unchanged.
 */
export async function openCursor(
  client: Client,
  { text, values }: BoundStatement,
): Promise<Cursor> {
  await readText(client, DECLARATION + text, values)
  const { columns } = await readText(client, 'fetch forward 0 from tidemark_cursor')
  return {
    columns: describeColumns(columns),
    async fetch(rowCount) {
      return (await readText(client, `fetch forward ${rowCount} from tidemark_cursor`)).rows
    },
  }
}

/** The columns of a result, each with the kind of its values. */
export function describeColumns(columns: TextRows['columns']): ResultColumn[] {
  return columns.map(({ name, typeId }) => ({ name, kind: KINDS.get(typeId) ?? 'text' }))
}

// Ids of built-in types (pg_type.dat), which never change. A domain's column has the id of its base
// type.
const KINDS: ReadonlyMap<number, ColumnKind> = new Map([
  [16, 'boolean'],
  ...[20, 21, 23, 26, 700, 701, 1700].map((id) => [id, 'number'] as const),
  [1082, 'date'],
  [1114, 'moment'],
  [1184, 'moment'],
])
