import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Client } from '../io/postgres.ts'
import { identifier } from '../io/sql.ts'
import type { PublishedSchema } from '../lake/published-schema.ts'
import type { Model } from '../project/model.ts'
import { factOf } from './drop-history.ts'
import { makeHistory } from './make-history.ts'
import { createTable, describeTable } from './table-definition.ts'

const BELONGINGS = readFileSync(new URL('./belongings.sql', import.meta.url), 'utf8')

/** Relations and functions of a schema, by name. */
export interface Named {
  readonly relations: readonly string[]
  readonly functions: readonly string[]
}

/** One thing that a relation or function has, such as a column, an index or a comment. */
export interface Belonging {
  /** The relation or function. */
  readonly relation: string
  readonly kind: string
  readonly name: string
  /** All that identifies it. It may hold constants of expressions, so it is never logged. */
  readonly definition: string
}

/**
 * What relations and functions of a schema have, and what else depends on them. Those that do not
 * exist have nothing. Sets the search path of the transaction to `schema`.
 */
export async function readBelongings(
  client: Client,
  schema: string,
  { relations, functions }: Named,
): Promise<Belonging[]> {
  await client.query(`set local search_path = ${identifier(schema)}`)
  const { rows } = await client.query<Belonging>(BELONGINGS, [schema, relations, functions])
  return rows
}

/** The things in `some` that are not in `others`. Pure. */
export function missingIn(some: readonly Belonging[], others: readonly Belonging[]): Belonging[] {
  const there = new Set(others.map(markOf))
  return some.filter((each) => !there.has(markOf(each)))
}

function markOf({ relation, kind, name, definition }: Belonging): string {
  return JSON.stringify([relation, kind, name, definition])
}

/** A thing in words, by names only: `fact_sale has the index sale_note`. Pure. */
export function describeBelonging({ relation, kind, name }: Belonging): string {
  if (kind === 'use') return `${name} depends on ${relation}`
  const isItself = name === relation
  return `${relation} has ${isItself ? `a ${kind} of its own` : `the ${kind} ${name}`}`
}

/**
 * What derived tables have if nobody has changed them since they were derived by these definitions:
 * the tables, and of facts the current rows and the history. It makes them in a schema of their own,
 * and rolls that back to a savepoint. Sets the search path. Call it in a transaction.
 */
export async function readDefined(
  client: Client,
  definitions: readonly PublishedSchema[],
): Promise<Belonging[]> {
  const schema = `tidemark reference ${randomBytes(6).toString('hex')}`
  const inOrder = definitions.toSorted((a, b) => rank(a) - rank(b))
  const names = new Set(definitions.map(({ table }) => table))
  const models = definitions.map(({ kind, table, key }): Pick<Model, 'kind' | 'table' | 'key'> => ({
    kind,
    table,
    key,
  }))
  await client.query(`
    savepoint reference;
    create schema ${identifier(schema)};
    set local search_path = ${identifier(schema)};
    create table tidemark_ledger ()`)
  for (const definition of inOrder) {
    const { references = [] } = definition
    const known = references.filter(({ dimension }) => names.has(dimension))
    await client.query(createTable({ ...definition, references: known }, { models }))
    await client.query(describeTable(definition))
    const fact = factOf(definition)
    if (fact !== undefined) await makeHistory(client, fact)
  }
  const { rows } = await client.query<{ name: string }>(
    `select relname::text as name from pg_class where relnamespace = to_regnamespace(quote_ident($1))`,
    [schema],
  )
  const relations = rows.map(({ name }) => name)
  const found = await readBelongings(client, schema, { relations, functions: [] })
  await client.query('rollback to savepoint reference; release savepoint reference')
  return found
}

function rank({ kind }: PublishedSchema): number {
  return Number(kind === 'fact')
}
