import { randomUUID } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type Deps, ingestionZone, processedZone } from './deps.ts'
import { type DuckDb, openDuckDb } from './duckdb.ts'
import { ConfigError, ConflictError } from './errors.ts'
import { extractSnapshot } from './extract.ts'
import { readCommit } from './lake/batch-log.ts'
import { convertRows, incomingRelation, writeParquet } from './lake/capture.ts'
import { type CommitRecord, type TableEntry, sumRows } from './lake/commit-record.ts'
import { type Difference, findDifferences } from './lake/difference.ts'
import { lakeTable } from './lake/schema.ts'
import { type LakeTable, openState } from './lake/table-state.ts'
import { openQuarantined } from './lake/withheld.ts'
import { load } from './load.ts'
import { describe } from './models/dimension.ts'
import { daysOf } from './models/fact.ts'
import { generationOf, readModel } from './models/generation.ts'
import { brokenBy, rulesOf } from './models/rules.ts'
import { openRows, openTable, viewOf } from './models/source-view.ts'
import { readInputs } from './models/transform.ts'
import { onlyRow, withPostgresErrors } from './postgres.ts'
import type { Fact, Model } from './project.ts'
import type { HeldTable } from './report-drift.ts'
import { copyWhole } from './source/copy.ts'
import { openSnapshot, type SourceSnapshot } from './source/snapshot.ts'
import { readTables, type TableShape } from './source/tables.ts'
import { NO_TIME_LIMITS } from './session.ts'
import { duckLiteral, identifier, identifiers } from './sql.ts'
import { transform } from './transform.ts'
import {
  checksumOf,
  type ChecksumRow,
  isSameChecksum,
  parseChecksum,
  postgresChecksum,
} from './verify-checksum.ts'
import {
  compareDimension,
  compareVersions,
  copyRows,
  NO_DIFFERENCE,
  withoutExtra,
} from './verify-history.ts'
import { type LogFault, verifyLog } from './verify-log.ts'
import { readLedgerHead } from './warehouse/ledger.ts'
import { beginReading, openWarehouse, type WarehouseClient } from './warehouse/warehouse.ts'

export interface VerifiedTable {
  readonly table: string
  /**
   * `lake`, `warehouse`: that copy against the source. `history`: every version and every dimension
   * row in the warehouse against the processed zone.
   */
  readonly where: 'lake' | 'warehouse' | 'history'
  /** Rows the source (or what the models make of it) holds. */
  readonly rows: number
  readonly difference: Difference
  /** Whether equal checksums were proof enough, or every row was copied and compared. */
  readonly by: 'checksum' | 'rows'
  /** Rows left out because they are in quarantine. */
  readonly quarantined: number
  /** Why it stands still, and so was not compared. */
  readonly held?: string
}

export interface VerifyReport {
  readonly batch: number
  /** Moment of the snapshot all three were compared at (source clock). */
  readonly snapshotAt: string
  readonly tables: readonly VerifiedTable[]
  /** Breaks in the chain of commit records, and between it and the ledger. */
  readonly faults: readonly LogFault[]
  readonly isEqual: boolean
}

export interface VerifyOptions {
  /** Compares this source or star table alone, and what it is made from. */
  readonly table?: string | undefined
}

/**
 * Compares source, lake and warehouse at one snapshot, value by value (I6): the tables of the
 * source with the lake, the current rows with what the models make of the source, every version and
 * every dimension row in the warehouse with the processed zone (I7), and the chain of records with
 * the ledger (I14). Checksums are compared first, and rows only where those differ.
 *
 * Brings lake and warehouse up to that snapshot first, like a run, and keeps the snapshot open
 * meanwhile, so the proof holds on a living source. A table that is held is not compared with the
 * source, and models read what the lake has of it. Differences are reported, not thrown. Throws
 * what a run throws if a stage cannot work, and `ConfigError` for an unknown table.
 */
