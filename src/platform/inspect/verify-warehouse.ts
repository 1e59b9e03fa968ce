import { type Deps, processedZone } from '../deps.ts'
import { ConflictError } from '../errors.ts'
import type { DuckDb, Relation } from '../io/duckdb.ts'
import { openTogether } from '../io/open-together.ts'
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
import { describeSelect } from '../lake/describe-select.ts'
import { daysOf } from '../transform/fact.ts'
import { brokenBy, rulesOf } from '../transform/rules.ts'
import { changesOf } from '../transform/source-view.ts'
import { readLedgerHead } from '../warehouse/ledger.ts'
import { beginReading, type WarehouseClient } from '../warehouse/warehouse.ts'
import { notCompared, type VerifiedTable } from './verified-table.ts'
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

/** The places to compare, and the batch at which they are compared. */
export interface WarehouseCheck {
  readonly db: DuckDb
  readonly warehouse: WarehouseClient
  /** The ingestion record at which lake and warehouse are compared. */
  readonly record: CommitRecord
  readonly held: readonly HeldTable[]
  /** See `VerifiedLake`. */
  readonly refused: ReadonlyMap<string, string>
  readonly scope: Scope
}

/**
 * Compares the warehouse with the rows that the models make from the source, and with the processed
 * zone. The source tables must be open, see `verifyLake`. Read-only. Throws `ConflictError`
 * (`VERIFY_OVERTAKEN`) if the warehouse is not at the batch of `record`.
 */
export async function verifyWarehouse(
  deps: Deps,
  check: WarehouseCheck,
): Promise<{ verified: VerifiedTable[]; faults: readonly LogFault[] }> {
  const { warehouse, record, scope } = check
  if (scope.histories.length === 0) return { verified: [], faults: [] }
  await withPostgresErrors(warehouse.warehouse, () => beginReading(warehouse, NO_TIME_LIMITS))
  const head = await readLedgerHead(warehouse)
  if (head?.batch !== record.batch) {
    throw new ConflictError(
      `The warehouse is at batch ${head?.batch ?? 0}, the snapshot at batch ${record.batch}`,
      {
        code: 'VERIFY_OVERTAKEN',
        hint: 'another run loaded a batch meanwhile; run tidemark verify again',
      },
    )
  }
  const models = await verifyModels(deps, check)
  const { verified, faults } = await verifyHistories(deps, check)
  return { verified: [...models, ...verified], faults }
}

/** Compares the warehouse's current rows with the rows that each model makes from the source. */
async function verifyModels(
  deps: Deps,
  { db, warehouse, record, held, refused, scope }: WarehouseCheck,
): Promise<VerifiedTable[]> {
  await using days = await db.table(
    'select null::varchar as calendar, null::date as date_id where false',
  )
  const verified: VerifiedTable[] = []
  for (const model of scope.models) {
    const hold = held.find(({ table }) => table === model.table)
    const check = { db, warehouse, batch: record.batch, refused, days }
    const made =
      hold !== undefined
        ? { ...notCompared(model.table, hold.reason), where: 'warehouse' as const }
        : model.kind === 'fact'
          ? await verifyFact(deps, { ...check, model })
          : await verifyDimension({ ...check, model })
    verified.push(made)
    deps.log({ event: 'table_verified', where: 'warehouse', table: model.table, rows: made.rows })
  }
  return verified
}

/**
 * Compares every version in the warehouse with the processed zone, and the chain with the ledger.
 */
