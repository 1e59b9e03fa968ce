import type { Deps } from '../deps.ts'
import type { DuckDb, Relation } from '../io/duckdb.ts'
import { openTogether } from '../io/open-together.ts'
import { onlyRow } from '../io/postgres.ts'
import { duckLiteral, identifier, identifiers } from '../io/sql.ts'
import { describeSelect } from '../lake/describe-select.ts'
import { findDifferences, NO_DIFFERENCE, withoutExtra } from '../lake/difference.ts'
import type { LakeTable } from '../lake/table-state.ts'
import { asOfBatchFunction, currentTable } from '../project/fact-names.ts'
import { readModel } from '../project/generation.ts'
import type { Fact, Model } from '../project/model.ts'
import { daysOf } from '../transform/fact.ts'
import { brokenBy, rulesOf } from '../transform/rules.ts'
import { changesOf } from '../transform/source-view.ts'
import { isDifferent, notCompared, type VerifiedTable } from './verified-table.ts'
import { checksumOf, hashedAs, isSameChecksum, readChecksum, rowHash } from './verify-checksum.ts'
import { askInTurn, copyRows, type SharedWarehouse } from './shared-warehouse.ts'
import { readColumnNames } from '../warehouse/columns.ts'
import type { CurrentRows } from './verify-history.ts'
import { beginSums } from './verify-sums.ts'
import type { VerifiedHistories, WarehouseCheck } from './verify-warehouse.ts'

/** What a comparison of the models needs in addition: the source tables, open in `db`. */
export interface ModelsCheck extends WarehouseCheck {
  /** See `VerifiedLake`. */
  readonly refused: ReadonlyMap<string, string>
  /** The comparison with the processed zone, which is under way. */
  readonly histories: Promise<VerifiedHistories>
}

/**
 * Compares the warehouse's current rows with the rows that each model makes from the source. If a
 * fact's current rows are right, also compares its sums with them. The source tables must be open,
 * see `verifyLake`. Read-only.
 *
 * The comparison with the processed zone has already read the warehouse. If its checksums prove
 * which rows of that zone are the warehouse's current rows, the model's rows are compared with them
 * inside DuckDB. All other models are compared with the warehouse itself, by another checksum and
 * then row by row.
 */
export async function verifyModels(deps: Deps, check: ModelsCheck): Promise<VerifiedTable[]> {
  const { db, held, scope } = check
  await using days = await db.table(
    'select null::varchar as calendar, null::date as date_id where false',
  )
  const made = new Map<Model, MadeRows>()
  for (const model of scope.models) {
    if (held.some(({ table }) => table === model.table)) continue
    await using rows = await openModel(deps, { ...check, days }, model)
    made.set(model, await sumMade(deps, { ...check, days }, rows))
  }
  const { current } = await check.histories
  // Ask now, while the warehouse has nothing else to do.
  const sums = new Map(
    scope.models.map((model) => [
      model,
      model.kind === 'fact' ? beginSums(check.warehouse, model) : Promise.resolve([]),
    ]),
  )
  for (const asked of sums.values()) asked.catch(() => {}) // reported when it is awaited
  const verified: VerifiedTable[] = []
  for (const model of scope.models) {
    const compared = await verifyModel(deps, { ...check, days }, model, {
      made: made.get(model),
      current: current.get(model.table),
    })
    verified.push(compared)
    deps.log({
      event: 'table_verified',
      where: 'warehouse',
      table: model.table,
      rows: compared.rows,
    })
    if (isDifferent(compared)) continue
    for (const each of (await sums.get(model)) ?? []) {
      verified.push(each)
      deps.log({ event: 'table_verified', where: each.where, table: each.table, rows: each.rows })
    }
  }
  return verified
}

/** One model to run over the source and to compare with the warehouse. */
interface ModelCheck extends ModelsCheck {
  /** The days that facts name, by calendar. */
  readonly days: Relation
}

/**
 * Compares one model with the warehouse. Of a dimension, rows that the source no longer holds may
 * stay, because earlier facts join them.
 */
