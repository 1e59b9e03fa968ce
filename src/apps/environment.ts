import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import type { Config } from '../platform/config.ts'
import {
  asCaptured,
  DEFAULT_LIMITS,
  type Deps,
  type Limits,
  type Simulation,
} from '../platform/deps.ts'
import { ConfigError } from '../platform/errors.ts'
import { createConnectionPool } from '../platform/io/connection-pool.ts'
import { createDuckDbPool } from '../platform/io/duckdb-pool.ts'
import { createMemory } from '../platform/io/memory.ts'
import { type Keep, openTogether } from '../platform/io/open-together.ts'
import { diskStore } from '../platform/lake/store/disk-store.ts'
import type { ObjectStore } from '../platform/lake/store/object-store.ts'
import { parseZoneAddress, ZONE_ADDRESS } from '../platform/lake/store/zone-address.ts'
import { diskDrop, type Drop } from '../platform/source/drop.ts'
import type { FeedSources } from '../platform/source/feed-sources.ts'
import type { Project } from '../platform/project/project.ts'
import type { Warehouse } from '../platform/warehouse/warehouse.ts'
import { readClusterIdentity } from './local/cluster-identity.ts'
import type { EmbeddedWarehouse } from './local/embedded-warehouse.ts'
import type { LocalSystem } from './local/local-system.ts'
import { hasEmbeddedWarehouse } from './local/warehouse-folder.ts'
import type { AppLog } from './log.ts'
import type { GivenProject, LoadedProject, ProjectExtension } from './project-extension.ts'
import { loadProject } from './project/load-project.ts'
import { openScratch } from './scratch.ts'
import { VERSION } from './version.ts'

/** `Deps` on this machine, with the embedded system if there is one. Disposing closes everything. */
export interface Environment extends AsyncDisposable {
  readonly config: Config
  readonly deps: Deps
  /** What the project adds in code. */
  readonly extension: ProjectExtension
  /** The warehouse as the reader, if its connection string is known. Use it for all that only reads. */
  readonly reader: Warehouse
  /** The database as the role that keeps saved questions; undefined if nothing can be saved. */
  readonly saverUrl: string | undefined
  readonly local: LocalSystem | undefined
  /** The warehouse in the home, if settings name a source and no warehouse. */
  readonly embedded: EmbeddedWarehouse | undefined
  /** The time by which the age of data is judged: the real one, unless the source is simulated. */
  readonly now: () => Date
}

/** What an environment is built from. */
export interface EnvironmentOptions {
  readonly config: Config
  /** The project to carry if settings name no other. */
  readonly given: GivenProject
  readonly log: AppLog
  /** Whether to fill an empty embedded source. */
  readonly fill: boolean
  /** Whether the embedded system must exist already, so that nothing is created. Default: false. */
  readonly mustExist?: boolean
  readonly signal: AbortSignal
  /**
   * Whether the lake is enough: no setting need name a source, nothing of the source is read, and a
   * mirror's tables are not looked up in a processed zone that may be damaged. Default: false.
   */
  readonly isLakeEnough?: boolean
  /** What needs a warehouse, for the error if there is only a lake. Default: nothing does. */
  readonly warehouseFor?: string
  /**
   * Whether to make a warehouse in the home if settings name a source and no warehouse. One that is
   * there is used in any case.
   */
  readonly embedWarehouse?: boolean
  /**
   * Compares what a person asked for with the project. If it throws, nothing was started or written.
   * Nothing was opened either, unless the project is a mirror, whose lake knows its tables.
   */
  readonly check?: (project: Project) => void
}

/**
 * Builds `Deps` from settings: the project they name, and the databases they name. If they name none,
 * the databases are the embedded ones of a project that brings a simulated source. A source without a
 * warehouse is loaded into the one in the home, if there is one; otherwise there is only a lake.
 * Removes the scratch folders of killed processes. Throws `ConfigError` if no source is named, or if no
 * scratch folder can be made; what was opened until then is closed. Throws what `check` throws, and
 * `ConfigError` (`HOME_EMPTY`) if an embedded system must exist and does not.
 */
export async function openEnvironment(options: EnvironmentOptions): Promise<Environment> {
  const { config } = options
  const loaded = await loadProject(config, options.given)
  const { project, extension } = loaded
  // Which tables a mirror has, only its lake knows.
  const isMirror = project.mirror !== undefined
  if (!isMirror) options.check?.(project)
  const needs = { extension, ...options }
  if (readDatabases(config, needs) === undefined && extension.source === undefined) {
    throw noSource(config, project)
  }
  if (options.mustExist === true && readDatabases(config, needs) === undefined) {
    checkExists(config)
  }
  if (options.embedWarehouse !== true) checkWarehouse(config, options.warehouseFor)
  return await openTogether(async (keep) => {
    const opened = await openParts(loaded, options, keep)
    if (!isMirror || options.isLakeEnough === true) return opened
    const deps = await asCaptured(opened.deps)
    options.check?.(deps.project)
    return { ...opened, deps }
  })
}

