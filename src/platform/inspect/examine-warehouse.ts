import { asCaptured, type Deps } from '../deps.ts'
import { ConfigError, ConflictError } from '../errors.ts'
import { withPostgresErrors } from '../io/postgres-errors.ts'
import { hostOf, readOptions } from '../io/postgres-url.ts'
import { onlyRow } from '../io/postgres.ts'
import { identifier, qualified } from '../io/sql.ts'
import { SQL_STATE } from '../io/sql-states.ts'
import { findReaderExcess } from '../presentation/reader-excess.ts'
import { findLedgerHead } from '../warehouse/ledger.ts'
import { readFacts, rehearse, type WarehouseFacts } from '../warehouse/rehearse.ts'
import { inSnapshot, openWarehouse, type Warehouse } from '../warehouse/warehouse.ts'
import { check, type Finding, type Fix, type Found, lookAtDatabase } from './finding.ts'

/**
 * Checks whether the warehouse answers and is suitable, and whether a load succeeds in a rehearsal,
 * which is rolled back. A load of another run is not a failure.
 */
export async function examineWarehouse(deps: Deps): Promise<Finding[]> {
  const { schema, url } = deps.warehouse
  let facts: WarehouseFacts | undefined
  const next = lookAtDatabase('TIDEMARK_WAREHOUSE_URL')
  const open = async (): Promise<string> => {
    await using warehouse = await openWarehouse({ ...deps.warehouse, attempts: 1 })
    facts = await withPostgresErrors(deps.warehouse, () =>
      inSnapshot(warehouse, () => readFacts(warehouse)),
    )
    checkFacts(deps.warehouse, facts)
    return `${hostOf(url)}, Postgres ${facts.version}, schema ${schema}`
  }
  const answers = await check('the warehouse answers', open, { next })
  if (!answers.ok) return [answers]
  const fix = (error: unknown) => facts && fixPermission(error, { ...facts, schema })
  const { project } = await asCaptured(deps)
  const rehearsed = await check(
    'a load succeeds (rehearsed)',
    async (): Promise<Found> => {
      await using warehouse = await openWarehouse({ ...deps.warehouse, attempts: 1 })
      try {
        await withPostgresErrors(deps.warehouse, () =>
          rehearse(warehouse, project, { waitMs: deps.limits.lockWaitMs }),
        )
      } catch (error) {
        if (!(error instanceof ConflictError)) throw error
        return { unchecked: true, detail: 'another run is writing right now' }
      }
      return 'migrations, the lock and every table; rolled back'
    },
    { next, fix },
  )
  return [answers, rehearsed]
}

/** How long a load may be idle between two transactions, while it reads the lake. */
const LEAST_IDLE_MS = 60_000

/**
 * Throws `ConfigError` if the server or its database cannot serve as a warehouse: it is a standby
 * (`WAREHOUSE_READ_ONLY`), its encoding cannot hold every text (`WAREHOUSE_ENCODING`), or it ends
 * idle sessions too early (`WAREHOUSE_IDLE_LIMIT`).
 */
export function checkFacts(
  { title }: Warehouse,
  { encoding, isStandby, database, user, idleLimitMs }: WarehouseFacts,
): void {
  if (isStandby) {
    throw new ConfigError(`${title} is a standby and cannot be written`, {
      code: 'WAREHOUSE_READ_ONLY',
      hint: 'set TIDEMARK_WAREHOUSE_URL to the primary',
    })
  }
  if (encoding !== 'UTF8') {
    const what = `The database ${database} is in ${encoding} and cannot hold every text`
    throw new ConfigError(`${what}: make one in UTF-8 and name it in TIDEMARK_WAREHOUSE_URL`, {
      code: 'WAREHOUSE_ENCODING',
      hint: `create database ${identifier(`${database}_utf8`)} encoding 'UTF8' template template0;`,
    })
  }
  if (idleLimitMs > 0 && idleLimitMs < LEAST_IDLE_MS) {
    throw new ConfigError(
      `${title} ends sessions of ${user} that are idle for ${idleLimitMs / 1000} s, but a load may be idle longer between two batches`,
      {
        code: 'WAREHOUSE_IDLE_LIMIT',
        hint: `alter role ${identifier(user)} set idle_session_timeout = 0;`,
      },
    )
  }
}

/**
 * The statement that grants the loader a missing right, as far as Postgres' message names it
 * (English servers); undefined for any other error.
 */
