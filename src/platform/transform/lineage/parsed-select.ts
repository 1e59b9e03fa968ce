import type { DuckDb } from '../../io/duckdb.ts'
import { duckLiteral } from '../../io/sql.ts'
import type { Node } from './select-lineage.ts'

/** A project's select as DuckDB's own parser reads it. */
export interface ParsedSelect {
  /** The statement; empty if it cannot be parsed. */
  readonly node: Node
  /** Every table name in it, in lower case. */
  readonly names: ReadonlySet<string>
  /** The functions it calls, operators among them, in lower case. */
  readonly functions: ReadonlySet<string>
}

/** Selects by their SQL: parsed once in the life of a process. */
const parsed = new Map<string, ParsedSelect>()
const MAX_PARSED = 1000

/** Parses a select. Never throws for a fault in it: running it reports that better. */
export async function parseSelect(db: DuckDb, sql: string): Promise<ParsedSelect> {
  const known = parsed.get(sql)
  if (known !== undefined) return known
  const [found] = await db.rows<{ sql: string }>(
    `select json_serialize_sql(${duckLiteral(sql)}) as sql`,
  )
  // Not `getTableNames`, which finds no table at all in a `join … using`.
  const names = new Set<string>()
  const functions = new Set<string>()
  const tree = JSON.parse(found?.sql ?? '{}', (key, value: unknown) => {
    if (key === 'table_name' && typeof value === 'string') names.add(value.toLowerCase())
    if (key === 'function_name' && typeof value === 'string') functions.add(value.toLowerCase())
    return value
  }) as { statements?: { node: Node }[] }
  const select = { node: tree.statements?.[0]?.node ?? {}, names, functions }
  if (parsed.size >= MAX_PARSED) parsed.clear()
  parsed.set(sql, select)
  return select
}