function noSource({ TIDEMARK_PROJECT: file = '.' }: Config, { title }: Project): ConfigError {
  return new ConfigError(`TIDEMARK_SOURCE_URL is not set, and ${title} needs a database to read`, {
    code: 'CONFIG_INCOMPLETE',
    hint: `set TIDEMARK_SOURCE_URL to the address of ${title}, in ${join(dirname(file), '.env')} or in the environment`,
  })
}

/** Throws if something needs a warehouse and settings name only a source. */
function checkWarehouse(config: Config, what: string | undefined): void {
  if (what === undefined || readDatabases(config)?.warehouseUrl !== '') return
  if (hasEmbeddedWarehouse(config)) return
  throw new ConfigError(`There is only a lake, and ${what} needs a warehouse`, {
    code: 'NO_WAREHOUSE',
    hint: 'set TIDEMARK_WAREHOUSE_URL to a Postgres, or let tidemark up make one here; the next run loads everything that was captured',
  })
}

/** Throws if no embedded databases exist yet. */
function checkExists({ TIDEMARK_HOME: home }: Config): void {
  if (existsSync(join(home, 'postgres'))) return
  throw new ConfigError(`There is no Tidemark in ${home} yet`, {
    code: 'HOME_EMPTY',
    hint: 'tidemark up   or name another home (--home), or databases of your own: docs/configuration.md',
  })
}

/** Opens everything an environment is made of, and gives each part to `keep` once it is open. */
async function openParts(
  { project, extension }: LoadedProject,
  { config, log, fill, signal, embedWarehouse = false, isLakeEnough = false }: EnvironmentOptions,
  keep: Keep,
): Promise<Omit<Environment, keyof AsyncDisposable>> {
  const { local, embedded, databases } = await openDatabases(config, {
    project,
    extension,
    log,
    fill,
    embedWarehouse,
    isLakeEnough,
  })
  keep(local ?? embedded)
  // Zones below it are absolute, so that no name of a folder reads like an address.
  const home = config.TIDEMARK_HOME
  const scratch = keep(await openScratch(config.TIDEMARK_SCRATCH ?? join(home, 'scratch'), { log }))
  const pool = keep(createConnectionPool())
  const duckDbs = keep(createDuckDbPool())
  const warehouse: Warehouse = {
    title: 'the warehouse',
    code: 'WAREHOUSE',
    url: databases.warehouseUrl,
    schema: config.TIDEMARK_WAREHOUSE_SCHEMA,
    readerRole: config.TIDEMARK_WAREHOUSE_READER,
  }
  const ingestion = keep(
    await openStore(config.TIDEMARK_INGESTION ?? resolve(home, 'ingestion'), config),
  )
  const processed = keep(
    await openStore(config.TIDEMARK_PROCESSED ?? resolve(home, 'processed'), config),
  )
  const drop = local && resolve(home, 'drop')
  const feeds = keep(await openFeeds(config, extension, { drop, serverUrl: local?.feedsUrl }))
  const systemId = readClusterIdentity(join(home, 'postgres'))
  const now = local?.clock.now ?? (() => new Date())
  const deps: Deps = {
    project,
    source: { title: project.title, code: 'SOURCE', url: databases.sourceUrl, pool },
    warehouse: { ...warehouse, pool },
    ingestion,
    processed,
    scratchDir: scratch.path,
    memory: createMemory(),
    duckDbs,
    log,
    runId: randomUUID(),
    version: VERSION,
    limits: limitsOf(config),
    signal,
    feeds,
    now,
    ...(systemId === undefined ? {} : { simulation: { systemId, ...simulationOf(local) } }),
  }
  const reader = {
    ...warehouse,
    url: databases.readerUrl,
    ...(config.TIDEMARK_WAREHOUSE_READER_URL === undefined
      ? {}
      : { setting: 'TIDEMARK_WAREHOUSE_READER_URL' }),
  }
  const { saverUrl } = databases
  return { config, deps, extension, reader, saverUrl, local, embedded, now }
}

function simulationOf(local: LocalSystem | undefined): Omit<Simulation, 'systemId'> {
  return local === undefined
    ? { isSource: false }
    : { isSource: true, simulatedTime: local.clock.simulated }
}

interface DatabaseUrls {
  readonly sourceUrl: string
  readonly warehouseUrl: string
  readonly readerUrl: string
  readonly saverUrl: string | undefined
}

