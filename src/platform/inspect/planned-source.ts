import { type Deps, ingestionZone } from '../deps.ts'
import { ConfigError, TransientError } from '../errors.ts'
import { discoverTables } from '../extract/discover-tables.ts'
import { archived } from '../extract/report-tables.ts'
import type { CommitRecord } from '../lake/commit-record.ts'
import { capturedProject, mirrorOfSchemas } from '../lake/mirrored-project.ts'
import { type ArchivedSchema, readArchivedSchema } from '../lake/schema.ts'
import type { MirrorSettings } from '../project/mirror-settings.ts'
import type { Project } from '../project/project.ts'
import type { SourceContract, SourceTable } from '../project/source-contract.ts'
import { openSource, type SourceSnapshot } from '../source/source-snapshot.ts'
import type { SourceState } from '../source/tables.ts'

/** A project with the source tables that the next batch will find. */
export interface PlannedSource {
  readonly project: Project
  /** Why the source was not read, so that its tables are those that were captured last. */
  readonly notRead: string | undefined
}

/**
 * The project with its source tables as they are now: a table without a contract has the columns that
 * the catalogue shows, and a mirror has the tables that it would capture. A table that would be held
 * is as it was captured last. Reads the catalogue only, and nothing if contracts say all. Throws
 * what `discoverTables` throws.
 */
export async function readPlannedSource(
  deps: Deps,
  captured: CommitRecord | undefined,
): Promise<PlannedSource> {
  const { project } = deps
  const { mirror, source } = project
  if (mirror === undefined && source.tables.every(({ columns }) => columns !== undefined)) {
    return { project, notRead: undefined }
  }
  let snapshot: SourceSnapshot
  try {
    snapshot = await openSource({ ...deps.source, attempts: 1 })
  } catch (error) {
    if (!(error instanceof TransientError || error instanceof ConfigError)) throw error
    const known = await capturedProject(project, ingestionZone(deps), captured)
    return { project: known, notRead: error.message }
  }
  await using opened = snapshot
  return {
    project:
      mirror === undefined
        ? await describeTables(opened, project)
        : await discoverMirror(deps, opened, { settings: mirror, captured }),
    notRead: undefined,
  }
}

/** The project with the columns of each table that has no contract and can be captured. */
async function describeTables(snapshot: SourceSnapshot, project: Project): Promise<Project> {
  const states = await snapshot.readTables(project.source)
  const tables = states.map(({ table, shape, breach }): SourceTable => {
    if (table.columns !== undefined || shape === undefined || breach !== undefined) return table
    const columns = shape.columns.map(({ name, baseType }) => [name, baseType] as const)
    return { ...table, columns: Object.fromEntries(columns) }
  })
  return { ...project, source: { ...project.source, tables } }
}

/** The mirror with the tables that it would capture, and those that it captured and keeps. */
async function discoverMirror(
  deps: Deps,
  snapshot: SourceSnapshot,
  { settings, captured }: { settings: MirrorSettings; captured: CommitRecord | undefined },
): Promise<Project> {
  const { project, leftOut } = await discoverTables(deps, snapshot, { settings, last: captured })
  const before = async (name: string): Promise<ArchivedSchema[]> => {
    const fingerprint = captured?.tables[name]?.fingerprint
    if (fingerprint === undefined) return []
    return [await readArchivedSchema(ingestionZone(deps), name, fingerprint)]
  }
  const schemas: ArchivedSchema[] = []
  for (const state of await readStates(snapshot, project.source)) {
    const { table, shape, breach } = state
    const isCaptured = shape !== undefined && breach === undefined
    schemas.push(...(isCaptured ? [archived(table, shape)] : await before(table.name)))
  }
  for (const name of Object.keys(leftOut)) schemas.push(...(await before(name)))
  return mirrorOfSchemas(deps.project, schemas)
}

async function readStates(
  snapshot: SourceSnapshot,
  contract: SourceContract,
): Promise<SourceState[]> {
  return contract.tables.length === 0 ? [] : await snapshot.readTables(contract)
}
