import { readText } from '../io/postgres-text.ts'
import type { Client } from '../io/postgres.ts'
import type { BoundStatement } from './question.ts'

/** What a column holds, as far as showing it goes. */
export type ColumnKind = 'number' | 'date' | 'moment' | 'boolean' | 'text'

export interface ResultColumn {
  readonly name: string
  readonly kind: ColumnKind
}

/** Cells as Postgres prints them (ISO dates, every digit), null for null. */
export type Row = readonly (string | null)[]

export interface Cursor {
  readonly columns: readonly ResultColumn[]
  /** Up to `rowCount` further rows; fewer mean that there are no more. */
  fetch(rowCount: number): Promise<readonly Row[]>
}

/** What stands in front of a statement in its declaration. */
export const DECLARATION = 'declare tidemark_cursor no scroll cursor without hold for\n'

/**
 * A cursor over one statement, in the transaction that is open. Postgres itself sees to it that the
 * statement is one select without side effects in its `with` (manual, DECLARE), and through the
 * extended protocol that nothing follows it. Throws what `pg` throws.
 */
export async function openCursor(
  client: Client,
  { text, values }: BoundStatement,
): Promise<Cursor> {
  await readText(client, DECLARATION + text, values)
  const { columns } = await readText(client, 'fetch forward 0 from tidemark_cursor')
  return {
    columns: columns.map(({ name, typeId }) => ({ name, kind: KINDS.get(typeId) ?? 'text' })),
    async fetch(rowCount) {
      return (await readText(client, `fetch forward ${rowCount} from tidemark_cursor`)).rows
    },
  }
}

// Ids of built-in types (pg_type.dat); they never change. A domain's column has its base type's.
const KINDS: ReadonlyMap<number, ColumnKind> = new Map([
  [16, 'boolean'],
  ...[20, 21, 23, 26, 700, 701, 1700].map((id) => [id, 'number'] as const),
  [1082, 'date'],
  [1114, 'moment'],
  [1184, 'moment'],
])
