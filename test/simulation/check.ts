import type { DuckDb } from '../../src/platform/io/duckdb.ts'
import { readCommit } from '../../src/platform/lake/batch-log.ts'
import type { CommitRecord } from '../../src/platform/lake/commit-record.ts'
import { readParquet } from '../../src/platform/lake/parquet.ts'
import { openState } from '../../src/platform/lake/table-state.ts'
import { openFiles, type Zone } from '../../src/platform/lake/zone.ts'
import { type CommittedState, type Rows, TABLES, type Values } from './database.ts'

/** What a history must not show: which batch, and what is wrong with it. */
export interface Violation {
  /** Stable, to tell whether two histories fail alike. */
  readonly kind: string
  readonly detail: string
}

const NO_ROWS: Rows = new Map()

/** What was committed when a snapshot was taken, by `snapshotKey`. */
export type Oracle = ReadonlyMap<string, CommittedState>

/** The name of a snapshot: its run, and its place in the source's history. */
export function snapshotKey(
  runId: string,
  { xmin, xmax, inFlight, wal, timeline }: CommitRecord['snapshot'],
): string {
  return [runId, xmin, xmax, inFlight.join(','), wal, timeline].join(' ')
}

/** A log of batches with what its change files hold. */
interface ReadLog {
  readonly zone: Zone
  readonly records: readonly CommitRecord[]
  /** By table, the changes in their order. */
  readonly changes: ReadonlyMap<string, readonly Change[]>
}

interface Change {
  readonly batch: number
  readonly operation: string
  readonly key: string
  readonly values: Values
}

/** A run that ended well, and what it says: the lake is as the source was in this snapshot. */
export interface Claim {
  readonly runId: string
  readonly batch: number
  readonly checksum: string
  readonly state: CommittedState
}

/** Where the batches of a history are, and what must be in them. */
export interface Checked {
  readonly db: DuckDb
  readonly ingestion: Zone
  readonly processed: Zone
  readonly oracle: Oracle
  readonly claims: readonly Claim[]
}

/**
 * Compares every batch of both zones with what was committed when its snapshot was taken, change by
 * change (I1, I2, I4, I6, I7, I10, I11). Returns the first violation of each zone.
 */
export async function checkLake({
  db,
  ingestion,
  processed,
  oracle,
  claims,
}: Checked): Promise<Violation[]> {
  const violations: Violation[] = []
  try {
    const captured = await readLog(db, ingestion, { customers: 'id', orders: 'id' })
    const states = checkCaptured(captured, oracle)
    await checkStates(db, captured, states.at(-1))
    for (const claim of claims) checkClaim(claim, { captured, states })
    const made = await readLog(db, processed, {
      dim_customer: 'customer_id',
      fact_order: 'order_id',
    })
    checkMade(made, { captured, states })
  } catch (error) {
    if (!(error instanceof Wrong)) throw error
    violations.push({ kind: error.kind, detail: error.message })
  }
  return violations
}

class Wrong extends Error {
  readonly kind: string
  constructor(kind: string, detail: string) {
    super(detail)
    this.kind = kind
  }
}

async function readLog(
  db: DuckDb,
  zone: Zone,
  keys: Readonly<Record<string, string>>,
): Promise<ReadLog> {
  const records: CommitRecord[] = []
  for (let batch = 1; ; batch++) {
    const record = await readCommit(zone, batch)
    if (record === undefined) break
    const before = records.at(-1)
    if (before !== undefined && record.previousChecksum !== before.checksum) {
      throw new Wrong('chain', `batch ${batch} does not continue batch ${before.batch}`)
    }
    for (const [table, { counts }] of Object.entries(record.tables)) {
      if (counts.read !== counts.accepted + counts.unchanged + counts.quarantined) {
        throw new Wrong('I10', `batch ${batch}: ${table} does not account for its rows`)
      }
    }
    records.push(record)
  }
  const changes = new Map<string, Change[]>()
  for (const [table, key] of Object.entries(keys)) {
    changes.set(table, await readChanges(db, zone, { records, table, key }))
  }
  return { zone, records, changes }
}

