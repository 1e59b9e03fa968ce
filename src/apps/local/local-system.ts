import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import * as z from 'zod'
import type { Config } from '../../platform/config.ts'
import { ConfigError, TidemarkError } from '../../platform/errors.ts'
import type { AppLog } from '../log.ts'
import { type EmbeddedPostgres, startEmbeddedPostgres } from './embedded-postgres.ts'
import {
  clockSetting,
  type ClockSetting,
  createClock,
  type DemoClock,
} from './living-totesys/clock.ts'
import {
  type Company,
  countAllRows,
  foundCompany,
  openCompany,
  PAST_DAYS,
  readReached,
} from './living-totesys/company.ts'
import { livePast, momentsLeft } from './living-totesys/past.ts'
import { dropRateHistory, type RateServer, startRateServer } from './living-totesys/rates.ts'
import { prepareDatabases, type PreparedDatabases } from './prepare-databases.ts'

/** The databases of an embedded system that this process or another one runs. */
export type LocalDatabases = Omit<PreparedDatabases, 'saverUrl'> & {
  /** Undefined if an earlier version of Tidemark runs the server: it has no such role. */
  readonly saverUrl?: string | undefined
}

/** The embedded source and warehouse on this machine. */
export interface LocalSystem extends AsyncDisposable {
  readonly databases: LocalDatabases
  /** File with the roles' passwords in psql's format, mode 0600, for `PGPASSFILE`. */
  readonly passFile: string
  /** Whether another Tidemark process runs the server and this one only uses it. */
  readonly isAttached: boolean
  /** The clock by which Totesys lives, and by which the age of its data is judged. */
  readonly clock: DemoClock
  /** Server of exchange rates beside the living Totesys; undefined if it was not to be filled. */
  readonly ratesUrl: string | undefined
  /** How many captures of the company's past are left. */
  readonly pastCaptures: number
  /**
   * Lives through what is left of the company's past, calls `capture` at several moments of it as
   * `livePast` does, and then lives up to now. Does nothing if another process lets the company live.
   */
  livePast(capture: (moment: Date) => Promise<boolean>): Promise<void>
}

/**
 * Starts the embedded Postgres in the home folder with its databases. If another Tidemark process
 * runs it already, uses that one, and its clock. With `fill`, also founds a company in an empty
 * Totesys and fills it up to the first capture of its past, drops the exchange rates of its days as
 * a file, and starts a server that answers with today's. Disposing stops what this call started and
 * nothing else. Throws `ConfigError` (`CLOCK_BEHIND`) if the clock is set to a moment that Totesys
 * has passed, and what `startEmbeddedPostgres` throws.
 */
