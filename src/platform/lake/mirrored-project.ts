import { boundedMap, inMemory } from '../io/memory.ts'
import { identifiers } from '../io/sql.ts'
import { freeName, historyBeside, storedHistory } from '../project/fact-names.ts'
import type { Fact, Model } from '../project/model.ts'
import type { Project } from '../project/project.ts'
import type { SourceTable } from '../project/source-contract.ts'
import type { CommitRecord } from './commit-record.ts'
import { type PublishedSchema, readPublishedSchema } from './published-schema.ts'
import { type ArchivedSchema, readArchivedSchema } from './schema.ts'
import { warehouseType } from './warehouse-type.ts'
import type { Zone } from './zone.ts'

/**
 * The project as a batch of the ingestion zone captured it. A mirror declares no tables: they are
 * the tables of the batch, each with a fact that keeps it as it is. Any other project is returned
 * unchanged, and so is a mirror of an empty lake. Throws what `readArchivedSchema` throws.
 */
export async function capturedProject(
  project: Project,
  ingestion: Zone,
  record: CommitRecord | undefined,
): Promise<Project> {
  if (project.mirror === undefined || record === undefined) return project
  const read = async (name: string, fingerprint: string): Promise<MirroredTable> => {
    const schema = await readArchivedSchema(ingestion, name, fingerprint)
    return { table: tableOf(schema), fact: factOf(publishedAs(schema)) }
  }
  return await mirrorOf(project, ingestion, { record, read })
}

/** The mirror that keeps tables with these schemas. Pure. */
export function mirrorOfSchemas(project: Project, schemas: readonly ArchivedSchema[]): Project {
  return {
    ...project,
    source: { ...project.source, tables: schemas.map(tableOf) },
    models: schemas.map((schema) => factOf(publishedAs(schema))),
  }
}

/**
 * Like `capturedProject`, as a batch of the processed zone knows the project. Its facts have every
 * column that their files have had so far; its source tables have no more than a name and a key.
 */
export async function publishedProject(
  project: Project,
  processed: Zone,
  record: CommitRecord | undefined,
): Promise<Project> {
  if (project.mirror === undefined || record === undefined) return project
  const read = async (name: string, fingerprint: string): Promise<MirroredTable> => {
    const schema = await readPublishedSchema(processed, name, fingerprint)
    return { table: { name, key: schema.key }, fact: factOf(schema) }
  }
  return await mirrorOf(project, processed, { record, read })
}

/**
 * The project without the models whose columns no batch has known yet, because the source lacks their
 * tables. They have no table in the warehouse. `record` is the newest batch of the processed zone. A
 * mirror is returned unchanged. Pure.
 */
export function knownProject(project: Project, { tables }: CommitRecord): Project {
  if (project.mirror !== undefined) return project
  const isKnown = ({ table }: Model): boolean => {
    const entry = tables[table]
    if (entry === undefined) return false
    return entry.fingerprint !== undefined || entry.state.length > 0 || (entry.records ?? 0) > 0
  }
  return { ...project, models: project.models.filter(isKnown) }
}

/**
 * The project of a captured batch, with the names of history that the batches before it published. A
 * name that had to give way to a column of the source stays so when that column is gone.
 */
export async function continuedProject(
  project: Project,
  processed: Zone,
  previous: CommitRecord | undefined,
): Promise<Project> {
  if (project.mirror === undefined || previous === undefined) return project
  const before = new Map<string, Model>()
  const published = await publishedProject(project, processed, previous)
  for (const model of published.models) before.set(model.table, model)
  const models = project.models.map((model) => {
    const last = before.get(model.table)
    if (model.kind !== 'fact' || last?.kind !== 'fact') return model
    const { recordId } = last
    const history = { ...model.history, ...last.history }
    return { ...model, recordId, ...(Object.keys(history).length > 0 && { history }) }
  })
  return { ...project, models }
}

/** A source table and the fact that keeps it. */
interface MirroredTable {
  readonly table: SourceTable
  readonly fact: Fact
}

