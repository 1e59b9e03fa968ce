import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { codeOf } from '../errors.ts'
import type { Client } from '../io/postgres.ts'
import { identifier, identifiers, qualified } from '../io/sql.ts'
import { SQL_STATE } from '../io/sql-states.ts'
import type { Project } from '../project/project.ts'
import { missingIn, readBelongings } from './belongings.ts'
import type { Beside } from './beside.ts'
import { presentModels } from './derive-tables.ts'
import { dropHistory } from './drop-history.ts'
import { isWhole } from './migrate.ts'
import { grantReading } from './relations.ts'
import { dropTables, findRetired, retireTables } from './replace-tables.ts'
import { findLosses, type Inventory, takeInventory } from './swap-inventory.ts'
import { inSnapshot, type WarehouseClient } from './warehouse.ts'

const COPY_LEDGER = readFileSync(new URL('./copy-ledger.sql', import.meta.url), 'utf8')
const LOCKABLE = readFileSync(new URL('./lockable.sql', import.meta.url), 'utf8')
const MOVE_CONTENT = readFileSync(new URL('./move-content.sql', import.meta.url), 'utf8')
const OLD_CONTENT = readFileSync(new URL('./old-content.sql', import.meta.url), 'utf8')
const RIGHTS = readFileSync(new URL('./rights.sql', import.meta.url), 'utf8')
const SNAPSHOTS = readFileSync(new URL('./snapshots.sql', import.meta.url), 'utf8')

/** Thrown to roll a swap back. Nothing was changed. */
export class SwapRefused extends Error {
  /** Whether another attempt can succeed: somebody was only reading. */
  readonly isPassing: boolean

  constructor(why: string, { isPassing = false }: { isPassing?: boolean } = {}) {
    super(why)
    this.isPassing = isPassing
  }
}

/**
 * Why the content beside cannot take the place of the warehouse's own without losing something that
 * people have made: things in words. Empty if it can. Changes nothing. Call it in a transaction.
 */
export async function findObstacles(
  { client, warehouse }: WarehouseClient,
  beside: Beside,
  project: Project,
): Promise<string[]> {
  const { old, next, retired } = await takeInventories(client, {
    schema: warehouse.schema,
    beside,
    project,
  })
  const losses = await findLosses(client, { old, next, retired })
  await client.query(`set local search_path = ${identifier(warehouse.schema)}`)
  return losses
}

async function takeInventories(
  client: Client,
  { schema, beside, project }: { schema: string; beside: Beside; project: Project },
): Promise<{ old: Inventory; next: Inventory; retired: readonly string[] }> {
  // Every table beside was made by the load, also one that the newest batch does not have any more.
  await client.query(`set local search_path = ${identifier(beside.schema)}`)
  const made = await client.query<{ name: string }>('select name from tidemark_table')
  const others = made.rows.map(({ name }) => name)
  const next = await takeInventory(client, beside.schema, { project, others })
  const old = await takeInventory(client, schema, { project, others, made: next })
  const retired = await findRetired(client, project)
  return { old, next, retired: retired.map(({ table }) => table) }
}

/**
 * Puts the content beside in the place of the warehouse's own, in the open transaction, which holds the
 * warehouse's lock, and drops the schema beside. Drops the derived tables in `later` too, which only
 * later batches bring. What is not loaded from the lake stays: confirmation,
 * applied migrations, retired tables, and everything else in the schema. Rights of other roles are given
 * again.
 *
 * Readers of the tables wait from here to the end of the transaction. Waits for readers for
 * `LOCK_MS` at most, because others queue behind. Throws `SwapRefused`, and what `pg` throws; roll
 * back then.
 */
export async function swapIn(
  connection: WarehouseClient,
  beside: Beside,
  { project, later }: { project: Project; later: ReadonlySet<string> },
): Promise<void> {
  const { client, warehouse } = connection
  const { schema } = warehouse
  const { old, next, retired } = await takeInventories(client, { schema, beside, project })
  const losses = await findLosses(client, { old, next, retired })
  if (losses.length > 0) throw new SwapRefused(losses.join('; '))
  const whole = await readBelongings(client, beside.schema, next)
  await client.query(`set local search_path = ${identifier(schema)}`)
  const rights = await listRights(client, schema, old)
  await lockAgainstReaders(client, [...old.relations, ...retired])
  await dropTables(client, project, later)
  await retireTables(client, project, new Set(next.tables))
  await dropContent(client, old)
  await moveContent(client, { beside, next, schema })
  await client.query(COPY_LEDGER.replaceAll('{beside}', () => identifier(beside.schema)))
  await client.query(`drop schema ${identifier(beside.schema)} cascade`)
  const models = await presentModels(client, project)
  await client.query(
    (await listRights(client, schema, next)).map(({ removal }) => removal).join(';'),
  )
  await client.query(rights.map(({ statement }) => statement).join(';'))
  await grantReading(connection, { models })
  const moved = await readBelongings(client, schema, next)
  const missing = missingIn(whole, moved)
  if (missing.length > 0)
    throw new SwapRefused(`${missing[0]?.relation} needs something else beside`)
  if (!(await isWhole(connection, project))) {
    throw new SwapRefused('the content beside is not all that the warehouse must have')
  }
}

/** How long readers who come later queue behind an attempt to lock the tables. */
const LOCK_MS = 300

/**
 * Locks relations against readers. Gives up after `LOCK_MS`, so that nobody queues behind us for longer.
 * That is less than `deadlock_timeout`, so no reader is ever ended for our sake. Throws `SwapRefused`.
 */
