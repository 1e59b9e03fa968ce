import { codeOf } from '../errors.ts'
import type { Client } from '../io/postgres.ts'
import { SQL_STATE } from '../io/sql-states.ts'
import type { PublishedSchema } from '../lake/published-schema.ts'
import type { Project } from '../project/project.ts'
import {
  deriveTables,
  findUnderived,
  presentModels,
  TABLES_AT_ONCE,
} from '../warehouse/derive-tables.ts'
import { readLoaded } from '../warehouse/ledger.ts'
import { applyMigrations, isWhole, listWaiting } from '../warehouse/migrate.ts'
import {
  describeRelations,
  diffRelations,
  type RelationDifference,
} from '../warehouse/relation-difference.ts'
import { findRetired, replaceTables } from '../warehouse/replace-tables.ts'
import { inReplica, type Obstacle, readUnlocked, type Replica } from '../warehouse/replica.ts'
import { loadedTables } from '../warehouse/sums.ts'
import { makeLockTable, type WarehouseClient } from '../warehouse/warehouse.ts'

/** What a run would do to a warehouse's tables, as a rehearsal on a copy has shown. */
export interface RehearsedTables {
  /** Numbered migrations that wait, in order. */
  readonly migrations: readonly string[]
  readonly differences: readonly RelationDifference[]
  /** Tables that no model makes any more. They stay. */
  readonly retired: readonly PublishedSchema[]
  /** The tables and views that there are afterwards, and those that are derived from their models. */
  readonly present: readonly string[]
  readonly derived: readonly string[]
  /** The generation that the ledger names once migrations are applied. */
  readonly loaded: { readonly batch: number; readonly generation: string } | undefined
  /** Every statement, in order. */
  readonly statements: readonly string[]
}

/** The input of a rehearsal. */
export interface RehearsalInput {
  /** The project with the tables as the next batch finds them. */
  readonly project: Project
  /** The project as it is known when the next load migrates the warehouse. */
  readonly known: Project
  readonly schemas: readonly PublishedSchema[]
  /** The generation of the project as it is declared. */
  readonly generation: string
}

/**
 * Rehearses on an empty copy of the warehouse what a run does to its tables, through the code of the
 * run: new migrations, then the tables derived from `schemas`. Of a mirror, some tables at a time.
 * Returns the reason if there can be no copy. Throws what a run would throw.
 */
export async function rehearseTables(
  warehouse: WarehouseClient,
  input: RehearsalInput,
): Promise<RehearsedTables | { readonly refused: Obstacle }> {
  const read = await readUnlocked(warehouse, async () => {
    const isComplete = await isWhole(warehouse, input.known)
    return { isComplete, kept: isComplete ? await findKept(warehouse, input) : undefined }
  })
  if ('refused' in read) return read
  const { isComplete, kept } = read.result
  const schemas = kept === undefined ? input.schemas : kept.schemas
  if (kept !== undefined && schemas.length === 0) return kept.tables
  let all: RehearsedTables | undefined
  for (const chunk of chunksOf({ ...input, schemas })) {
    const names = new Set(chunk.map(({ table }) => table))
    const only = (project: Project): Project =>
      project.mirror === undefined
        ? project
        : { ...project, models: project.models.filter(({ table }) => names.has(table)) }
    const part = {
      project: only(input.project),
      known: only(input.known),
      schemas: chunk,
      generation: input.generation,
    }
    const copied = {
      tables: part.project.models.flatMap(loadedTables),
      isWhole: input.project.mirror === undefined,
    }
    const rehearsed = await inReplica(warehouse, copied, (replica) =>
      rehearsePart(replica, { ...part, isComplete, isFirst: all === undefined }),
    )
    if ('refused' in rehearsed) return rehearsed
    const { result } = rehearsed
    if ('refused' in result) return result
    all = all === undefined ? result : merge(all, result)
  }
  if (all === undefined) throw new TypeError('a rehearsal has at least one part')
  return all
}

