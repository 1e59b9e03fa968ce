import type { DuckDb } from '../../io/duckdb.ts'
import { duckLiteral } from '../../io/sql.ts'
import { boundedMap, inMemory, type Memory } from '../../memory.ts'
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

/** What parses a select, and remembers it. */
export interface Parser {
  readonly db: DuckDb
  readonly memory: Memory
}

const parsedIn = inMemory(() => boundedMap<string, ParsedSelect>(1000))

/** Parses a select, once in the life of a process. Never throws for a fault in it: running it reports that better. */
export async function parseSelect({ db, memory }: Parser, sql: string): Promise<ParsedSelect> {
  const parsed = parsedIn(memory)
  const known = parsed.get(sql)
  if (known !== undefined) return known
  const { sql: json } = await db.row<{ sql: string }>(
    `select json_serialize_sql(${duckLiteral(sql)}) as sql`,
  )
  // Not `getTableNames`, which finds no table at all in a `join … using`.
  const names = new Set<string>()
  const functions = new Set<string>()
  const tree = JSON.parse(json, (key, value: unknown) => {
    if (key === 'table_name' && typeof value === 'string') names.add(value.toLowerCase())
    if (key === 'function_name' && typeof value === 'string') functions.add(value.toLowerCase())
    return value
  }) as { statements?: { node: Node }[] }
  const select = { node: tree.statements?.[0]?.node ?? {}, names, functions }
  parsed.set(sql, select)
  return select
}