/** Projects by what identifies the tables of a batch. */
const knownIn = inMemory(() => boundedMap<string, Project>(8))
/** Tables by zone, name and fingerprint, which never change. */
const tablesIn = inMemory(() => boundedMap<string, MirroredTable>(5000))

async function mirrorOf(
  project: Project,
  { store, prefix, memory }: Zone,
  {
    record,
    read,
  }: { record: CommitRecord; read: (name: string, fingerprint: string) => Promise<MirroredTable> },
): Promise<Project> {
  const found = Object.entries(record.tables).flatMap(([name, { fingerprint }]) =>
    fingerprint === undefined ? [] : [{ name, fingerprint }],
  )
  const place = `${store.location} ${prefix}`
  const mark = JSON.stringify([place, project.mirror, project.edition, found])
  const projects = knownIn(memory)
  const known = projects.get(mark)
  if (known !== undefined) return known
  const tables = tablesIn(memory)
  const mirrored: MirroredTable[] = []
  for (const { name, fingerprint } of found) {
    const key = `${place} ${name} ${fingerprint}`
    const table = tables.get(key) ?? (await read(name, fingerprint))
    tables.set(key, table)
    mirrored.push(table)
  }
  const made: Project = {
    ...project,
    source: { ...project.source, tables: mirrored.map(({ table }) => table) },
    models: mirrored.map(({ fact }) => fact),
  }
  projects.set(mark, made)
  return made
}

/** The declaration of a table as it was captured. */
function tableOf(schema: ArchivedSchema): SourceTable {
  const { table: name, key, relation, isByContent, description } = schema
  return {
    name,
    key,
    ...(schema.schema !== undefined && { schema: schema.schema }),
    ...(relation !== undefined && { relation }),
    ...(isByContent === true && { isByContent }),
    ...(description !== undefined && { description }),
  }
}

/** The schema that a captured table has in the warehouse, if no batch before gave it another. */
function publishedAs({ table, key, columns, description }: ArchivedSchema): PublishedSchema {
  const names = columns.map(({ name }) => name)
  const history = historyBeside(names)
  return {
    table,
    kind: 'fact',
    key,
    columns: columns.map(({ name, baseType, description: said }) => ({
      name,
      type: warehouseType(baseType),
      nullable: !key.includes(name),
      ...(said !== undefined && { description: said }),
    })),
    recordId: freeName('record_id', new Set(names.map((name) => name.toLowerCase()))),
    ...(history && { history }),
    ...(description !== undefined && { description }),
  }
}

/**
 * The columns that are stored with each version of a table whose first schema this is. They keep these
 * names, whatever the source does later.
 */
export function storedNames(first: ArchivedSchema): string[] {
  const { recordId, history } = factOf(publishedAs(first))
  return [recordId, ...storedHistory({ ...(history && { history }) })]
}

/** The fact that keeps a table as it is: each change is a version, in the columns of the source. */
function factOf(schema: PublishedSchema): Fact {
  const { table, key, columns, recordId = 'record_id', history, description } = schema
  const names = columns.map(({ name }) => name)
  const descriptions = columns.flatMap((column): [string, string][] =>
    column.description === undefined ? [] : [[column.name, column.description]],
  )
  return {
    kind: 'fact',
    table,
    sql: selectAll(table, names),
    key,
    from: table,
    recordId,
    nullable: columns.filter(({ nullable }) => nullable).map(({ name }) => name),
    references: [],
    types: Object.fromEntries(columns.map(({ name, type }) => [name, type])),
    ...(history && { history }),
    ...(description !== undefined && { description }),
    ...(descriptions.length > 0 && { descriptions: Object.fromEntries(descriptions) }),
  }
}

function selectAll(table: string, names: readonly string[]): string {
  const columns = identifiers([...names, '_operation', '_captured_at', '_ordinal'])
  return `select ${columns} from ${identifiers([`change_${table}`])}`
}