async function verifyHistories(
  deps: Deps,
  { db, warehouse, record, scope }: WarehouseCheck,
): Promise<{ verified: VerifiedTable[]; faults: readonly LogFault[] }> {
  const { faults, files } = await verifyLog(deps, warehouse, record.batch)
  const zone = processedZone(deps, generationOf(deps.project))
  const transformed = await readCommit(zone, record.batch)
  const verified: VerifiedTable[] = []
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

/** One model to run over the source and to compare with the warehouse. */
interface ModelCheck<Kind extends Model> extends Pick<
  WarehouseCheck,
  'db' | 'warehouse' | 'refused'
> {
  readonly model: Kind
  readonly batch: number
  /** The days that facts name, by calendar. */
  readonly days: Relation
}

/**
 * Compares a fact's current rows with the rows that the model makes from the source, and with the
 * fact's own history. A row whose values do not fit its contract only contributes its key, which is
 * left out.
 */
async function verifyFact(deps: Deps, check: ModelCheck<Fact>): Promise<VerifiedTable> {
  const { db, warehouse, model, batch } = check
  const select = `select * exclude (_operation, _captured_at, _ordinal) from (${readModel(model)})`
  await using refusedKeys = await readRefusedKeys(check, select)
  await using _changes = await openAsChanges(check, identifier(model.from))
  const days = daysOf(deps.project, model)
  await using expected = await makeExpected(db, {
    model,
    select,
    refusedKeys,
    days: days.map(({ column }) => column),
  })
  const { difference, ...checked } = await compareModel(
    { db, warehouse },
    { expected, relation: identifier(`${model.table}_current`) },
  )
  for (const { column, calendar } of days) {
    const day = identifier(column)
    await db.run(`
      insert into ${check.days.name}
      select distinct ${duckLiteral(calendar)}, ${day} from ${expected.rows} where ${day} is not null`)
  }
  const stale = await countStale(warehouse, { model, batch })
  return { ...checked, difference: { ...difference, different: difference.different + stale } }
}

/** Opens the rows of a source table as if one batch had inserted all of them. */
async function openAsChanges(
  { db, model, batch }: ModelCheck<Fact>,
  rows: string,
): Promise<Relation> {
  const select = `
    select
        *,
        'insert' as _operation,
        ${batch}::bigint as _batch,
        now() as _captured_at,
        row_number() over () as _ordinal
    from ${rows}`
  return await db.view(select, changesOf(model.from))
}

/** The keys that the model gives to source rows whose values do not fit their contract. */
async function readRefusedKeys(
  check: ModelCheck<Fact>,
  select: string,
): Promise<Relation | undefined> {
  const rows = check.refused.get(check.model.from)
  if (rows === undefined) return undefined
  await using _changes = await openAsChanges(check, rows)
  return await check.db.table(`select ${identifiers(check.model.key)} from (${select})`)
}

/** The number of rows in which the current table and the history differ, in either direction. */
async function countStale(
  { client, warehouse }: WarehouseClient,
  { model, batch }: { model: Fact; batch: number },
): Promise<number> {
  const current = identifier(`${model.table}_current`)
  const asOf = `${identifier(`${model.table}_as_of_batch`)} (${batch})`
  return await withPostgresErrors(warehouse, async () => {
    // Compares columns by name, because the two may hold them in different orders.
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

/**
 * Compares a dimension with the rows that its model makes. Rows that the source no longer holds may
 * stay, because earlier facts join them.
 */
async function verifyDimension({
  db,
  warehouse,
  model,
  days,
}: ModelCheck<Model>): Promise<VerifiedTable> {
  await using _dates = await db.table(
    `select distinct date_id from ${days.name} where calendar = ${duckLiteral(model.table)}`,
    'named_date',
  )
  await using expected = await makeExpected(db, { model, select: readModel(model) })
  const relation = identifier(model.table)
  const checked = await compareModel({ db, warehouse }, { expected, relation })
  return { ...checked, difference: withoutExtra(checked.difference) }
}

/** The rows that a model makes from the source. Dispose of them after use. */
interface ExpectedRows extends AsyncDisposable {
  readonly table: LakeTable
  /** Relation of the rows that break no rule. */
  readonly rows: string
  /** Relation of the keys whose rows break a rule. */
  readonly quarantined: string
}

async function makeExpected(
  db: DuckDb,
  {
    model,
    select,
    refusedKeys,
    days = [],
  }: {
    model: Model
    select: string
    refusedKeys?: Relation | undefined
    days?: readonly string[]
  },
): Promise<ExpectedRows> {
  const columns = await describeSelect(db, select)
  const table: LakeTable = { name: model.table, key: model.key, columns }
  const broken = brokenBy(rulesOf(model, { columns, days }))
  const key = identifiers(model.key)
  const more = refusedKeys === undefined ? '' : ` union all select ${key} from ${refusedKeys.name}`
  return await openTogether(async (keep) => {
    const made = keep(await db.table(select))
    const rows = keep(await db.table(`select * from ${made.name} where not (${broken})`))
    const quarantined = `(select ${key} from ${made.name} where ${broken}${more})`
    return { table, rows: rows.name, quarantined }
  })
}

/** Compares the rows that a model makes with the warehouse: by checksum, then row by row. */
async function compareModel(
  { db, warehouse: connection }: Pick<WarehouseCheck, 'db' | 'warehouse'>,
  { expected, relation }: { expected: ExpectedRows; relation: string },
): Promise<VerifiedTable> {
  const { client, warehouse } = connection
  const { table } = expected
  const rows = await db.count(expected.rows)
  const quarantined = await db.count(expected.quarantined)
  const verified = { table: table.name, where: 'warehouse' as const, rows, quarantined }
  if (quarantined === 0) {
    const sums = await withPostgresErrors(warehouse, () =>
      client.query<ChecksumRow>(
        `select ${postgresChecksum(table.columns.map(({ name }) => name))} from ${relation}`,
      ),
    )
    const own = await checksumOf(db, table.columns, expected.rows)
    if (isSameChecksum(own, parseChecksum(onlyRow(sums)))) {
      return { ...verified, by: 'checksum', difference: NO_DIFFERENCE }
    }
  }
  const copied = await copyRows(db, connection, { table, from: relation })
  const using = `using (${identifiers(table.key)})`
  const found = `(select * from ${copied} anti join ${expected.quarantined} ${using})`
  const difference = await findDifferences(db, table, { expected: expected.rows, found })
  return { ...verified, by: 'rows', difference }
}
