import { type Deps, hasWarehouse, ingestionZone } from '../deps.ts'
import { ConfigError } from '../errors.ts'
import { readOptions } from '../io/postgres-url.ts'
import type { CommitRecord, TableEntry } from '../lake/commit-record.ts'
import { capturedProject, storedNames } from '../lake/mirrored-project.ts'
import type { ArchivedSchema } from '../lake/schema.ts'
import { schemasSoFar } from '../lake/schemas-so-far.ts'
import { carryOver } from '../lake/table-entry.ts'
import type { CatalogueColumn, CatalogueTable } from '../project/catalogue-table.ts'
import { mayTellHistory } from '../project/fact-names.ts'
import { mirroredTables } from '../project/mirror.ts'
import type { MirrorSettings } from '../project/mirror-settings.ts'
import { patternOf } from '../project/patterns.ts'
import { looksSecret } from '../project/secret-columns.ts'
import type { Project } from '../project/project.ts'
import type { SourceTable } from '../project/source-contract.ts'
import type { SourceSnapshot } from '../source/source-snapshot.ts'

/** The tables of a mirror as the source has them now. */
export interface Discovered {
  /** The project with these tables. */
  readonly project: Project
  /** The entries of tables that were captured before and are left out now, as they were. */
  readonly leftOut: Readonly<Record<string, TableEntry>>
  /** The relations of the source that are not captured. */
  readonly ignored: readonly string[]
  /** The columns that look like secrets, in tables that were never captured, as patterns. */
  readonly secrets: readonly string[]
}

/**
 * Finds the tables of a mirror in the source's catalogue. A table that was captured before and that
 * the source has no more, or that this user may not read any more, is still among them, so that it is
 * held and somebody hears of it. It is left out once the settings leave it out, and keeps what was
 * captured. If the source is the warehouse's database, the warehouse's schema is none of its tables.
 * Throws what `mirroredTables` throws, and `ConfigError` (`WAREHOUSE_IN_SOURCE`) if that schema has
 * tables of other people.
 */
export async function discoverTables(
  deps: Deps,
  snapshot: SourceSnapshot,
  { settings, last }: { settings: MirrorSettings; last: CommitRecord | undefined },
): Promise<Discovered> {
  const { project } = deps
  const { schema } = project.source
  const known = await capturedProject(project, ingestionZone(deps), last)
  const own = ownSchema(deps)
  const catalogue = withoutOwn(await snapshot.readCatalogue(), own)
  const places = new Map(catalogue.map((table) => [patternOf(table.schema, table.relation), table]))
  const placeOf = (table: SourceTable) =>
    patternOf(table.schema ?? schema, table.relation ?? table.name)
  const before = new Map(known.source.tables.map((table) => [placeOf(table), table]))
  const all = [...catalogue]
  for (const [place, table] of before) {
    if (!places.has(place)) all.push(asListed(table, known))
  }
  // What was readable once is missed if it is not any more.
  const listed = all.map((table) => {
    const captured = before.get(patternOf(table.schema, table.relation))
    return captured === undefined || table.isReadable ? table : asReadable(table, captured)
  })
  const { tables, leftOut } = mirroredTables(listed, settings, {
    defaultSchema: schema,
    ...(last !== undefined && {
      isKnown: (table) => before.get(placeOf(table))?.name === table.name,
    }),
  })
  const inOwn = tables.find((table) => own !== undefined && table.schema === own)
  if (inOwn !== undefined) throw sameSchema(inOwn)
  const isReported = (table: SourceTable) =>
    last !== undefined && settings.newTables === 'report' && !before.has(placeOf(table))
  const kept: SourceTable[] = []
  const secrets: string[] = []
  for (const table of tables.filter((each) => !isReported(each))) {
    const place = placeOf(table)
    const columns = places.get(place)?.columns ?? []
    if (!before.has(place)) secrets.push(...findSecrets(table, { place, columns }))
    kept.push(
      await asCapturedBefore(deps, table, { before: before.get(place), columns, known, last }),
    )
  }
  const names = new Set(kept.map(({ name }) => name))
  return {
    project: { ...project, source: { ...project.source, tables: kept } },
    leftOut: Object.fromEntries(
      known.source.tables.flatMap(({ name }) => {
        const entry = last?.tables[name]
        return names.has(name) || entry === undefined ? [] : [[name, leaveOut(entry, last)]]
      }),
    ),
    ignored: [
      ...leftOut.map(({ relation }) => relation),
      ...tables.filter(isReported).map(placeOf),
    ].toSorted(),
    secrets,
  }
}