export async function verify(deps: Deps, options: VerifyOptions = {}): Promise<VerifyReport> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await verifyOnce(deps, options)
    } catch (error) {
      // Another run moved lake or warehouse past our snapshot: prove it at a newer one.
      if (!(error instanceof ConflictError) || attempt === 5) throw error
      deps.log({ event: 'verify_again', attempt, code: error.code })
    }
  }
}

async function verifyOnce(deps: Deps, options: VerifyOptions): Promise<VerifyReport> {
  await using snapshot = await openSnapshot(deps.source)
  const { record } = await extractSnapshot(deps, snapshot)
  if (record === undefined) throw new TypeError('an extract into an empty lake commits a batch')
  const { held } = await transform(deps)
  await load(deps)

  await mkdir(deps.scratchDir, { recursive: true })
  await using db = await openDuckDb({ scratchDir: deps.scratchDir, ...deps.limits })
  const scope = await planScope(deps, db, options)
  const lake = await verifyLake(deps, { db, snapshot, record, scope })
  // Opened late: a server may end a session that has been idle while the lake was compared.
  await using warehouse = await openWarehouse(deps.warehouse)
  const star = await verifyWarehouse(deps, {
    db,
    warehouse,
    record,
    held,
    unfit: lake.unfit,
    scope,
  })
  const tables = [...lake.verified, ...star.verified]
  const isEqual = tables.every(({ difference: d }) => d.missing + d.extra + d.different === 0)
  return {
    batch: record.batch,
    snapshotAt: snapshot.identity.takenAt,
    tables,
    faults: star.faults,
    isEqual: isEqual && star.faults.length === 0,
  }
}

/** What is compared. */
interface Scope {
  /** Source tables, by name. */
  readonly sources: ReadonlySet<string>
  /** Models whose rows are compared with what they make of the source. */
  readonly models: readonly Model[]
  /** Models whose rows are compared with the processed zone. */
  readonly histories: readonly Model[]
}

/** Everything, or one table and what it is made from. */
async function planScope({ project }: Deps, db: DuckDb, { table }: VerifyOptions): Promise<Scope> {
  const { models, source } = project
  const inOrder = models.toSorted((a, b) => rank(a) - rank(b))
  if (table === undefined) {
    const sources = new Set(source.tables.map(({ name }) => name))
    return { sources, models: inOrder, histories: inOrder }
  }
  const model = models.find((each) => each.table === table)
  if (model === undefined) {
    if (source.tables.some(({ name }) => name === table)) {
      return { sources: new Set([table]), models: [], histories: [] }
    }
    throw new ConfigError(`There is no table ${table} in the source or the star schema`, {
      code: 'UNKNOWN_TABLE',
      hint: 'tidemark catalog',
    })
  }
  // The days of a calendar are those that all facts name.
  if (model.kind === 'calendar') return { sources: new Set(), models: [], histories: [model] }
  const reads = (await readInputs(db, project)).get(model) ?? []
  const isRead = ({ name }: { name: string }) =>
    reads.includes(name) || reads.includes(`change_${name}`)
  const sources = new Set(source.tables.filter(isRead).map(({ name }) => name))
  return { sources, models: [model], histories: [model] }
}

interface LakeCheck {
  readonly db: DuckDb
  readonly snapshot: SourceSnapshot
  readonly record: CommitRecord
  readonly scope: Scope
}

/**
 * Compares each source table with the lake; leaves a view of each as models see it, and of the rows
 * they do not see.
 */
