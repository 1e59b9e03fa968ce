import { readFileSync } from 'node:fs'
import { codeOf, ConfigError } from '../errors.ts'
import type { Client } from '../io/postgres.ts'
import { SQL_STATE } from '../io/sql-states.ts'
import { identifier, identifiers } from '../io/sql.ts'
import { fingerprintOf, type PublishedSchema } from '../lake/published-schema.ts'
import { currentTable, keyIndex } from '../project/fact-names.ts'
import type { Model } from '../project/model.ts'
import type { Project } from '../project/project.ts'
import { dropPast } from './drop-history.ts'
import { makeHistory, makeIndexes } from './make-history.ts'
import { makeSums, removeSums } from './make-sums.ts'
import { checkRelations, grantReading, listRelations } from './relations.ts'
import { alterColumns, createTable, describeTable, diffColumns } from './table-definition.ts'
import type { WarehouseClient } from './warehouse.ts'

/** How many tables one transaction makes. Each takes about a dozen locks. */
export const TABLES_AT_ONCE = 50

const PRESENT = readFileSync(new URL('./present-tables.sql', import.meta.url), 'utf8')
const DERIVED = readFileSync(new URL('./derived-tables.sql', import.meta.url), 'utf8')

/** A table of the warehouse that a schema asks for, and what is there. */
export interface Underived {
  readonly schema: PublishedSchema
  /** The definition that the table has; undefined if it must be created. */
  readonly before: PublishedSchema | undefined
}

/**
 * The schemas whose tables are missing from the warehouse or differ from it, in the order in which to
 * derive them. A table that a migration made is left alone: what is written by hand wins. Throws
 * `ConfigError` (`WAREHOUSE_NAME_TAKEN`) if a mirror needs a name that something else has. Call it in a
 * transaction.
 */
export async function findUnderived(
  { client, warehouse }: WarehouseClient,
  project: Project,
  schemas: readonly PublishedSchema[],
): Promise<Underived[]> {
  if (schemas.length === 0) return []
  const { rows } = await client.query<{
    name: string
    there: boolean
    fingerprint: string | null
    definition: PublishedSchema | null
  }>(DERIVED, [schemas.map(({ table }) => table)])
  const found = new Map(rows.map((row) => [row.name, row]))
  const underived = schemas.flatMap((schema): Underived[] => {
    const row = found.get(schema.table)
    // A table that was retired may have been dropped.
    const before = row?.there === true ? (row.definition ?? undefined) : undefined
    if (before !== undefined && row?.fingerprint === fingerprintOf(schema)) return []
    if (before === undefined && row?.there === true) {
      if (project.mirror === undefined) return []
      throw taken(schema.table, warehouse)
    }
    return [{ schema, before }]
  })
  // Dimensions come before the facts that refer to them.
  return underived.toSorted((a, b) => rank(a.schema) - rank(b.schema))
}

function rank({ kind }: PublishedSchema): number {
  return Number(kind === 'fact')
}

function taken(table: string, { schema }: { schema: string }): ConfigError {
  return new ConfigError(
    `The schema ${schema} of the warehouse already has a table ${table}, which Tidemark did not make`,
    {
      code: 'WAREHOUSE_NAME_TAKEN',
      hint: 'nothing was changed; set TIDEMARK_WAREHOUSE_SCHEMA (--schema) to a schema of its own',
    },
  )
}

/** How tables are derived. */
export interface DeriveOptions {
  /** Whether another generation replaces all rows, and has deleted those of the changed tables. */
  readonly isReplaced?: boolean
}

/**
 * Makes the warehouse's tables what their schemas say, with everything that belongs to them: history,
 * sums, indexes, descriptions, the right to read. Columns are added and widened, and rows stay. Only
 * if another generation replaces all rows are columns dropped. May be repeated. Throws `ConfigError`
 * (`WAREHOUSE_IN_USE`) if something else depends on what must change. Call it in a locked transaction.
 */
export async function deriveTables(
  warehouse: WarehouseClient,
  project: Project,
  underived: readonly Underived[],
  { isReplaced = false }: DeriveOptions = {},
): Promise<void> {
  if (underived.length === 0) return
  const { client } = warehouse
  const models: Model[] = []
  for (const { schema, before } of underived) {
    const model = project.models.find(({ table }) => table === schema.table)
    if (model === undefined) continue
    try {
      if (before === undefined) await client.query(createTable(schema, project))
      else await alterTable(client, { model, before, after: schema, isReplaced })
    } catch (error) {
      throw explainUse(schema.table, error)
    }
    await client.query(describeTable(schema))
    await client.query(
      `insert into tidemark_table (name, fingerprint, definition) values ($1, $2, $3)
       on conflict (name) do update
       set fingerprint = excluded.fingerprint, definition = excluded.definition`,
      [schema.table, fingerprintOf(schema), JSON.stringify(schema)],
    )
    if (model.kind === 'fact') {
      await makeHistory(client, model)
      await makeSums(client, model, { isReplaced })
    } else await makeIndexes(client, model)
    models.push(model)
  }
  const derived = { ...project, models }
  await listRelations(warehouse, derived)
  await checkRelations(client)
  await grantReading(warehouse, derived)
}

