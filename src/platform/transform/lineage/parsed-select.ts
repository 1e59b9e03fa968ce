import type { DuckDb } from '../../io/duckdb.ts'
import { boundedMap, inMemory, type Memory } from '../../io/memory.ts'
import { duckLiteral } from '../../io/sql.ts'
import type { Node } from './select-lineage.ts'

/** A project's select, parsed by DuckDB's own parser. */
export interface ParsedSelect {
  /** The statement; empty if it cannot be parsed. */
  readonly node: Node
  /** Every table name in the select, in lower case. */
  readonly names: ReadonlySet<string>
  /** The functions it calls, operators among them, in lower case. */
  readonly functions: ReadonlySet<string>
}

/** The database that parses a select, and the memory that keeps the result. */
export interface Parser {
  readonly db: DuckDb
  readonly memory: Memory
}

const parsedIn = inMemory(() => boundedMap<string, ParsedSelect>(1000))

/**
 * Parses a select, once per process. Never throws for an error in the select: `node` is then empty,
 * and running the select reports the error better.
 */
export async function parseSelect({ db, memory }: Parser, sql: string): Promise<ParsedSelect> {
  const parsed = parsedIn(memory)
  const known = parsed.get(sql)
  if (known !== undefined) return known
  const { sql: json } = await db.row<{ sql: string }>(
    `select json_serialize_sql(${duckLiteral(sql)}) as sql`,
  )
  // Not `getTableNames`, which finds no table in a `join … using`.
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
