import { randomUUID } from 'node:crypto'
import { mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Config } from '../../platform/config.ts'
import type { Deps } from '../../platform/deps.ts'
import { ConfigError } from '../../platform/errors.ts'
import { createMemory } from '../../platform/io/memory.ts'
import type { ObjectStore } from '../../platform/lake/store/object-store.ts'
import type { Log } from '../../platform/log.ts'
import type { Warehouse } from '../../platform/warehouse/warehouse.ts'
import { standardProject } from '../../standard-project.ts'
import { limitsOf, openFeeds, openStore } from '../environment.ts'
import type { ProjectExtension } from '../project-extension.ts'
import { readConfig } from '../read-config.ts'
import { VERSION } from '../version.ts'
import { SECRET_SETTINGS } from './functions.ts'
import type { ReadUrl } from './renewing.ts'
import { forgetSecrets, readDatabaseUrl } from './secrets.ts'

/** A database whose connection string is in a secret that a function may read. */
export type SecretOf = keyof typeof SECRET_SETTINGS

/** What an invocation needs. */
export interface FunctionOptions {
  /** The databases this function talks to. It may not read the secrets of the others. */
  readonly needs: readonly SecretOf[]
  readonly runId: string
  readonly log: Log
  readonly deadline?: AbortSignal
}

/** `Deps` for one invocation. Disposing removes its scratch folder. */
export interface FunctionEnvironment extends AsyncDisposable {
  readonly config: Config
  readonly deps: Deps
  /** What the project adds in code. */
  readonly extension: ProjectExtension
  /** The warehouse with the reader's rights. */
  readonly reader: Warehouse
}

/** Stores by address. A warm process keeps them with their connections. */
const stores = new Map<string, Promise<ObjectStore>>()

/**
 * Builds `Deps` from a function's environment and the secrets it names. First removes what killed
 * invocations left in the scratch folder. Throws `ConfigError` for a missing setting.
 */
export async function openFunctionEnvironment({
  needs,
  runId,
  log,
  deadline,
}: FunctionOptions): Promise<FunctionEnvironment> {
  const { project, extension } = await standardProject.load()
  const config = await readFunctionConfig()
  const scratch = givenSetting(config.TIDEMARK_SCRATCH, 'TIDEMARK_SCRATCH')
  const scratchDir = await prepareScratch(scratch)
  const [ingestion, processed] = await Promise.all([
    keepStore(givenSetting(config.TIDEMARK_INGESTION, 'TIDEMARK_INGESTION'), config),
    keepStore(givenSetting(config.TIDEMARK_PROCESSED, 'TIDEMARK_PROCESSED'), config),
  ])
  const urlOf = async (database: SecretOf): Promise<string> => {
    if (!needs.includes(database)) return ''
    return await readDatabaseUrl(secretOf(database))
  }
  const warehouse: Warehouse = {
    title: 'the warehouse',
    code: 'WAREHOUSE',
    url: await urlOf('warehouse'),
    schema: config.TIDEMARK_WAREHOUSE_SCHEMA,
    readerRole: config.TIDEMARK_WAREHOUSE_READER,
  }
  // Only the function that collects uses them, and only its settings say where they are.
  const feeds = await openFeeds(config, extension)
  const deps: Deps = {
    project,
    source: { title: project.title, code: 'SOURCE', url: await urlOf('source') },
    warehouse,
    ingestion,
    processed,
    scratchDir,
    memory,
    log,
    runId,
    version: VERSION,
    limits: limitsOf(config),
    ...(deadline === undefined ? {} : { deadline }),
    feeds,
  }
  return {
    config,
    deps,
    extension,
    reader: { ...warehouse, url: await urlOf('reader') },
    async [Symbol.asyncDispose]() {
      await feeds[Symbol.asyncDispose]()
      await rm(scratchDir, { recursive: true, force: true })
      inUse.delete(scratchDir)
    },
  }
}

/** The settings of a function, with those of the project. `flags` overrides them. */
export async function readFunctionConfig(
  flags: Readonly<Record<string, string | undefined>> = {},
): Promise<Config> {
  return readConfig(process.env, { flags, added: await standardProject.settings() })
}

/** Kept from one invocation to the next, as the stores are. */
const memory = createMemory()

/** Scratch folders of running invocations: one in Lambda, several in tests. */
const inUse = new Set<string>()

async function prepareScratch(parent: string): Promise<string> {
  await mkdir(parent, { recursive: true })
  for (const name of await readdir(parent)) {
    const left = join(parent, name)
    if (!inUse.has(left)) await rm(left, { recursive: true, force: true })
  }
  const scratchDir = join(parent, randomUUID())
  inUse.add(scratchDir)
  await mkdir(scratchDir)
  return scratchDir
}

/** Name of the secret with a database's connection string. Throws `ConfigError` if none is set. */
export function secretOf(database: SecretOf): string {
  const setting = SECRET_SETTINGS[database]
  return givenSetting(process.env[setting], setting)
}

/** Reads the connection string from a secret, and reads it again if the database refuses the login. */
export function urlFrom(secretName: string): ReadUrl {
  return async ({ isRefused }) => {
    if (isRefused) forgetSecrets()
    return await readDatabaseUrl(secretName)
  }
}

/** A setting that a function needs. Throws `ConfigError` (`CONFIG_INCOMPLETE`) if it is missing. */
export function givenSetting(value: string | undefined, name: string): string {
  if (value !== undefined && value !== '') return value
  throw new ConfigError(`The setting ${name} of this function is missing`, {
    code: 'CONFIG_INCOMPLETE',
    hint: 'deploy the stacks again: npm run deploy',
  })
}

async function keepStore(address: string, config: Config): Promise<ObjectStore> {
  const key = `${config.TIDEMARK_S3_ENDPOINT ?? ''} ${address}`
  const store = stores.get(key) ?? openStore(address, config)
  stores.set(key, store)
  return await store
}