async function verifyModel(
  deps: Deps,
  check: ModelCheck,
  model: Model,
  { made, current }: { made: MadeRows | undefined; current: CurrentRows | undefined },
): Promise<VerifiedTable> {
  const { table } = model
  const where = 'warehouse'
  if (made === undefined) {
    const hold = check.held.find((each) => each.table === table)
    return { ...notCompared(table, hold?.reason), where }
  }
  if (made.quarantined === 0 && isSame(made, current)) {
    const { rows, quarantined } = made
    return { table, where, rows, quarantined, by: 'checksum', difference: NO_DIFFERENCE }
  }
  await using rows = await openModel(deps, check, model)
  if (model.kind !== 'fact') {
    const checked = await compareModel(check, { made: rows, relation: identifier(table) })
    return { ...checked, difference: withoutExtra(checked.difference) }
  }
  const relation = identifier(currentTable(model))
  const { difference: found, ...checked } = await compareModel(check, { made: rows, relation })
  const stale = await countStale(check.warehouse, { model, batch: check.record.batch })
  const difference = (await isWaiting(check, model)) ? withoutExtra(found) : found
  return { ...checked, difference: { ...difference, different: difference.different + stale } }
}

/** Whether a fact keeps rows only because a row of a table that it follows is refused. */
async function isWaiting({ db, refused }: ModelCheck, { follows = [] }: Fact): Promise<boolean> {
  for (const name of follows) {
    const rows = refused.get(name)
    if (rows !== undefined && (await db.count(rows)) > 0) return true
  }
  return false
}

function isSame(one: CurrentRows, other: CurrentRows | undefined): boolean {
  return one.rows === other?.rows && one.sum === other.sum && one.hashedAs === other.hashedAs
}

/** A model that can be run over the source, until this is disposed of. */
interface OpenModel extends AsyncDisposable {
  readonly model: Model
  readonly table: LakeTable
  readonly select: string
  /** SQL condition of a row that breaks a rule. */
  readonly broken: string
  /** The keys of source rows whose values do not fit their contract. */
  readonly refusedKeys: Relation | undefined
}

async function openModel(deps: Deps, check: ModelCheck, model: Model): Promise<OpenModel> {
  const { db } = check
  return await openTogether(async (keep) => {
    const select =
      model.kind === 'fact'
        ? `select * exclude (_operation, _captured_at, _ordinal) from (${readModel(model)})`
        : readModel(model)
    let refusedKeys: Relation | undefined
    if (model.kind === 'fact') {
      refusedKeys = keep(await readRefusedKeys(check, model, select))
      keep(await openAsChanges(check, model, identifier(model.from)))
    } else {
      const named = `select distinct date_id from ${check.days.name} where calendar = ${duckLiteral(model.table)}`
      keep(await db.table(named, 'named_date'))
    }
    const columns = await describeSelect(db, select)
    const days = dayColumns(deps, model).map(({ column }) => column)
    const table = { name: model.table, key: model.key, columns }
    const broken = brokenBy(rulesOf(model, { columns, days }))
    return { model, table, select, broken, refusedKeys }
  })
}

function dayColumns({ project }: Deps, model: Model): ReturnType<typeof daysOf> {
  return model.kind === 'fact' ? daysOf(project, model) : []
}

/** The number and the hash of the rows that a model makes from the source and that break no rule. */
interface MadeRows extends CurrentRows {
  /** Keys whose rows break a rule, or whose values do not fit their contract. */
  readonly quarantined: number
}

/** Runs a model once. Adds the days that its rows name to `days`. */
async function sumMade(
  deps: Deps,
  { db, days }: ModelCheck,
  { model, table, select, broken, refusedKeys }: OpenModel,
): Promise<MadeRows> {
  const named = dayColumns(deps, model)
  const kept = named.map(({ column }) => `${identifier(column)}, `).join('')
  await using made = await db.table(
    `select ${kept}${broken} as _broken, ${rowHash(table.columns)} as _hash from (${select})`,
  )
  const found = await db.row<{ rows: bigint; broken: bigint; sum: string }>(`
    select
        count(*) filter (where not _broken) as rows,
        count(*) filter (where _broken) as broken,
        coalesce(sum(_hash) filter (where not _broken), 0)::varchar as sum
    from ${made.name}`)
  for (const { column, calendar } of named) {
    const day = identifier(column)
    await db.run(`
      insert into ${days.name}
      select distinct ${duckLiteral(calendar)}, ${day} from ${made.name}
      where not _broken and ${day} is not null`)
  }
  const refused = refusedKeys === undefined ? 0 : await db.count(refusedKeys.name)
  return {
    rows: Number(found.rows),
    sum: BigInt(found.sum),
    hashedAs: hashedAs(table.columns),
    quarantined: Number(found.broken) + refused,
  }
}