export async function openLocalSystem(
  config: Config,
  { log, fill }: { log: AppLog; fill: boolean },
): Promise<LocalSystem> {
  const home = config.TIDEMARK_HOME
  mkdirSync(home, { recursive: true, mode: 0o711 })
  const noteFile = join(home, 'local.json')
  const passFile = join(home, 'pgpass')
  let postgres: EmbeddedPostgres
  try {
    postgres = await startPostgres(config, log)
  } catch (error) {
    if (!(error instanceof TidemarkError) || error.code !== 'POSTGRES_IN_USE') throw error
    return attach({ noteFile, passFile }, error)
  }
  let rates: RateServer | undefined
  let closeClient = async () => {}
  const stop = async () => {
    rmSync(noteFile, { force: true })
    await closeClient().catch(() => undefined)
    await rates?.[Symbol.asyncDispose]()
    await postgres.stop()
  }
  try {
    const databases = await prepareDatabases(postgres, {
      passwordsFile: join(home, 'passwords.json'),
    })
    const client = new pg.Client(databases.adminUrl)
    await client.connect()
    closeClient = () => client.end()
    const clock = createClock(await settleClock(config, client))
    const company = fill ? await fillSource(config, { client, clock, log }) : undefined
    if (company !== undefined) rates = await startRates(config, { company, clock })
    const ratesUrl = rates?.url
    const note: Note = { ...databases, ratesUrl, clock: clock.setting }
    writeSecret(noteFile, JSON.stringify(note))
    writeSecret(passFile, passLines([databases.sourceUrl, databases.readerUrl]))
    return {
      databases,
      passFile,
      isAttached: false,
      clock,
      ratesUrl,
      pastCaptures: company === undefined ? 0 : momentsLeft(company).length,
      async livePast(capture) {
        if (company === undefined) return
        if (await livePast(company, clock, capture)) await company.passTime(clock.now())
      },
      [Symbol.asyncDispose]: stop,
    }
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

/**
 * The clock by which Totesys goes on. Settings decide. Otherwise it starts at the real time, or at the
 * moment that Totesys has reached if that is later. Undefined for the real time.
 */
async function settleClock(
  { TIDEMARK_TOTESYS_CLOCK: wanted, TIDEMARK_TOTESYS_SPEED: speed }: Config,
  client: pg.Client,
): Promise<ClockSetting | undefined> {
  const real = new Date()
  const reached = await readReached(client)
  if (wanted !== undefined && reached !== undefined && Date.parse(wanted) < reached.getTime()) {
    throw new ConfigError(
      `The clock cannot be set to ${wanted}: this Totesys has reached ${reached.toISOString()}`,
      {
        code: 'CLOCK_BEHIND',
        hint: 'choose a later moment, or another TIDEMARK_HOME for a new Totesys',
      },
    )
  }
  const start = wanted === undefined ? latest(real, reached) : new Date(wanted)
  if (start.getTime() === real.getTime() && speed === 1) return undefined
  return { start: start.toISOString(), since: real.toISOString(), speed }
}

function latest(some: Date, other: Date | undefined): Date {
  return other !== undefined && other > some ? other : some
}

/** Drops the exchange rates of the past, and starts a server that answers with those of today. */
async function startRates(
  { TIDEMARK_HOME: home, TIDEMARK_TOTESYS_SEED: seed }: Config,
  { company, clock }: { company: Company; clock: DemoClock },
): Promise<RateServer> {
  const path = join(home, 'drop', 'exchange_rate', 'history.csv')
  const dayOf = (moment: Date) => new Date(moment.toISOString().slice(0, 10))
  const opened = new Date(company.begun.getTime() - PAST_DAYS * 86_400_000)
  await dropRateHistory(path, { seed, from: dayOf(opened), until: dayOf(company.begun) })
  return startRateServer({ seed, now: clock.now })
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

/** What the process that runs the server tells other processes. */
const note = z.object({
  sourceUrl: z.string(),
  warehouseUrl: z.string(),
  readerUrl: z.string(),
  saverUrl: z.string().optional(),
  adminUrl: z.string(),
  filled: z.boolean(),
  ratesUrl: z.string().optional(),
  clock: clockSetting.optional(),
})

type Note = z.infer<typeof note>

function attach(
  { noteFile, passFile }: { noteFile: string; passFile: string },
  inUse: TidemarkError,
): LocalSystem {
  try {
    const { ratesUrl, clock, ...databases } = note.parse(JSON.parse(readFileSync(noteFile, 'utf8')))
    return {
      databases,
      passFile,
      isAttached: true,
      clock: createClock(clock),
      ratesUrl,
      pastCaptures: 0,
      livePast: async () => {},
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

/** Opens the company in Totesys. If there is none, founds one and fills Totesys with its first trade. */
async function fillSource(
  { TIDEMARK_TOTESYS_SEED: seed, TIDEMARK_TOTESYS_ORDERS: salesOrders }: Config,
  { client, clock, log }: { client: pg.Client; clock: DemoClock; log: AppLog },
): Promise<Company> {
  const startedAt = performance.now()
  const known = await openCompany(client)
  if (known !== undefined) return known
  await foundCompany(client, { seed, salesOrders, begun: clock.now() })
  const company = await openCompany(client)
  if (company === undefined) throw new Error('the company that was just founded is missing')
  const [first] = momentsLeft(company)
  if (first !== undefined) await company.passTime(first)
  const { tables, rows } = await countAllRows(client)
  const durationMs = Math.round(performance.now() - startedAt)
  log({ event: 'source_filled', tables, rows, durationMs })
  return company
}
