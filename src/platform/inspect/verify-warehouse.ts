import { type Deps, processedZone } from '../deps.ts'
import { ConflictError } from '../errors.ts'
import type { DuckDb } from '../io/duckdb.ts'
import { withPostgresErrors } from '../io/postgres-errors.ts'
import { onlyRow } from '../io/postgres.ts'
import { NO_TIME_LIMITS } from '../io/session.ts'
import { duckLiteral, identifier, identifiers } from '../io/sql.ts'
import { readCommit } from '../lake/batch-log.ts'
import type { CommitRecord } from '../lake/commit-record.ts'
import { findDifferences } from '../lake/difference.ts'
import type { HeldTable } from '../lake/held.ts'
import type { LakeTable } from '../lake/table-state.ts'
import { generationOf, readModel } from '../project/generation.ts'
import type { Fact, Model } from '../project/model.ts'
import { describe } from '../transform/dimension.ts'
import { daysOf } from '../transform/fact.ts'
import { brokenBy, rulesOf } from '../transform/rules.ts'
import { readLedgerHead } from '../warehouse/ledger.ts'
import { beginReading, type WarehouseClient } from '../warehouse/warehouse.ts'
import { reportHeld, type VerifiedTable } from './verified-table.ts'
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
import type { Scope } from './verify-scope.ts'

export async function verifyWarehouse(
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
