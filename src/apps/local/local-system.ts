import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import * as z from 'zod'
import type { Config } from '../../platform/config.ts'
import { ConfigError, TidemarkError } from '../../platform/errors.ts'
import type { AppLog } from '../log.ts'
import type { EmbeddedPostgres } from './embedded-postgres.ts'
import { startLogged } from './start-logged.ts'
import { clockSetting, type ClockSetting, createClock, type DemoClock } from './clock.ts'
import { startLife } from './live.ts'
import { passLines, writeSecret } from './pass-file.ts'
import { prepareDatabases, type PreparedDatabases } from './prepare-databases.ts'
import {
  type LocalFeedServer,
  type Life,
  livePast,
  type SimulatedSource,
} from './simulated-source.ts'

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
  /** The clock by which the source lives, and by which the age of its data is judged. */
  readonly clock: DemoClock
  /** Server of feeds beside the living source; undefined if there is none, or it was not to be filled. */
  readonly feedsUrl: string | undefined
  /** How many captures of the source's past are left. */
  readonly pastCaptures: number
  /**
   * Lives through what is left of the source's past, calls `capture` at several moments of it as
   * `livePast` does, and then lives up to now. Does nothing if another process lets the source live.
   */
  livePast(capture: (moment: Date) => Promise<boolean>): Promise<void>
  /**
   * Lets the source live in this process until it is disposed of. Does nothing if another process lets
   * it live. Calls `onError` with each failure, and tries again.
   */
  live(onError: (error: unknown) => void): AsyncDisposable
}

/** What a local system is opened for. */
export interface LocalOptions {
  readonly source: SimulatedSource
  /** The name of the source for people. */
  readonly title: string
  readonly log: AppLog
  /** Whether to fill an empty source, and to let it live. */
  readonly fill: boolean
}

/**
 * Starts the embedded Postgres in the home folder with its databases. If another Tidemark process
 * runs it already, uses that one, and its clock. With `fill`, also fills an empty source up to the
 * first capture of its past, and starts the server of its feeds. Disposing stops what this call
 * started and nothing else. Throws `ConfigError` (`CLOCK_BEHIND`) if the clock is set to a moment
 * that the source has passed, and what `startEmbeddedPostgres` throws.
 */
export async function openLocalSystem(
  config: Config,
  { log, fill, ...simulated }: LocalOptions,
): Promise<LocalSystem> {
  const { source } = simulated
  const home = config.TIDEMARK_HOME
  mkdirSync(home, { recursive: true, mode: 0o711 })
  const noteFile = join(home, 'local.json')
  const passFile = join(home, 'pgpass')
  let postgres: EmbeddedPostgres
  try {
    postgres = await startLogged(config, { folder: 'postgres', log })
  } catch (error) {
    if (!(error instanceof TidemarkError) || error.code !== 'POSTGRES_IN_USE') throw error
    return attach({ noteFile, passFile }, error)
  }
  let feeds: LocalFeedServer | undefined
  let closeClient = async () => {}
  const stop = async () => {
    rmSync(noteFile, { force: true })
    await closeClient().catch(() => undefined)
    await feeds?.[Symbol.asyncDispose]()
    await postgres.stop()
  }
  try {
    const databases = await prepareDatabases(postgres, {
      source,
      passwordsFile: join(home, 'passwords.json'),
    })
    const client = new pg.Client(databases.adminUrl)
    await client.connect()
    closeClient = () => client.end()
    const clock = createClock(await settleClock(config, { ...simulated, client }))
    const life = fill ? await fillSource(config, { source, client, clock, log }) : undefined
    if (life !== undefined) {
      const dropFolder = join(home, 'drop')
      feeds = await source.serveFeeds?.({ config, life, clock, dropFolder })
    }
    const feedsUrl = feeds?.url
    const note: Note = { ...databases, feedsUrl, clock: clock.setting }
    writeSecret(noteFile, JSON.stringify(note))
    writeSecret(passFile, passLines([databases.sourceUrl, databases.readerUrl]))
    return {
      databases,
      passFile,
      isAttached: false,
      clock,
      feedsUrl,
      pastCaptures: life?.momentsLeft().length ?? 0,
      async livePast(capture) {
        if (life === undefined) return
        if (await livePast(life, clock, capture)) await life.passTime(clock.now())
      },
      live: (onError) => startLife({ source, url: databases.adminUrl, clock, onError }),
      [Symbol.asyncDispose]: stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}

/**
 * The clock by which the source goes on. Settings decide. Otherwise it starts at the real time, or at
 * the moment that the source has reached if that is later. Undefined for the real time.
 */
async function settleClock(
  config: Config,
  { source, title, client }: Pick<LocalOptions, 'source' | 'title'> & { client: pg.Client },
): Promise<ClockSetting | undefined> {
  const { start: wanted, speed } = source.clock(config)
  const real = new Date()
  const reached = await source.readReached(client)
  if (wanted !== undefined && reached !== undefined && Date.parse(wanted) < reached.getTime()) {
    throw new ConfigError(
      `The clock cannot be set to ${wanted}: ${title} has reached ${reached.toISOString()}`,
      {
        code: 'CLOCK_BEHIND',
        hint: 'choose a later moment, or another TIDEMARK_HOME to begin anew',
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

/** What the process that runs the server tells other processes. */
const note = z.object({
  sourceUrl: z.string(),
  warehouseUrl: z.string(),
  readerUrl: z.string(),
  saverUrl: z.string().optional(),
  adminUrl: z.string(),
  feedsUrl: z.string().optional(),
  clock: clockSetting.optional(),
})

type Note = z.infer<typeof note>

function attach(
  { noteFile, passFile }: { noteFile: string; passFile: string },
  inUse: TidemarkError,
): LocalSystem {
  try {
    const { feedsUrl, clock, ...databases } = note.parse(JSON.parse(readFileSync(noteFile, 'utf8')))
    return {
      databases,
      passFile,
      isAttached: true,
      clock: createClock(clock),
      feedsUrl,
      pastCaptures: 0,
      livePast: async () => {},
      live: () => ({ [Symbol.asyncDispose]: async () => {} }),
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

/** Opens what lives in the source. If nothing does, founds it and fills the source at first. */
async function fillSource(
  config: Config,
  {
    source,
    client,
    clock,
    log,
  }: { source: SimulatedSource; client: pg.Client; clock: DemoClock; log: AppLog },
): Promise<Life> {
  const startedAt = performance.now()
  if ((await source.readReached(client)) === undefined) {
    const { tables, rows } = await source.found(client, { config, begun: clock.now() })
    const durationMs = Math.round(performance.now() - startedAt)
    log({ event: 'source_filled', tables, rows, durationMs })
  }
  return await source.open(client)
}
