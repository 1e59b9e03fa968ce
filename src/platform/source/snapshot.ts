import { connect, type Client, type Database, onlyRow, withPostgresErrors } from '../postgres.ts'

/** What identifies the moment a batch was read in. Recorded in its commit record. */
export interface SnapshotIdentity {
  /** `pg_current_snapshot()`: 64-bit transaction ids as decimal text. */
  readonly xmin: string
  readonly xmax: string
  readonly inFlight: string[]
  /** Source clock at the start of the transaction: everything committed before it is in the snapshot. */
  readonly takenAt: string
  /** Which cluster this is, and which of its histories: both change by a restore or failover. */
  readonly systemId: string
  readonly timeline: number
  readonly standby: boolean
}

/** An open `REPEATABLE READ READ ONLY` transaction; all its reads see one moment (I2). */
export interface SourceSnapshot extends AsyncDisposable {
  readonly database: Database
  readonly client: Client
  readonly identity: SnapshotIdentity
  /** Another connection in the very same snapshot, to read in parallel. */
  openAnother(): Promise<{ readonly client: Client } & AsyncDisposable>
}

/**
 * The text form of every value is fixed here: dates ISO, times UTC, floats to the last bit. The
 * platform's own time limits are lifted, for a first read may be long.
 */
const SESSION = `
  set datestyle = 'ISO, YMD'; set timezone = 'UTC'; set intervalstyle = 'postgres';
  set extra_float_digits = 3; set bytea_output = 'hex'; set client_encoding = 'UTF8';
  set statement_timeout = 0; set idle_in_transaction_session_timeout = 0; set lock_timeout = '30s';
  set search_path = ''; set row_security = on; set jit = off`

const BEGIN = 'begin isolation level repeatable read read only'

/** Opens the snapshot a batch is read in. Needs no more than `SELECT` on the tables. */
export async function openSnapshot(database: Database): Promise<SourceSnapshot> {
  const connection = await connect({ ...database, session: SESSION })
  try {
    const { client } = connection
    const identity = await withPostgresErrors(database, async () => {
      await client.query(BEGIN)
      return readIdentity(client)
    })
    let exported: string | undefined
    return {
      database,
      client,
      identity,
      async openAnother() {
        exported ??= await withPostgresErrors(database, async () => {
          const found = await client.query<{ id: string }>('select pg_export_snapshot() as id')
          return onlyRow(found).id
        })
        const name = exported
        const another = await connect({ ...database, session: SESSION })
        try {
          await withPostgresErrors(database, async () => {
            await another.client.query(BEGIN)
            // The command takes no parameter; the name comes from the server itself.
            await another.client.query(
              `set transaction snapshot ${another.client.escapeLiteral(name)}`,
            )
          })
        } catch (error) {
          await another[Symbol.asyncDispose]()
          throw error
        }
        return another
      },
      [Symbol.asyncDispose]: () => connection[Symbol.asyncDispose](),
    }
  } catch (error) {
    await connection[Symbol.asyncDispose]()
    throw error
  }
}

async function readIdentity(client: Client): Promise<SnapshotIdentity> {
  // `now()` is the transaction's start and so not after its snapshot; the clock after it would be.
  const found = await client.query<{
    xmin: string
    xmax: string
    in_flight: string[]
    taken_at: string
    standby: boolean
    may_identify: boolean
  }>(`
    select
        pg_snapshot_xmin(s)::text as xmin,
        pg_snapshot_xmax(s)::text as xmax,
        array(select x::text from pg_snapshot_xip(s) as x) as in_flight,
        to_char(now() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as taken_at,
        pg_is_in_recovery() as standby,
        has_function_privilege('pg_catalog.pg_control_system()', 'execute')
            and has_function_privilege('pg_catalog.pg_control_checkpoint()', 'execute')
            as may_identify
    from pg_current_snapshot() as s`)
  const row = onlyRow(found)
  const cluster = row.may_identify ? await readCluster(client) : { system_id: '', timeline: 0 }
  return {
    xmin: row.xmin,
    xmax: row.xmax,
    inFlight: row.in_flight,
    takenAt: row.taken_at,
    systemId: cluster.system_id,
    timeline: cluster.timeline,
    standby: row.standby,
  }
}

async function readCluster(client: Client): Promise<{ system_id: string; timeline: number }> {
  const found = await client.query<{ system_id: string; timeline: number }>(`
    select
        s.system_identifier::text || '/' || (
            select oid from pg_database where datname = current_database()
        )::text as system_id,
        c.timeline_id as timeline
    from pg_control_system() as s, pg_control_checkpoint() as c`)
  return onlyRow(found)
}