interface Alteration {
  readonly model: Model
  readonly before: PublishedSchema
  readonly after: PublishedSchema
  readonly isReplaced: boolean
}

async function alterTable(
  client: Client,
  { model, before, after, isReplaced }: Alteration,
): Promise<void> {
  const found = diffColumns(before, after)
  // Only an empty table can take a column that must have a value.
  const strict = isReplaced ? {} : { dropped: [], tightened: [] }
  const changes = { ...found, ...strict }
  const isRekeyed = JSON.stringify(before.key) !== JSON.stringify(after.key)
  if (model.kind !== 'fact') {
    if (isRekeyed)
      await client.query(
        `alter table ${identifier(model.table)} drop constraint if exists ${identifier(`${model.table}_pkey`)}`,
      )
    await client.query(alterColumns(model.table, changes, { isEmpty: isReplaced }))
    if (isRekeyed)
      await client.query(
        `alter table ${identifier(model.table)} add primary key (${identifiers(after.key)})`,
      )
    return
  }
  const isRetold = JSON.stringify(before.history) !== JSON.stringify(after.history)
  if (changes.dropped.length + changes.retyped.length > 0 || isRekeyed || isRetold) {
    // The sums as of a moment are made from the past.
    await removeSums(client, model)
    await dropPast(client, model)
  }
  if (isRekeyed) {
    await client.query(`
      drop table if exists ${identifier(currentTable(model))};
      drop index if exists ${identifier(keyIndex(model))}`)
  }
  await client.query(alterColumns(model.table, changes, { isEmpty: isReplaced }))
  if (!isRekeyed) {
    await client.query(alterColumns(currentTable(model), changes, { isEmpty: isReplaced }))
  }
}

/** Explains why a table could not be changed: `ConfigError` (`WAREHOUSE_IN_USE`) if something uses it. */
export function explainUse(table: string, error: unknown): unknown {
  const code = codeOf(error)
  const isUsed =
    code === SQL_STATE.dependentObjectsStillExist || code === SQL_STATE.featureNotSupported
  if (!isUsed) return error
  const { message, detail = message } = error as { message: string; detail?: string }
  return new ConfigError(`The table ${table} must change, but something uses it: ${detail}`, {
    code: 'WAREHOUSE_IN_USE',
    hint: 'nothing was changed; drop what uses it, run, and create that again',
    cause: error,
  })
}

/**
 * The models of a project whose tables exist, so that their history can be kept. A derived table has
 * the key and the history columns of its definition, which the newest batch may have changed since. A
 * table that a mirror did not derive is not its own, whatever its name.
 */
export async function presentModels(
  client: Client,
  { mirror, models }: Pick<Project, 'mirror' | 'models'>,
): Promise<Model[]> {
  const names = models.map(({ table }) => table)
  if (names.length === 0) return []
  const { rows } = await client.query<{ name: string; derived: boolean }>(PRESENT, [names])
  const there = new Set(rows.map(({ name }) => name))
  const definitions = new Map<string, PublishedSchema>()
  if (rows[0]?.derived === true) {
    const own = await client.query<{ name: string; definition: PublishedSchema | null }>(DERIVED, [
      names,
    ])
    for (const { name, definition } of own.rows) {
      if (definition !== null) definitions.set(name, definition)
    }
  }
  return models.flatMap((model) => {
    const definition = definitions.get(model.table)
    if (!there.has(model.table)) return []
    // A table that was a fact until now is no dimension yet, and the reverse.
    if (definition !== undefined && definition.kind !== model.kind) return []
    if (definition === undefined) return mirror === undefined ? [model] : []
    return [asDerived(model, definition)]
  })
}

/** The model with the key and the history columns that its table has. */
function asDerived(model: Model, { key, recordId, history }: PublishedSchema): Model {
  if (model.kind !== 'fact') return { ...model, key }
  const { history: _, ...fact } = model
  return { ...fact, key, recordId: recordId ?? fact.recordId, ...(history && { history }) }
}