/**
 * Of a warehouse that is complete and keeps its generation, the schemas whose tables differ, and what
 * a rehearsal of nothing would give. Undefined if another generation replaces everything. Read-only.
 */
async function findKept(
  warehouse: WarehouseClient,
  { project, schemas, generation }: RehearsalInput,
): Promise<
  { readonly schemas: readonly PublishedSchema[]; readonly tables: RehearsedTables } | undefined
> {
  const { client } = warehouse
  const loaded = await readLoaded(warehouse)
  if (loaded !== undefined && loaded.generation !== generation) return undefined
  const underived = await findUnderived(warehouse, project, schemas)
  const present = await presentModels(client, project)
  return {
    schemas: underived.map(({ schema }) => schema),
    tables: {
      migrations: [],
      differences: [],
      retired: project.mirror === undefined ? await findRetired(client, project) : [],
      present: present.map(({ table }) => table),
      derived: await listDerivedNames(client),
      loaded,
      statements: [],
    },
  }
}

async function listDerivedNames(client: Client): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>('select name from tidemark_table')
  return rows.map(({ name }) => name)
}

/** The schemas of each rehearsal: all at once, or for a mirror as many as a load makes at once. */
function chunksOf({ project, schemas }: RehearsalInput): (readonly PublishedSchema[])[] {
  if (project.mirror === undefined || schemas.length === 0) return [schemas]
  const chunks: (readonly PublishedSchema[])[] = []
  for (let from = 0; from < schemas.length; from += TABLES_AT_ONCE) {
    chunks.push(schemas.slice(from, from + TABLES_AT_ONCE))
  }
  return chunks
}

function merge(one: RehearsedTables, other: RehearsedTables): RehearsedTables {
  return {
    ...one,
    differences: [...one.differences, ...other.differences],
    present: [...one.present, ...other.present],
    derived: [...one.derived, ...other.derived],
    statements: [...one.statements, ...other.statements],
  }
}

/** What a migration uses may be in the schema and not belong to the warehouse. */
const LACKING: ReadonlySet<string> = new Set([
  SQL_STATE.undefinedTable,
  SQL_STATE.undefinedObject,
  SQL_STATE.undefinedFunction,
])

async function rehearsePart(
  { warehouse, statements }: Replica,
  {
    project,
    known,
    schemas,
    generation,
    isComplete,
    isFirst,
  }: RehearsalInput & { isComplete: boolean; isFirst: boolean },
): Promise<RehearsedTables | { readonly refused: Obstacle }> {
  const { client } = warehouse
  const { schema } = warehouse.warehouse
  const beforeMigrations = await describeRelations(client, schema)
  const migrations = await listWaiting(client, known)
  if (!isComplete) {
    await makeLockTable(warehouse)
    try {
      await applyMigrations(warehouse, known)
    } catch (error) {
      if (!LACKING.has(codeOf(error))) throw error
      const { message } = error as Error
      const detail = `a migration failed on the empty copy of the warehouse, which may lack something that it uses: ${message}`
      return { refused: { detail, hint: 'tidemark doctor' } }
    }
  }
  // Each part migrates its own copy.
  const before = isFirst ? beforeMigrations : await describeRelations(client, schema)
  const done = isFirst ? 0 : statements().length
  const loaded = await readLoaded(warehouse)
  const isReplaced = loaded !== undefined && loaded.generation !== generation
  const retired = project.mirror === undefined ? await findRetired(client, project) : []
  if (isReplaced) await replaceTables(warehouse, project, schemas)
  else await deriveTables(warehouse, project, await findUnderived(warehouse, project, schemas))
  const after = await describeRelations(client, schema)
  return {
    migrations,
    differences: diffRelations(before, after),
    present: [...after.keys()],
    retired,
    derived: await listDerivedNames(client),
    loaded,
    statements: statements().slice(done),
  }
}