async function verifyLake(
  deps: Deps,
  check: LakeCheck,
): Promise<{ verified: VerifiedTable[]; unfit: ReadonlySet<string> }> {
  const { db, snapshot, record, scope } = check
  const ingestion = ingestionZone(deps)
  const verified: VerifiedTable[] = []
  const unfit = new Set<string>()
  for (const { table, shape, breach } of await readTables(snapshot, deps.project.source)) {
    if (!scope.sources.has(table.name)) continue
    const entry = record.tables[table.name]
    const view = await viewOf(table, { ingestion, record, latest: record })
    const isHeld = entry === undefined || entry.held !== undefined || shape === undefined
    const { paths, ...found } = isHeld
      ? { paths: undefined, ...reportHeld(table.name, entry?.held?.reason ?? breach?.reason) }
      : await verifyTable(deps, { ...check, shape, entry })
    if (view !== undefined) {
      // A table that was not copied (it is held, or its checksum is equal) is read from the lake.
      const isUnfit =
        paths === undefined
          ? await openTable(db, view, { ingestion, record })
          : await openRows(db, view, paths)
      if (isUnfit) unfit.add(table.name)
    }
    verified.push(found)
    deps.log({ event: 'table_verified', where: 'lake', table: table.name, rows: found.rows })
  }
  // What a feed brought is nowhere but in the lake.
  for (const feed of deps.project.source.feeds ?? []) {
    const view = await viewOf(feed, { ingestion, record, latest: record })
    if (view !== undefined && (await openTable(db, view, { ingestion, record }))) {
      unfit.add(feed.name)
    }
  }
  return { verified, unfit }
}

function reportHeld(table: string, held = 'never_captured'): VerifiedTable {
  const nothing = { rows: 0, difference: NO_DIFFERENCE, quarantined: 0 }
  return { table, where: 'lake', by: 'checksum', ...nothing, held }
}

/**
 * Compares one source table with the lake. If the checksums are equal, nothing is copied. Otherwise
 * keys in quarantine are left out, and `paths` are the files of all other rows, and of the rows
 * that the lake still has for those keys.
 */
async function verifyTable(
  deps: Deps,
  { db, snapshot, record, shape, entry }: LakeCheck & { shape: TableShape; entry: TableEntry },
): Promise<VerifiedTable & { paths: string[] | undefined }> {
  const zone = ingestionZone(deps)
  const stamp = { db, number: record.batch, takenAt: record.snapshot.takenAt }
  const table = lakeTable({ ...shape, table: shape.name })
  const lake = `lake ${table.name}`
  await openState(db, zone, { relation: lake, table, state: entry.state })
  if (entry.open.length === 0) {
    const names = table.columns.map(({ name }) => name)
    const source = await withPostgresErrors(deps.source, () =>
      snapshot.client.query<ChecksumRow>(
        `select ${postgresChecksum(names)} from ${shape.relation}`,
      ),
    )
    const expected = parseChecksum(onlyRow(source))
    if (isSameChecksum(expected, await checksumOf(db, table.columns, identifier(lake)))) {
      const found = { difference: NO_DIFFERENCE, quarantined: 0, paths: undefined }
      const rows = Number(expected.rows)
      return { table: table.name, where: 'lake', by: 'checksum', rows, ...found }
    }
  }
  const folder = join(db.scratchDir, randomUUID())
  await mkdir(folder)
  const paths: string[] = []
  let [read, rows] = [0, 0]
  for await (const copied of copyWhole(snapshot, shape, { folder, connections: 1 })) {
    const converted = await convertRows(stamp, table, { copied, firstOrdinal: read + 1 })
    paths.push(converted.path)
    read += copied.rows
    rows += converted.rows
  }
  const [state, withheld] = [lake, `withheld ${table.name}`].map(identifier)
  await openQuarantined(db, zone, {
    relation: `withheld ${table.name}`,
    table,
    open: entry.open,
  })
  const names = identifiers(table.columns.map(({ name }) => name))
  const isWithheld = `join ${withheld} using (${identifiers(table.key)})`
  const difference = await findDifferences(db, table, {
    expected: `(select ${names} from ${incomingRelation(table, paths)} anti ${isWithheld})`,
    found: `(select ${names} from ${state} anti ${isWithheld})`,
  })
  const quarantined = sumRows(entry.open)
  if (quarantined > 0) {
    const path = join(folder, 'withheld.parquet')
    await writeParquet(db, `select ${names} from ${state} semi ${isWithheld}`, path)
    paths.push(path)
  }
  return { table: table.name, where: 'lake', by: 'rows', rows, difference, quarantined, paths }
}