export function fixPermission(
  error: unknown,
  { user, schema }: Pick<WarehouseFacts, 'user'> & { schema: string },
): string | undefined {
  const message = deniedMessage(error)
  if (message === undefined) return undefined
  const role = identifier(user)
  const named =
    /^(?:must be owner of|permission denied for) (table|view|relation|schema|database|function) (\S+)/
  const [, kind, name = ''] = named.exec(message) ?? []
  if (kind === 'schema') return `grant usage, create on schema ${identifier(name)} to ${role};`
  if (kind === 'database') return `create schema ${identifier(schema)} authorization ${role};`
  if (kind !== undefined) {
    // The loader alters its tables and drops their keys while it fills them, so it must own them.
    return `alter ${kind === 'relation' ? 'table' : kind} ${qualified(schema, name)} owner to ${role};`
  }
  return undefined
}

/** Postgres' own message, if it refused a right; undefined for any other error. */
function deniedMessage(error: unknown): string | undefined {
  const { cause } = error as { cause?: { code?: string; message?: string } }
  return cause?.code === SQL_STATE.insufficientPrivilege ? cause.message : undefined
}

/**
 * What to type if no reader is configured: the statement that creates the role, and the setting.
 */
async function nameReader(warehouse: Warehouse): Promise<Fix> {
  const name = warehouse.readerRole ?? 'tidemark_reader'
  await using session = await openWarehouse({ ...warehouse, attempts: 1 })
  const { database, exists } = await withPostgresErrors(warehouse, async () =>
    onlyRow(
      await session.client.query<{ database: string; exists: boolean }>(
        `select pg_catalog.current_database() as database,
           exists (select from pg_catalog.pg_roles where rolname = $1) as exists`,
        [name],
      ),
    ),
  )
  const address = `${hostOf(warehouse.url)}/${encodeURIComponent(database)}`
  const set = `set TIDEMARK_WAREHOUSE_READER_URL=postgresql://${encodeURIComponent(name)}:…@${address}`
  return exists
    ? { hint: set }
    : { hint: `create role ${identifier(name)} login password '…';`, note: `then ${set}` }
}

/**
 * What lets the dashboard's role read if the server refuses it a relation: a run grants the reader
 * everything that it needs. Undefined for any other error.
 */
function fixReading(
  error: unknown,
  { reader, loader }: { reader: Warehouse; loader: Warehouse },
): Fix | undefined {
  const isOfRelation = /^permission denied for (table|view|relation|function) /
  if (!isOfRelation.test(deniedMessage(error) ?? '')) return undefined
  const { user } = readOptions(new URL(reader.url))
  if (user === loader.readerRole) return { hint: 'tidemark run' }
  return {
    hint: `set TIDEMARK_WAREHOUSE_READER=${user}`,
    note: 'a run then grants that role what it lacks: tidemark run',
  }
}

/**
 * Checks whether the dashboard's role can read the warehouse, and has no further rights. Read-only.
 */
export async function examineReader(deps: Deps, reader: Warehouse): Promise<Finding> {
  const what = 'the dashboard can read the warehouse'
  if (reader.url === deps.warehouse.url) {
    const name = async (): Promise<Found> => ({
      unchecked: true,
      detail: 'TIDEMARK_WAREHOUSE_READER_URL is not set; runs do not need it, the dashboard does',
      ...(await nameReader(deps.warehouse)),
    })
    return await check(what, name, { next: lookAtDatabase('TIDEMARK_WAREHOUSE_URL') })
  }
  const read = async (): Promise<Found> => {
    await using session = await openWarehouse({ ...reader, attempts: 1 })
    const { head, excess } = await withPostgresErrors(reader, () =>
      inSnapshot(session, async () => ({
        head: await findLedgerHead(session),
        excess: await findReaderExcess(session),
      })),
    )
    const seen = head === undefined ? 'nothing loaded yet' : `batch ${head.batch}`
    if (excess.length === 0) return seen
    const detail = `${seen}; but ${excess.map((each) => each.what).join('; ')}`
    const hint = excess.map(({ fix }) => `${fix};`).join('\n          ')
    // Functions alone are not a failure: the Ask page refuses them, whatever the role may run.
    if (excess.every(({ kind }) => kind === 'functions')) return { detail, hint }
    throw new ConfigError(detail, { code: 'READER_TOO_POWERFUL', hint })
  }
  const look = lookAtDatabase('TIDEMARK_WAREHOUSE_READER_URL')
  const next = `${look}; a run grants what the role in TIDEMARK_WAREHOUSE_READER lacks`
  const fix = (error: unknown) => fixReading(error, { reader, loader: deps.warehouse })
  return await check(what, read, { next, fix })
}
