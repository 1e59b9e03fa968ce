import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import type { Config } from '../../platform/config.ts'
import { ConfigError, TidemarkError } from '../../platform/errors.ts'
import type { AppLog } from '../log.ts'
import { type EmbeddedPostgres, startEmbeddedPostgres } from './embedded-postgres.ts'
import { fillTotesys } from './living-totesys/fill.ts'
import { dropRateHistory, type RateServer, startRateServer } from './living-totesys/rates.ts'
import { prepareDatabases, type PreparedDatabases } from './prepare-databases.ts'

/** The embedded source and warehouse on this machine. */
export interface LocalSystem extends AsyncDisposable {
  readonly databases: PreparedDatabases
  /** File with the roles' passwords in psql's format, mode 0600, for `PGPASSFILE`. */
  readonly passFile: string
  /** Whether another Tidemark process runs the server and this one only uses it. */
  readonly isAttached: boolean
  /** Server of exchange rates beside the living Totesys; undefined if it was not to be filled. */
  readonly ratesUrl: string | undefined
}

/** The simulated clock starts this long ago, so that Totesys has days to live through. */
const LEAD_DAYS = 21

/**
 * Starts the embedded Postgres in the home folder with its databases. If another Tidemark process
 * runs it already, uses that one. With `fill`, also fills an empty Totesys, drops the exchange
 * rates of its days as a file, and starts a server that answers with today's. Disposing stops what
 * this call started and nothing else. Throws `ConfigError` or `TransientError` as
 * `startEmbeddedPostgres` does.
 */
export async function openLocalSystem(
  config: Config,
  { log, fill }: { log: AppLog; fill: boolean },
): Promise<LocalSystem> {
  const home = config.TIDEMARK_HOME
  mkdirSync(home, { recursive: true, mode: 0o711 })
  const note = join(home, 'local.json')
  const passFile = join(home, 'pgpass')
  let postgres: EmbeddedPostgres
  try {
    postgres = await startPostgres(config, log)
  } catch (error) {
    if (!(error instanceof TidemarkError) || error.code !== 'POSTGRES_IN_USE') throw error
    return attach({ note, passFile }, error)
  }
  let rates: RateServer | undefined
  const stop = async () => {
    rmSync(note, { force: true })
    await rates?.[Symbol.asyncDispose]()
    await postgres.stop()
  }
  try {
    const databases = await prepareDatabases(postgres, {
      passwordsFile: join(home, 'passwords.json'),
    })
    if (fill) {
      if (!databases.filled) await fillSource(config, { databases, log })
      rates = await startRates(config, databases)
    }
    writeSecret(note, JSON.stringify({ ...databases, ratesUrl: rates?.url }))
    writeSecret(passFile, passLines([databases.sourceUrl, databases.readerUrl]))
    const ratesUrl = rates?.url
    return { databases, passFile, isAttached: false, ratesUrl, [Symbol.asyncDispose]: stop }
  } catch (error) {
    await stop()
    throw error
  }
}

async function startPostgres(config: Config, log: AppLog): Promise<EmbeddedPostgres> {
  const startedAt = performance.now()
  const { TIDEMARK_PG_BIN: binDir } = config
  const postgres = await startEmbeddedPostgres({
    dataDir: join(config.TIDEMARK_HOME, 'postgres'),
    ...(binDir === undefined ? {} : { binDir }),
  })
  log({
    event: 'postgres_started',
    version: postgres.version,
    address: `${postgres.host}:${postgres.port}`,
    durationMs: Math.round(performance.now() - startedAt),
  })
  return postgres
}

/** Drops the exchange rates of the past, and starts a server that answers with those of today. */
async function startRates(config: Config, databases: PreparedDatabases): Promise<RateServer> {
  const seed = config.TIDEMARK_TOTESYS_SEED
  const path = join(config.TIDEMARK_HOME, 'drop', 'exchange_rate', 'history.csv')
  await dropHistory(databases, { seed, path })
  return startRateServer({ seed })
}

/** Makes a new file, so that an older file's mode does not stay. */
function writeSecret(path: string, text: string): void {
  rmSync(path, { force: true })
  writeFileSync(path, text, { mode: 0o600, flag: 'wx' })
}

/** One line a role: host:port:database:user:password (Postgres manual, 34.16). */
function passLines(urls: readonly string[]): string {
  return urls
    .map((text) => {
      const { hostname, port, pathname, username, password } = new URL(text)
      return `${hostname}:${port}:${pathname.slice(1)}:${username}:${decodeURIComponent(password)}\n`
    })
    .join('')
}

function attach(
  { note, passFile }: { note: string; passFile: string },
  inUse: TidemarkError,
): LocalSystem {
  try {
    const { ratesUrl, ...databases } = JSON.parse(
      readFileSync(note, 'utf8'),
    ) as PreparedDatabases & {
      ratesUrl?: string
    }
    return {
      databases,
      passFile,
      isAttached: true,
      ratesUrl,
      [Symbol.asyncDispose]: async () => {},
    }
  } catch (cause) {
    throw new ConfigError('Another Tidemark process is starting or stopping in this home', {
      code: inUse.code,
      hint: 'try again in a moment',
      cause,
    })
  }
}

/** Drops the rates of every day with orders, as a bank would have dropped them. */
async function dropHistory(
  { adminUrl }: PreparedDatabases,
  { seed, path }: { seed: number; path: string },
): Promise<void> {
  const client = new pg.Client(adminUrl)
  await client.connect()
  try {
    const { rows } = await client.query<{ first: Date | null }>(
      'select min(created_at) as first from sales_order',
    )
    const day = new Date(new Date().toISOString().slice(0, 10))
    const from = new Date((rows[0]?.first ?? day).toISOString().slice(0, 10))
    await dropRateHistory(path, { seed, from, until: day })
  } finally {
    await client.end()
  }
}

async function fillSource(
  config: Config,
  { databases, log }: { databases: PreparedDatabases; log: AppLog },
): Promise<void> {
  const startedAt = performance.now()
  const client = new pg.Client(databases.adminUrl)
  await client.connect()
  try {
    const { tables, rows } = await fillTotesys(client, {
      seed: config.TIDEMARK_TOTESYS_SEED,
      salesOrders: config.TIDEMARK_TOTESYS_ORDERS,
      until: new Date(Date.now() - LEAD_DAYS * 86_400_000),
    })
    const durationMs = Math.round(performance.now() - startedAt)
    log({ event: 'source_filled', tables, rows, durationMs })
  } finally {
    await client.end()
  }
}