async function verifyWarehouse(
  deps: Deps,
  {
    db,
    warehouse,
    record,
    held,
    unfit,
    scope,
  }: {
    db: DuckDb
    warehouse: WarehouseClient
    record: CommitRecord
    held: readonly HeldTable[]
    unfit: ReadonlySet<string>
    scope: Scope
  },
): Promise<{ verified: VerifiedTable[]; faults: readonly LogFault[] }> {
  if (scope.histories.length === 0) return { verified: [], faults: [] }
  await withPostgresErrors(warehouse.warehouse, () => beginReading(warehouse, NO_TIME_LIMITS))
  const head = await readLedgerHead(warehouse)
  if (head?.batch !== record.batch) {
    throw new ConflictError(
      `The warehouse stands at batch ${head?.batch ?? 0}, the snapshot at ${record.batch}`,
      {
        code: 'VERIFY_OVERTAKEN',
        hint: 'another run went on meanwhile; run tidemark verify again',
      },
    )
  }
  await db.run('create temp table "named days" (calendar varchar, date_id date)')
  const verified: VerifiedTable[] = []
  for (const model of scope.models) {
    const hold = held.find(({ table }) => table === model.table)
    const made =
      hold !== undefined
        ? { ...reportHeld(model.table, hold.reason), where: 'warehouse' as const }
        : model.kind === 'fact'
          ? await verifyFact(deps, { db, warehouse, model, batch: record.batch, unfit })
          : await verifyDimension({ db, warehouse, model })
    verified.push(made)
    deps.log({ event: 'table_verified', where: 'warehouse', table: model.table, rows: made.rows })
  }
  const { faults, files } = await verifyLog(deps, warehouse, record.batch)
  const transformed = await readCommit(
    processedZone(deps, generationOf(deps.project)),
    record.batch,
  )
  for (const model of scope.histories) {
    if (transformed === undefined) break
    const check = { db, warehouse, record: transformed, files }
    const compared =
      model.kind === 'fact'
        ? await compareVersions(deps, check, model)
        : await compareDimension(deps, check, model)
    verified.push({ table: model.table, where: 'history', quarantined: 0, ...compared })
    deps.log({ event: 'table_verified', where: 'history', table: model.table, rows: compared.rows })
  }
  return { verified, faults }
}

/** The calendar comes last: its days are those the facts name. */
function rank(model: Model): number {
  return model.kind === 'calendar' ? 1 : 0
}

interface ModelCheck<Kind extends Model> {
  readonly db: DuckDb
  readonly warehouse: WarehouseClient
  readonly model: Kind
}

/**
 * A fact's current rows against what the model makes of the source, and against its own history.
 * Of a row whose values its contract has no room for the model is only asked which key it is of.
 */
async function verifyFact(
  deps: Deps,
  {
    db,
    warehouse,
    model,
    batch,
    unfit,
  }: ModelCheck<Fact> & { batch: number; unfit: ReadonlySet<string> },
): Promise<VerifiedTable> {
  const openChangesOf = (rows: string) =>
    db.run(`
      create or replace temp view ${identifier(`change_${model.from}`)} as
      select
          *,
          'insert' as _operation,
          ${batch}::bigint as _batch,
          now() as _captured_at,
          row_number() over () as _ordinal
      from ${identifier(rows)}`)
  const select = `select * exclude (_operation, _captured_at, _ordinal) from (${readModel(model)})`
  await openChangesOf(unfit.has(model.from) ? `unfit ${model.from}` : model.from)
  await db.run(`
    create or replace temp table "unfit keys" as
    select ${identifiers(model.key)} from (${select}) where ${unfit.has(model.from)}`)
  await openChangesOf(model.from)
  const days = daysOf(deps.project, model)
  const checked = await compareModel({
    db,
    warehouse,
    model,
    select,
    relation: identifier(`${model.table}_current`),
    days: days.map(({ column }) => column),
  })
  for (const { column, calendar } of days) {
    const day = identifier(column)
    await db.run(`
      insert into "named days"
      select distinct ${duckLiteral(calendar)}, ${day} from "expected" where ${day} is not null`)
  }
  const stale = await countStale(warehouse, { model, batch })
  const { difference } = checked
  return { ...checked, difference: { ...difference, different: difference.different + stale } }
}

