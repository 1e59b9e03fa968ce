import type { Client } from '../io/postgres.ts'
import { identifier } from '../io/sql.ts'
import type { PublishedSchema } from '../lake/published-schema.ts'
import {
  asOfBatchFunction,
  asOfFunction,
  currentTable,
  historyView,
} from '../project/fact-names.ts'
import type { Fact } from '../project/model.ts'
import { listSums, removeSums } from './make-sums.ts'

/** Drops the view and the functions of a fact's past, which `makeHistory` makes again. */
export async function dropPast(client: Client, fact: Pick<Fact, 'table'>): Promise<void> {
  await client.query(`
    drop function if exists ${identifier(asOfFunction(fact))} (timestamptz);
    drop function if exists ${identifier(asOfBatchFunction(fact))} (bigint);
    drop view if exists ${identifier(historyView(fact))}`)
}

/**
 * Drops everything that belongs to a derived fact beside its table: its past, its sums and its current
 * rows. Takes all of it, and the table, off the list of relations. Does nothing else for a dimension.
 */
export async function dropHistory(client: Client, definition: PublishedSchema): Promise<void> {
  const fact = factOf(definition)
  await unlist(client, definition)
  if (fact === undefined) return
  await removeSums(client, fact)
  await dropPast(client, fact)
  await client.query(`drop table if exists ${identifier(currentTable(fact))}`)
}

/**
 * Takes a derived table and what belongs to it off the list of relations, so that the warehouse is
 * complete without them.
 */
export async function unlist(client: Client, definition: PublishedSchema): Promise<void> {
  const fact = factOf(definition)
  const own =
    fact === undefined
      ? []
      : [currentTable(fact), historyView(fact), ...(await listSums(client, fact))]
  await client.query('delete from tidemark_relation where name = any($1::text[])', [
    [definition.table, ...own],
  ])
}

/** The fact of which a table has the definition, as far as that says; undefined for a dimension. */
export function factOf({
  table,
  kind,
  key,
  recordId,
  history,
  follows,
}: PublishedSchema): Fact | undefined {
  if (kind !== 'fact' || recordId === undefined) return undefined
  const told = { ...(history && { history }), ...(follows && { follows }) }
  return { kind, table, key, recordId, sql: '', from: '', references: [], ...told }
}