/** Opens the rows of a source table as if one batch had inserted all of them. */
async function openAsChanges(
  { db, record }: ModelCheck,
  { from }: Fact,
  rows: string,
): Promise<Relation> {
  const select = `
    select
        *,
        'insert' as _operation,
        ${record.batch}::bigint as _batch,
        now() as _captured_at,
        row_number() over () as _ordinal
    from ${rows}`
  return await db.view(select, changesOf(from))
}

/** The keys that the model gives to source rows whose values do not fit their contract. */
async function readRefusedKeys(
  check: ModelCheck,
  model: Fact,
  select: string,
): Promise<Relation | undefined> {
  const rows = check.refused.get(model.from)
  if (rows === undefined) return undefined
  await using _changes = await openAsChanges(check, model, rows)
  return await check.db.table(`select ${identifiers(model.key)} from (${select})`)
}

/** The number of rows in which the current table and the history differ, in either direction. */
async function countStale(
  warehouse: SharedWarehouse,
  { model, batch }: { model: Fact; batch: number },
): Promise<number> {
  const current = identifier(currentTable(model))
  const asOf = `${identifier(asOfBatchFunction(model))} (${batch})`
  return await askInTurn(warehouse, async (client) => {
    // Compares columns by name, because the two may hold them in different orders.
    const columns = await readColumnNames(client, model)
    const row = (alias: string) =>
      `row(${columns.map((name) => `${alias}.${identifier(name)}`).join(', ')})::text`
    const found = await client.query<{ rows: string }>(`
      select (count(c."is there") + count(f."is there"))::text as rows
      from (select true as "is there", * from ${current}) as c
      full join (select true as "is there", * from ${asOf}) as f using (${identifiers(model.key)})
      where ${row('c')} is distinct from ${row('f')}`)
    return Number(onlyRow(found).rows)
  })
}

/** The rows that a model makes from the source. Dispose of them after use. */
interface ExpectedRows extends AsyncDisposable {
  /** Relation of the rows that break no rule. */
  readonly rows: string
  /** Relation of the keys whose rows break a rule. */
  readonly quarantined: string
}

async function makeExpected(
  db: DuckDb,
  { table, select, broken, refusedKeys }: OpenModel,
): Promise<ExpectedRows> {
  const key = identifiers(table.key)
  const more = refusedKeys === undefined ? '' : ` union all select ${key} from ${refusedKeys.name}`
  return await openTogether(async (keep) => {
    const made = keep(await db.table(select))
    const rows = keep(await db.view(`select * from ${made.name} where not (${broken})`))
    const quarantined = `(select ${key} from ${made.name} where ${broken}${more})`
    return { rows: rows.name, quarantined }
  })
}

/** Compares the rows that a model makes with the warehouse: by checksum, then row by row. */
async function compareModel(
  { db, warehouse }: ModelCheck,
  { made, relation }: { made: OpenModel; relation: string },
): Promise<VerifiedTable> {
  const { table } = made
  await using expected = await makeExpected(db, made)
  const rows = await db.count(expected.rows)
  const quarantined = await db.count(expected.quarantined)
  const verified = { table: table.name, where: 'warehouse' as const, rows, quarantined }
  if (quarantined === 0) {
    const asked = await askInTurn(warehouse, (client) =>
      readChecksum(client, table.columns, relation),
    )
    const own = await checksumOf(db, table.columns, expected.rows)
    if (isSameChecksum(own, asked)) {
      return { ...verified, by: 'checksum', difference: NO_DIFFERENCE }
    }
  }
  const copied = await copyRows(db, warehouse, { table, from: relation })
  const using = `using (${identifiers(table.key)})`
  const found = `(select * from ${copied} anti join ${expected.quarantined} ${using})`
  const difference = await findDifferences(db, table, { expected: expected.rows, found })
  return { ...verified, by: 'rows', difference }
}