async function lockAgainstReaders(client: Client, names: readonly string[]): Promise<void> {
  const { rows } = await client.query<{ name: string }>(LOCKABLE, [names])
  const found = rows.map(({ name }) => name)
  await client.query(
    `set local statement_timeout = ${LOCK_MS}; set local lock_timeout = ${LOCK_MS}`,
  )
  try {
    if (found.length > 0) {
      await client.query(`lock table ${identifiers(found)} in access exclusive mode`)
    }
  } catch (error) {
    const code = codeOf(error)
    if (code !== SQL_STATE.queryCanceled && code !== SQL_STATE.lockNotAvailable) throw error
    throw new SwapRefused('somebody is reading or has locked a table of the warehouse', {
      isPassing: true,
    })
  }
  await client.query('set local statement_timeout = 0')
}

/** Drops the old content. Postgres refuses if something of somebody else's depends on it. */
async function dropContent(client: Client, old: Inventory): Promise<void> {
  const { rows } = await client.query<{ name: string; drop: string }>(OLD_CONTENT, [
    [...old.views, ...old.tables],
    old.routines,
  ])
  const drops = rows.flatMap(({ drop }) => (drop === null ? [] : [() => client.query(drop)]))
  const histories = old.facts.map(
    ({ table, key, recordId }) =>
      () =>
        dropHistory(client, { table, kind: 'fact', key, recordId, columns: [] }),
  )
  await inSomeOrder(client, [...drops, ...histories])
  const present = rows.filter(({ drop }) => drop === null).map(({ name }) => name)
  if (present.length > 0) await client.query(`drop table ${identifiers(present)}`)
}

/**
 * Runs steps that may depend on each other in an order that works. Throws the last error if there is
 * none.
 */
async function inSomeOrder(
  client: Client,
  steps: readonly (() => Promise<unknown>)[],
): Promise<void> {
  const left: (typeof steps)[number][] = []
  let refused: unknown
  for (const step of steps) {
    await client.query('savepoint step')
    try {
      await step()
    } catch (error) {
      if (
        codeOf(error) !== SQL_STATE.dependentObjectsStillExist &&
        codeOf(error) !== 'SUMS_IN_USE'
      ) {
        throw error
      }
      await client.query('rollback to savepoint step')
      refused = error
      left.push(step)
    }
    await client.query('release savepoint step')
  }
  if (left.length === 0) return
  if (left.length === steps.length) throw refused
  await inSomeOrder(client, left)
}

/** Moves the content beside into the warehouse's schema. Indexes and sequences go with their tables. */
async function moveContent(
  client: Client,
  { beside, next, schema }: { beside: Beside; next: Inventory; schema: string },
): Promise<void> {
  const { rows } = await client.query<{ statement: string }>(MOVE_CONTENT, [
    beside.schema,
    next.relations,
    schema,
    next.functions,
  ])
  await client.query(rows.map(({ statement }) => statement).join(';'))
}

async function listRights(
  client: Client,
  schema: string,
  { relations, functions }: Inventory,
): Promise<readonly { readonly removal: string; readonly statement: string }[]> {
  const { rows } = await client.query<{ removal: string; statement: string }>(RIGHTS, [
    schema,
    relations,
    functions,
  ])
  return rows
}

/** Locks the schema beside against other calls, and returns the newest batch in it. */
export async function lockBeside(
  client: Client,
  { schema, oid }: Beside,
): Promise<number | undefined> {
  const { rowCount } = await client.query(
    'select 1 from pg_namespace where oid = $1::oid and nspname = $2',
    [oid, schema],
  )
  if (rowCount === 0) return undefined
  await client.query(`lock table ${qualified(schema, 'tidemark_lock')} in exclusive mode`)
  const { rows } = await client.query<{ batch: string }>(
    `select coalesce(max(batch_id), 0)::text as batch from ${qualified(schema, 'tidemark_ledger')}`,
  )
  return Number(rows[0]?.batch ?? 0)
}

const SNAPSHOT_MS = 5000
const SNAPSHOT_PAUSE_MS = 50

/**
 * Waits until every transaction has ended that reads by a snapshot of this moment or before. In such a
 * snapshot, rows that are loaded beside do not exist: after the swap it would show empty tables (I5).
 * Returns whether they have ended; waits for a few seconds at most. Readers do not notice.
 */
export async function outwaitSnapshots(connection: WarehouseClient): Promise<boolean> {
  const read = async (): Promise<string[]> =>
    await inSnapshot(connection, async () => {
      const { rows } = await connection.client.query<{ id: string }>(SNAPSHOTS)
      return rows.map(({ id }) => id)
    })
  const until = Date.now() + SNAPSHOT_MS
  let open = await read()
  while (open.length > 0 && Date.now() < until) {
    await delay(SNAPSHOT_PAUSE_MS)
    const still = new Set(await read())
    open = open.filter((id) => still.has(id))
  }
  return open.length === 0
}

/** Whether Postgres refused a step of the swap because of something that people have made or set. */
export function isRefusal(error: unknown): boolean {
  const code = codeOf(error)
  return REFUSALS.has(code) || /^(0A|2B|42)/.test(code) || code === 'SUMS_IN_USE'
}

const REFUSALS: ReadonlySet<string> = new Set([
  SQL_STATE.outOfMemory,
  SQL_STATE.lockNotAvailable,
  '55006',
  SQL_STATE.programLimitExceeded,
])