async function readChanges(
  db: DuckDb,
  zone: Zone,
  { records, table, key }: { records: readonly CommitRecord[]; table: string; key: string },
): Promise<Change[]> {
  const files = records.flatMap(({ tables }) => tables[table]?.changes ?? [])
  if (files.length === 0) return []
  const isFact = table.startsWith('fact_')
  const order = isFact ? 'order_record_id' : '_batch, _ordinal'
  const paths = await openFiles(zone, files)
  const from = readParquet(paths).replace(/\)$/, ', union_by_name = true)')
  const rows = await db.rows<Record<string, string | null>>(
    `select columns(*)::varchar from (select * from ${from} order by ${order})`,
  )
  return rows.map((row) => {
    const { _operation, _batch, record_operation, batch_id, ...values } = row
    return {
      batch: Number(_batch ?? batch_id),
      operation: _operation ?? record_operation ?? '',
      key: values[key] ?? '',
      values,
    }
  })
}

/** The rows of each table after each batch, by replaying the changes; checked on the way. */
function checkCaptured({ records, changes }: ReadLog, oracle: Oracle): Record<string, Rows>[] {
  const states: Record<string, Rows>[] = []
  const now = new Map<string, Map<string, Values>>(TABLES.map((table) => [table, new Map()]))
  for (const record of records) {
    const expected = oracle.get(snapshotKey(record.writer.runId, record.snapshot))
    if (expected === undefined) {
      throw new Wrong('snapshot', `batch ${record.batch} names a snapshot that nobody took`)
    }
    for (const table of TABLES) {
      const rows = now.get(table) ?? new Map<string, Values>()
      const own = (changes.get(table) ?? []).filter(({ batch }) => batch === record.batch)
      for (const change of own) apply(rows, change, table)
      const entry = record.tables[table]
      if (entry?.held === undefined && entry?.heldDeletes === undefined) {
        expectSame(rows, expected[table] ?? NO_ROWS, `batch ${record.batch}: ${table}`)
      } else if (entry.held !== undefined && own.length > 0) {
        throw new Wrong('held', `batch ${record.batch} changes ${table}, which is held`)
      }
    }
    states.push(Object.fromEntries([...now].map(([table, rows]) => [table, new Map(rows)])))
  }
  return states
}

/** A run that ended well has left the lake as the source was (I13). */
function checkClaim(
  { runId, batch, checksum, state }: Claim,
  { captured: { records }, states }: { captured: ReadLog; states: readonly Record<string, Rows>[] },
): void {
  const record = records[batch - 1]
  if (record?.checksum !== checksum) {
    throw new Wrong('I13', `${runId} says that it left batch ${batch}, which is another one`)
  }
  for (const table of TABLES) {
    const entry = record.tables[table]
    if (entry?.held !== undefined || entry?.heldDeletes !== undefined) continue
    const rows = states[batch - 1]?.[table] ?? NO_ROWS
    expectSame(rows, state[table] ?? NO_ROWS, `${runId} left batch ${batch}: ${table}`)
  }
}

/** Applies a change. Each must change something: nothing is captured twice (I4). */
function apply(rows: Map<string, Values>, change: Change, table: string): void {
  const { operation, key, values, batch } = change
  const wrong = (what: string) => new Wrong('I4', `batch ${batch}: ${table} ${key} ${what}`)
  const before = rows.get(key)
  if (operation === 'insert') {
    if (before !== undefined) throw wrong('is inserted, and was there')
    rows.set(key, values)
  } else if (operation === 'update') {
    if (before === undefined) throw wrong('is updated, and was not there')
    // A fact has a version for each version of its row, whichever column changed there.
    const mustDiffer = !table.startsWith('fact_')
    if (mustDiffer && !differs(before, values)) throw wrong('is updated, and does not change')
    rows.set(key, values)
  } else {
    if (before === undefined) throw wrong('is deleted, and was not there')
    rows.delete(key)
  }
}

/** Columns that tell of a change, or that the record has and the source has not. */
const TOLD = /^_|^recorded_at$|_record_id$/

function differs(one: Values, other: Values): boolean {
  const names = new Set([...Object.keys(one), ...Object.keys(other)])
  return [...names].some(
    (name) => !TOLD.test(name) && (one[name] ?? null) !== (other[name] ?? null),
  )
}

