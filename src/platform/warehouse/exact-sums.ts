import { readFileSync } from 'node:fs'
import { codeOf } from '../errors.ts'
import type { Client } from '../io/postgres.ts'
import { SQL_STATE } from '../io/sql-states.ts'
import { identifier } from '../io/sql.ts'
import { currentTable } from '../project/fact-names.ts'
import type { Fact } from '../project/model.ts'
import { invalidSums, sumsTablesOf } from './sums.ts'
import type { ShownSums } from './sums-view.ts'

const COLUMN_TYPES = readFileSync(new URL('./column-types.sql', import.meta.url), 'utf8')

/**
 * The types of a fact's columns and of its sums. If both have a name, the sum's type counts. The
 * type of a domain is its base type, because grains without a column show null.
 */
export async function readTypes(client: Client, fact: Fact): Promise<ReadonlyMap<string, string>> {
  const tables = [fact.table, ...sumsTablesOf(fact).map(({ name }) => name)]
  const { rows } = await client.query<{ name: string; type: string }>(COLUMN_TYPES, [
    tables.map(identifier),
    identifier(fact.table),
  ])
  return new Map(rows.map(({ name, type }) => [name, type]))
}

/**
 * Throws `ConfigError` (`SUMS_INVALID`) unless whatever a load adds to a sum can be taken away exactly
 * later. The tables of sums must be empty; they get conditions that keep it so. Call it in a
 * transaction.
 */
export async function checkExact(client: Client, shown: ShownSums): Promise<void> {
  checkTypes(shown)
  await checkImmutable(client, shown)
  await client.query(requireFinite(shown))
}

/** Throws unless every sum stays exact while rows are added and taken away. */
function checkTypes({ fact, sums, types }: ShownSums): void {
  for (const name of Object.keys(sums.columns)) {
    const type = types.get(name) ?? ''
    if (type === 'bigint' || type === 'numeric') continue
    throw invalidSums(
      fact,
      `${name} would be ${type}, but only sums of integers and numerics are exact`,
    )
  }
}

/**
 * Throws `ConfigError` unless each expression always has the same value for the same row. If it
 * depended on the day or on the time zone, a load would take away what it never added.
 */
async function checkImmutable(
  client: Client,
  { fact, sums: { columns, derived = {} } }: ShownSums,
): Promise<void> {
  // Postgres takes no other expression into an index.
  const checked = identifier(`checked ${fact.table}`)
  await client.query(`create table ${checked} (like ${identifier(currentTable(fact))})`)
  for (const sql of [...Object.values(columns), ...Object.values(derived)]) {
    await client.query(`create index on ${checked} ((${sql}))`).catch((error: unknown) => {
      if (codeOf(error) !== SQL_STATE.invalidObjectDefinition) throw error
      throw invalidSums(fact, `${sql} may have another value tomorrow or elsewhere`, {
        cause: error,
      })
    })
  }
  await client.query(`drop table ${checked}`)
}

/**
 * SQL that makes the tables of sums refuse NaN and infinity: infinity minus infinity is NaN for
 * good.
 */
function requireFinite({ fact, sums, types }: ShownSums): string {
  const finite = Object.keys(sums.columns)
    .filter((name) => types.get(name) === 'numeric')
    .map((name) => `${identifier(name)} > '-infinity' and ${identifier(name)} < 'infinity'`)
  if (finite.length === 0) return ''
  return sumsTablesOf(fact)
    .map(({ name }) => `alter table ${identifier(name)} add check (${finite.join(' and ')})`)
    .join(';\n')
}