async function openDatabases(
  config: Config,
  {
    project,
    extension,
    embedWarehouse,
    isLakeEnough,
    ...options
  }: LoadedProject & {
    log: AppLog
    fill: boolean
    embedWarehouse: boolean
    isLakeEnough: boolean
  },
): Promise<{
  databases: DatabaseUrls
  local: LocalSystem | undefined
  embedded: EmbeddedWarehouse | undefined
}> {
  const named = readDatabases(config, { extension, isLakeEnough })
  if (named?.warehouseUrl === '' && (embedWarehouse || hasEmbeddedWarehouse(config))) {
    const { openEmbeddedWarehouse } = await import('./local/embedded-warehouse.ts')
    const embedded = await openEmbeddedWarehouse(config, options)
    const saverUrl = config.TIDEMARK_SAVER_URL ?? embedded.databases.saverUrl
    const databases = { ...named, ...embedded.databases, saverUrl }
    return { databases, local: undefined, embedded }
  }
  if (named !== undefined) return { databases: named, local: undefined, embedded: undefined }
  const source = await extension.source?.()
  if (source === undefined) throw noSource(config, project)
  // Most installations name databases, and never need it.
  const { openLocalSystem } = await import('./local/local-system.ts')
  const local = await openLocalSystem(config, { ...options, source, title: project.title })
  const saverUrl = config.TIDEMARK_SAVER_URL ?? local.databases.saverUrl
  return { databases: { ...local.databases, saverUrl }, local, embedded: undefined }
}

/** The databases that settings name; undefined if they name none. */
function readDatabases(
  {
    TIDEMARK_SOURCE_URL: named,
    TIDEMARK_WAREHOUSE_URL: warehouseUrl,
    TIDEMARK_WAREHOUSE_READER_URL: readerUrl,
    TIDEMARK_SAVER_URL: saverUrl,
  }: Config,
  {
    extension,
    isLakeEnough = false,
  }: Pick<EnvironmentOptions, 'isLakeEnough'> & Partial<Pick<LoadedProject, 'extension'>> = {},
): DatabaseUrls | undefined {
  const isWithout = isLakeEnough && extension?.source === undefined
  if (named === undefined && warehouseUrl === undefined && !isWithout) return undefined
  const sourceUrl = named ?? (isLakeEnough ? '' : undefined)
  if (sourceUrl === undefined) {
    throw new ConfigError('TIDEMARK_SOURCE_URL is not set, but TIDEMARK_WAREHOUSE_URL is', {
      code: 'CONFIG_INCOMPLETE',
      hint: 'set TIDEMARK_SOURCE_URL too, or neither of the two for the embedded system',
    })
  }
  // Without a warehouse, there is only a lake.
  const url = warehouseUrl ?? ''
  return { sourceUrl, warehouseUrl: url, readerUrl: readerUrl ?? url, saverUrl }
}

/** Turns settings into the limits within which the stages work. */
export function limitsOf(config: Config): Limits {
  return {
    ...DEFAULT_LIMITS,
    memoryLimitMb: config.TIDEMARK_MEMORY_MB,
    threads: config.TIDEMARK_THREADS,
    connections: config.TIDEMARK_CONNECTIONS,
    lockWaitMs: config.TIDEMARK_LOCK_WAIT_SECONDS * 1000,
    brakeShare: config.TIDEMARK_BRAKE_PERCENT / 100,
    quarantineShare: config.TIDEMARK_QUARANTINE_PERCENT / 100,
  }
}

/**
 * Opens the object store at an address: a directory or `s3://bucket/prefix`. Sends no request. A
 * store with connections can be disposed. Throws `ConfigError` for any other address.
 */
export async function openStore(
  address: string,
  { TIDEMARK_S3_ENDPOINT: endpoint }: Pick<Config, 'TIDEMARK_S3_ENDPOINT'> = {},
): Promise<ObjectStore & Partial<AsyncDisposable>> {
  const zone = parseZoneAddress(address)
  if (zone === undefined) {
    throw new ConfigError('The address of a zone is not valid', {
      code: 'CONFIG_ZONE',
      hint: `use ${ZONE_ADDRESS}`,
    })
  }
  if (zone.kind === 'directory') return diskStore(zone.path)
  // On Node 20 the SDK would warn about its next versions; ours is pinned.
  process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true'
  // Slow to load, so only loaded for a bucket.
  const { s3Store } = await import('../platform/lake/store/s3-store.ts')
  return s3Store({ bucket: zone.bucket, prefix: zone.prefix, endpoint })
}

/**
 * Opens the sources of the feeds that settings name; `standard` holds what to use for those that are
 * not set. Sends no request. Disposing closes the drop.
 */
export async function openFeeds(
  config: Config,
  { feedServers }: Pick<ProjectExtension, 'feedServers'>,
  standard: { drop?: string | undefined; serverUrl?: string | undefined } = {},
): Promise<FeedSources & AsyncDisposable> {
  const drop = await openDrop(config.TIDEMARK_DROP ?? standard.drop, config)
  return {
    drop,
    servers: (await feedServers?.(config, standard.serverUrl)) ?? [],
    [Symbol.asyncDispose]: async () => drop?.[Symbol.asyncDispose]?.(),
  }
}

async function openDrop(
  address: string | undefined,
  { TIDEMARK_S3_ENDPOINT: endpoint }: Config,
): Promise<(Drop & Partial<AsyncDisposable>) | undefined> {
  const place = address === undefined ? undefined : parseZoneAddress(address)
  if (place === undefined) return undefined
  if (place.kind === 'directory') return diskDrop(place.path)
  const { s3Drop } = await import('../platform/source/s3-drop.ts')
  return s3Drop({ bucket: place.bucket, prefix: place.prefix, endpoint })
}
