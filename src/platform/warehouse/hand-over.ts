import { readFileSync } from 'node:fs'
import { codeOf, ConfigError } from '../errors.ts'
import { type Client, onlyRow } from '../io/postgres.ts'
import { SQL_STATE } from '../io/sql-states.ts'
import { identifier } from '../io/sql.ts'
import type { PublishedSchema } from '../lake/published-schema.ts'
import { dropHistory } from './drop-history.ts'

const DERIVED = readFileSync(new URL('./derived-oids.sql', import.meta.url), 'utf8')
const HAND_OVER = readFileSync(new URL('./hand-over.sql', import.meta.url), 'utf8')

/** A derived table, with what identifies the relation that it is now. */
interface DerivedTable {
  readonly definition: PublishedSchema
  readonly oid: string | null
}

/** The derived tables of a warehouse by name; none before there is a list of them. */
export async function listDerived(client: Client): Promise<ReadonlyMap<string, DerivedTable>> {
  const found = await client.query<{ there: boolean }>(
    `select to_regclass('tidemark_table') is not null as there`,
  )
  if (!onlyRow(found).there) return new Map()
  const { rows } = await client.query<DerivedTable>(DERIVED)
  return new Map(rows.map((row) => [row.definition.table, row]))
}

/**
 * Runs a migration. Throws `ConfigError` (`MIGRATION_OF_DERIVED`) if it makes a table that the
 * warehouse has, derived from its model, and does not drop it first.
 */
export async function runMigration(
  client: Client,
  { name, sql }: { readonly name: string; readonly sql: string },
  derived: ReadonlyMap<string, DerivedTable>,
): Promise<void> {
  const made = tablesMadeBy(sql).find((table) => derived.has(table))
  try {
    await client.query(sql)
  } catch (error) {
    if (made === undefined || codeOf(error) !== SQL_STATE.duplicateTable) throw error
    throw ofDerived(name, made, error)
  }
  if (made === undefined) return
  // `create table if not exists` did nothing.
  const now = await listDerived(client)
  if (now.get(made)?.oid === derived.get(made)?.oid) throw ofDerived(name, made)
}

/** The tables that statements make, by name. */
function tablesMadeBy(sql: string): string[] {
  const statements = sql.replaceAll(/--.*$/gm, '')
  const made = statements.matchAll(
    /\bcreate\s+(?:unlogged\s+)?table\s+(?:if\s+not\s+exists\s+)?(?:"([^"]+)"|([\w$]+))/gi,
  )
  return [...made].map(([, quoted, plain = '']) => quoted ?? plain.toLowerCase())
}

function ofDerived(migration: string, table: string, cause?: unknown): ConfigError {
  return new ConfigError(
    `Migration ${migration} makes ${table}, but this warehouse has the table derived from its model`,
    {
      code: 'MIGRATION_OF_DERIVED',
      hint: `nothing was changed; to let the migration win, begin it with: drop table if exists ${identifier(table)} cascade;`,
      cause,
    },
  )
}

/**
 * Hands the derived tables that migrations have replaced or dropped over to them: drops what belonged
 * to these tables, and lets the next load make the warehouse's content again from the lake, because
 * their rows are gone. A dropped table that a model still makes is derived again by that load.
 */
export async function handOver(
  client: Client,
  before: ReadonlyMap<string, DerivedTable>,
): Promise<void> {
  if (before.size === 0) return
  const now = await listDerived(client)
  for (const [table, { definition, oid }] of before) {
    if (now.get(table)?.oid === oid) continue
    await dropHistory(client, definition)
    await client.query(HAND_OVER, [table])
  }
}