/** Rows of the maintained current table that are not what the history says, either way. */
async function countStale(
  { client, warehouse }: WarehouseClient,
  { model, batch }: { model: Fact; batch: number },
): Promise<number> {
  const current = identifier(`${model.table}_current`)
  const asOf = `${identifier(`${model.table}_as_of_batch`)} (${batch})`
  return await withPostgresErrors(warehouse, async () => {
    // By name: the two may hold their columns in another order.
    const { rows: columns } = await client.query<{ name: string }>(
      `select attname as name from pg_attribute
       where attrelid = to_regclass($1) and attnum > 0 and not attisdropped`,
      [identifier(model.table)],
    )
    const row = (alias: string) =>
      `row(${columns.map(({ name }) => `${alias}.${identifier(name)}`).join(', ')})::text`
    const found = await client.query<{ rows: string }>(`
      select (count(c.present) + count(f.present))::text as rows
      from (select true as present, * from ${current}) as c
      full join (select true as present, * from ${asOf}) as f using (${identifiers(model.key)})
      where ${row('c')} is distinct from ${row('f')}`)
    return Number(onlyRow(found).rows)
  })
}

/** A dimension against its model. Rows the source no longer holds may stay: old facts join them. */
async function verifyDimension(check: ModelCheck<Model>): Promise<VerifiedTable> {
  await check.db.run(`
    create or replace temp table named_date as
    select distinct date_id from "named days"
    where calendar = ${duckLiteral(check.model.table)}`)
  const select = readModel(check.model)
  await check.db.run(`
    create or replace temp table "unfit keys" as
    select ${identifiers(check.model.key)} from (${select}) where false`)
  const checked = await compareModel({
    ...check,
    select,
    relation: identifier(check.model.table),
  })
  return { ...checked, difference: withoutExtra(checked.difference) }
}

/** Makes `expected` from a model's select, copies the warehouse's rows, and compares them. */
async function compareModel({
  db,
  warehouse: connection,
  model,
  select,
  relation,
  days = [],
}: ModelCheck<Model> & {
  select: string
  relation: string
  days?: readonly string[]
}): Promise<VerifiedTable> {
  const { client, warehouse } = connection
  const table: LakeTable = {
    name: model.table,
    key: model.key,
    columns: await describe(db, select),
  }
  const broken = brokenBy(rulesOf(model, { columns: table.columns, days }))
  await db.run(`create or replace temp table "made" as ${select}`)
  await db.run(
    `create or replace temp table "expected" as select * from "made" where not (${broken})`,
  )
  const key = identifiers(model.key)
  const quarantined = `(
    select ${key} from "made" where ${broken} union all select ${key} from "unfit keys")`
  const counts = onlyRow({
    rows: await db.rows<{ rows: bigint; quarantined: bigint }>(
      `select (select count(*) from "expected") as rows, (select count(*) from ${quarantined}) as quarantined`,
    ),
  })
  const verified = {
    table: model.table,
    where: 'warehouse' as const,
    rows: Number(counts.rows),
    quarantined: Number(counts.quarantined),
  }
  if (counts.quarantined === 0n) {
    const sums = await withPostgresErrors(warehouse, () =>
      client.query<ChecksumRow>(
        `select ${postgresChecksum(table.columns.map(({ name }) => name))} from ${relation}`,
      ),
    )
    const expected = await checksumOf(db, table.columns, '"expected"')
    if (isSameChecksum(expected, parseChecksum(onlyRow(sums)))) {
      return { ...verified, by: 'checksum', difference: NO_DIFFERENCE }
    }
  }
  const copied = await copyRows(db, connection, { table, from: relation })
  const found = `(select * from ${copied} anti join ${quarantined} using (${key}))`
  const difference = await findDifferences(db, table, { expected: '"expected"', found })
  return { ...verified, by: 'rows', difference }
}