/** The columns of a table that a mirror keeps and that look like secrets, as patterns. */
function findSecrets(
  { key, exclude = [] }: SourceTable,
  { place, columns }: { place: string; columns: readonly CatalogueColumn[] },
): string[] {
  return columns
    .filter((column) => column.isReadable && looksSecret(column))
    .filter(({ name }) => !key.includes(name) && !exclude.includes(name))
    .map(({ name }) => `${place}.${patternOf(name)}`)
}

/** The schema of the warehouse, if it is in the source's own database. */
function ownSchema(deps: Deps): string | undefined {
  if (!hasWarehouse(deps)) return undefined
  const places = [deps.source, deps.warehouse].map(({ url }) => {
    const { host, port, database } = readOptions(new URL(url))
    return JSON.stringify([host, port, database])
  })
  return places[0] === places[1] ? deps.warehouse.schema : undefined
}

/** The catalogue without what Tidemark made in a schema. */
function withoutOwn(
  catalogue: readonly CatalogueTable[],
  schema: string | undefined,
): readonly CatalogueTable[] {
  const isWarehouse = catalogue.some(
    (table) => table.schema === schema && table.relation === 'tidemark_ledger',
  )
  return isWarehouse ? catalogue.filter((table) => table.schema !== schema) : catalogue
}

function sameSchema({ schema, relation }: SourceTable): ConfigError {
  return new ConfigError(
    `The warehouse's schema ${schema} is in the source itself and has tables of others, such as ${relation}`,
    {
      code: 'WAREHOUSE_IN_SOURCE',
      hint: 'nothing was written; set TIDEMARK_WAREHOUSE_SCHEMA (--schema) to a schema of its own',
    },
  )
}

/** The table, with what its history needs if it was captured before under the same name. */
async function asCapturedBefore(
  deps: Deps,
  found: SourceTable,
  {
    before,
    columns,
    known,
    last,
  }: {
    before: SourceTable | undefined
    /** The columns that the source has now. */
    columns: readonly Pick<CatalogueColumn, 'name'>[]
    known: Project
    last: CommitRecord | undefined
  },
): Promise<SourceTable> {
  const table = { ...found, mirrored: true }
  const fact = known.models.find((model) => model.table === table.name)
  if (before?.name !== table.name || fact?.kind !== 'fact') return table
  let first: ArchivedSchema | undefined
  // Only then is the whole past worth reading.
  if (columns.some(({ name }) => mayTellHistory(name))) {
    const entry = last?.tables[table.name]
    for await (const schema of schemasSoFar(ingestionZone(deps), table.name, entry)) first = schema
  }
  return {
    ...table,
    captured: {
      key: before.key,
      columns: Object.keys(fact.types ?? {}),
      reserved: first === undefined ? [] : storedNames(first),
    },
  }
}

/** A captured table that this user may not read any more, as the catalogue would list it otherwise. */
function asReadable(table: CatalogueTable, { key, isByContent }: SourceTable): CatalogueTable {
  return {
    ...table,
    isReadable: true,
    columns: table.columns.map((column) => ({ ...column, isReadable: true })),
    key: table.key ?? (isByContent === true ? undefined : key),
  }
}

/** A captured table that the catalogue lacks, as it would list it. */
function asListed(table: SourceTable, known: Project): CatalogueTable {
  const { name, key, schema = known.source.schema, relation = name } = table
  const fact = known.models.find((model) => model.table === name)
  return {
    schema,
    relation,
    kind: 'table',
    isReadable: true,
    columns: Object.entries(fact?.types ?? {}).map(([column, type]) => ({
      name: column,
      type,
      baseType: type,
      isEnum: false,
      nullable: !key.includes(column),
      isReadable: true,
      comment: undefined,
    })),
    key: table.isByContent === true ? undefined : key,
    keyFrom: table.isByContent === true ? undefined : 'primary key',
    comment: undefined,
    foreignKeys: [],
    rows: undefined,
    bytes: undefined,
  }
}

/** If the table is chosen again, its capture goes on from the snapshot that it was captured to. */
function leaveOut(entry: TableEntry, last: CommitRecord | undefined): TableEntry {
  return {
    ...carryOver(entry),
    held: undefined,
    heldDeletes: undefined,
    capturedTo: entry.capturedTo ?? last?.snapshot,
  }
}
