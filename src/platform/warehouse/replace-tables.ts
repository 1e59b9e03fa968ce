import { readFileSync } from 'node:fs'
import type { Client } from '../io/postgres.ts'
import { identifier } from '../io/sql.ts'
import type { PublishedSchema } from '../lake/published-schema.ts'
import type { Model } from '../project/model.ts'
import type { Project } from '../project/project.ts'
import {
  deriveTables,
  explainUse,
  findUnderived,
  presentModels,
  type Underived,
} from './derive-tables.ts'
import { dropHistory, unlist } from './drop-history.ts'
import { makeHistory } from './make-history.ts'
import { loadedTables } from './sums.ts'
import { addReferences, diffColumns } from './table-definition.ts'
import type { WarehouseClient } from './warehouse.ts'

const REFERENCES = readFileSync(new URL('./derived-references.sql', import.meta.url), 'utf8')
const DEFINITIONS = readFileSync(new URL('./definitions.sql', import.meta.url), 'utf8')

/**
 * Makes the warehouse's tables what another generation needs, which replaces all rows: deletes the
 * rows of facts, and of dimensions that change, and derives the tables of `schemas`. A derived table
 * whose identity changes (its kind, key, record id or names of history) is made anew. A derived table
 * that no model makes any more stays, with its rows and without its foreign keys, and is retired:
 * the warehouse is complete without it, and it may be dropped.
 *
 * Throws what `deriveTables` throws. Call it in a locked transaction.
 */
export async function replaceTables(
  warehouse: WarehouseClient,
  project: Project,
  schemas: readonly PublishedSchema[],
): Promise<void> {
  const { client } = warehouse
  const underived = await findUnderived(warehouse, project, schemas)
  const changed = new Set(underived.map(({ schema }) => schema.table))
  const retired = await findRetired(client, project)
  const referring = await dropReferences(client, { underived, retired })
  for (const definition of retired) await retire(client, definition)
  const present = await presentModels(client, project)
  // Facts first: they may refer to dimensions by foreign keys that a migration made.
  for (const model of present.toSorted((a, b) => rank(a) - rank(b))) {
    if (model.kind !== 'fact' && !changed.has(model.table)) continue
    for (const table of loadedTables(model)) await client.query(`delete from ${identifier(table)}`)
  }
  for (const { before } of underived.filter(isMadeAnew)) {
    if (before !== undefined) await dropTable(client, before)
  }
  const wanted = underived.map((each) => (isMadeAnew(each) ? { ...each, before: undefined } : each))
  await deriveTables(warehouse, project, wanted, { isReplaced: true })
  const made = new Set(wanted.flatMap((each) => (each.before ? [] : [each.schema.table])))
  for (const model of project.models) {
    if (model.kind !== 'fact' || !referring.has(model.table) || made.has(model.table)) continue
    await client.query(addReferences(model, project))
  }
  for (const model of await presentModels(client, project)) {
    // Rows of a fact can leave once it follows tables, also if its table is made by hand.
    if (model.kind === 'fact' && model.follows !== undefined) await makeHistory(client, model)
  }
}

/**
 * Retires the derived tables that no model makes any more, except those in `kept`: each stays with its
 * rows, loses its foreign keys, and is not needed from now on. May be repeated. Returns their names.
 */
export async function retireTables(
  client: Client,
  project: Project,
  kept: ReadonlySet<string>,
): Promise<string[]> {
  const found = await findRetired(client, project)
  const retired = found.filter(({ table }) => !kept.has(table))
  await dropReferences(client, { underived: [], retired })
  for (const definition of retired) await retire(client, definition)
  return retired.map(({ table }) => table)
}

function rank({ kind }: Model): number {
  return Number(kind !== 'fact')
}

/** Whether a table becomes another thing, so that nothing of it can stay. */
export function isMadeAnew({ schema, before }: Underived): boolean {
  if (before === undefined) return false
  const identity = ({ kind, key, recordId, history }: PublishedSchema) =>
    JSON.stringify([kind, key, recordId, history])
  return identity(before) !== identity(schema)
}

/** The definitions of the derived tables that no model makes any more. */
export async function findRetired(client: Client, project: Project): Promise<PublishedSchema[]> {
  const { rows } = await client.query<{ definition: PublishedSchema }>(DEFINITIONS)
  const made = new Set(project.models.map(({ table }) => table))
  return rows.map(({ definition }) => definition).filter(({ table }) => !made.has(table))
}

/**
 * Drops the foreign keys that stand in the way: of tables that refer to others from now on or are
 * retired, and of tables that refer to a key that changes. Returns the tables whose foreign keys
 * must be made again.
 */
async function dropReferences(
  client: Client,
  { underived, retired }: { underived: readonly Underived[]; retired: readonly PublishedSchema[] },
): Promise<ReadonlySet<string>> {
  const redirected = underived.filter(
    ({ schema, before }) =>
      before !== undefined &&
      JSON.stringify(before.references) !== JSON.stringify(schema.references),
  )
  const rekeyed = underived.filter((each) => isMadeAnew(each) || isKeyRetyped(each))
  const own = redirected.map(({ schema }) => schema.table)
  const { rows } = await client.query<{ owner: string; name: string }>(REFERENCES, [
    [...own, ...retired.map(({ table }) => table)],
    rekeyed.map(({ schema }) => schema.table),
  ])
  for (const { owner, name } of rows) {
    await client.query(`alter table ${identifier(owner)} drop constraint ${identifier(name)}`)
  }
  return new Set([...own, ...rows.map(({ owner }) => owner)])
}

/** A foreign key needs the type of the key that it names. */
function isKeyRetyped({ schema, before }: Underived): boolean {
  if (before === undefined) return false
  const { retyped } = diffColumns(before, schema)
  return retyped.some(({ column }) => schema.key.includes(column.name))
}

/** Keeps a table that no model makes any more. A model that makes it again makes its foreign keys. */
async function retire(client: Client, definition: PublishedSchema): Promise<void> {
  await unlist(client, definition)
  await client.query(
    `update tidemark_table set fingerprint = 'retired', definition = definition - 'references'
     where name = $1`,
    [definition.table],
  )
}

/**
 * Drops the derived tables among `names` that no model of the project makes, with all that belongs to
 * them, and forgets them. For tables that only later batches bring. Throws `ConfigError`
 * (`WAREHOUSE_IN_USE`) if something else uses one.
 */
export async function dropTables(
  client: Client,
  project: Project,
  names: ReadonlySet<string>,
): Promise<void> {
  if (names.size === 0) return
  const found = await findRetired(client, project)
  for (const definition of found.filter(({ table }) => names.has(table))) {
    await dropTable(client, definition)
    await client.query('delete from tidemark_table where name = $1', [definition.table])
  }
}

async function dropTable(client: Client, definition: PublishedSchema): Promise<void> {
  const { table } = definition
  try {
    await dropHistory(client, definition)
    await client.query(`drop table ${identifier(table)}`)
  } catch (error) {
    throw explainUse(table, error)
  }
}