/** Expects the rows of the source; a column that it does not have any more is not compared. */
function expectSame(found: Rows, expected: Rows, where: string): void {
  for (const [key, values] of expected) {
    const row = found.get(key)
    if (row === undefined) throw new Wrong('I1', `${where} lacks ${key}`)
    for (const [name, value] of Object.entries(values)) {
      if ((row[name] ?? null) === value) continue
      throw new Wrong('I6', `${where} ${key} has ${name} = ${row[name]}, not ${value}`)
    }
  }
  for (const key of found.keys()) {
    if (!expected.has(key)) throw new Wrong('I1', `${where} has ${key}, which is gone`)
  }
}

/** Expects that the files of each table's state hold what its changes add up to. */
async function checkStates(
  db: DuckDb,
  { zone, records }: ReadLog,
  states: Readonly<Record<string, Rows>> | undefined,
): Promise<void> {
  const last = records.at(-1)
  if (last === undefined || states === undefined) return
  for (const table of TABLES) {
    const columns = [{ name: 'id', type: 'INTEGER' }]
    const rest = table === 'orders' ? ['customer_id'] : []
    for (const name of rest) columns.push({ name, type: 'INTEGER' })
    const state = last.tables[table]?.state ?? []
    await using found = await openState(db, zone, {
      table: { name: table, key: ['id'], columns },
      state,
    })
    const rows = await db.rows<Record<string, string | null>>(
      `select columns(*)::varchar from (select * from ${found.name})`,
    )
    const expected = states[table] ?? new Map<string, Values>()
    const isSame = rows.every((row) => {
      const values = expected.get(row['id'] ?? '')
      return values !== undefined && rest.every((name) => row[name] === values[name])
    })
    if (isSame && rows.length === expected.size && last.tables[table]?.rows === expected.size)
      continue
    throw new Wrong(
      'state',
      `batch ${last.batch}: the state of ${table} is not what its changes say`,
    )
  }
}

/** Compares what the models made with what they had to make of the captured rows. */
function checkMade(
  made: ReadLog,
  { captured, states }: { captured: ReadLog; states: readonly Record<string, Rows>[] },
): void {
  const facts = new Map<string, Values>()
  const customers = new Map<string, Values>()
  let ids = 0
  for (const [index, record] of made.records.entries()) {
    if (record.madeFrom !== captured.records[index]?.checksum) {
      throw new Wrong('I14', `processed batch ${record.batch} was made from another record`)
    }
    const own = (table: string) =>
      (made.changes.get(table) ?? []).filter(({ batch }) => batch === record.batch)
    for (const change of own('dim_customer')) customers.set(change.key, change.values)
    for (const change of own('fact_order')) {
      ids += 1
      if (Number(change.values['order_record_id']) !== ids) {
        throw new Wrong('I7', `batch ${record.batch}: record id ${ids} is missing or doubled`)
      }
      apply(facts, change, 'fact_order')
      // A fact without a customer refers to nobody.
      const customer = change.values['customer_id']
      if (customer !== null && customer !== undefined && !customers.has(customer)) {
        throw new Wrong('I11', `batch ${record.batch}: no customer ${customer} for a fact`)
      }
    }
    if (
      Object.values(record.tables).some(({ held, open }) => held !== undefined || open.length > 0)
    ) {
      continue
    }
    const { orders = new Map<string, Values>(), customers: source = new Map<string, Values>() } =
      states[index] ?? {}
    const where = `processed batch ${record.batch}:`
    expectSame(
      facts,
      project(orders, ['order_id', 'id'], ['customer_id', 'units']),
      `${where} facts`,
    )
    for (const [key, values] of project(source, ['customer_id', 'id'], ['name'])) {
      const row = customers.get(key)
      if (row !== undefined && row['name'] === values['name']) continue
      throw new Wrong('I6', `${where} customer ${key} is ${row?.['name']}, not ${values['name']}`)
    }
  }
}

function project(
  rows: Rows,
  [key, from]: readonly [string, string],
  names: readonly string[],
): Rows {
  return new Map(
    [...rows].map(([id, values]) => [
      id,
      {
        [key]: values[from] ?? null,
        ...Object.fromEntries(names.map((name) => [name, values[name] ?? null])),
      },
    ]),
  )
}
