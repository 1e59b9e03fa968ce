import type { Config } from '../../platform/config.ts'
import type { Deps } from '../../platform/deps.ts'
import { ConfigError } from '../../platform/errors.ts'
import { openTogether } from '../../platform/io/open-together.ts'
import { type Question, readQuestions } from '../../platform/presentation/question.ts'
import { findReaderExcess } from '../../platform/presentation/reader-excess.ts'
import { createReader, type Reader } from '../../platform/presentation/reader.ts'
import {
  createSavedQuestions,
  type SavedQuestions,
} from '../../platform/presentation/saved-questions.ts'
import type { Dashboard } from '../../platform/project/dashboard.ts'
import type { Environment } from '../environment.ts'
import type { AppLog } from '../log.ts'
import { VERSION } from '../version.ts'
import { type Access, readAccess } from './access.ts'
import type { AppOptions } from './app.ts'
import { pageRoutes, renderProblem } from './pages/pages.ts'
import { type RunningServer, startServer } from './serve.ts'
import type { ServedAddress, ServerExtension } from './server-extension.ts'

/** The port of the dashboard, unless `TIDEMARK_PORT` names another. */
export const DEFAULT_PORT = 4100

/** A server over an environment. Disposing stops it, then closes its connections to the warehouse. */
export interface OpenServer extends RunningServer {
  readonly access: Access
  /** Addresses of the project's own that are worth showing. */
  readonly addresses: readonly ServedAddress[]
}

/**
 * Serves the dashboard and the API over an environment's warehouse, on the host from its settings.
 * Dispose the server before the environment. Throws what `readAccess` and `startServer` throw, and
 * `ConfigError` (`WAREHOUSE_READER_RIGHTS`) if the reader's role can write: every request would
 * fail. A warehouse that cannot be read yet is no reason not to start.
 */
export async function openServer(
  { config, deps, extension, reader: warehouse, saverUrl, now }: Environment,
  { log, port }: { log: AppLog; port: number },
): Promise<OpenServer> {
  const access = readAccess(config)
  const served = await extension.server?.()
  return await openTogether(async (keep) => {
    const reader = keep(createReader(warehouse))
    await checkRights(reader, deps)
    const saved = saverUrl === undefined ? undefined : keep(createSavedQuestions({ url: saverUrl }))
    const options = presentProject({ config, deps, extension: served, reader, saved, log })
    const connections = {
      total: config.TIDEMARK_SERVER_CONNECTIONS,
      perAddress: config.TIDEMARK_SERVER_CONNECTIONS_PER_ADDRESS,
    }
    const server = keep(await startServer({ ...options, access, port, connections, now }))
    void reportUnbounded(reader, log)
    return { ...server, access, addresses: served?.addresses ?? [] }
  })
}

/**
 * Throws if the reader's role has too many rights, and returns if that cannot be told now. Without a
 * role for the reader, the loader's would be used: then the remedy is to make one.
 */
async function checkRights({ read, warehouse }: Reader, deps: Deps): Promise<void> {
  const code = `${warehouse.code}_READER_RIGHTS`
  await read(async () => {}).catch((error: unknown) => {
    if (!(error instanceof ConfigError) || error.code !== code) return
    if (warehouse.url !== deps.warehouse.url) throw error
    throw new ConfigError('The dashboard needs a role that can only read the warehouse', {
      code,
      hint: 'tidemark doctor   prints the SQL that creates the role, and TIDEMARK_WAREHOUSE_READER_URL to set',
      cause: error,
    })
  })
}

/** Logs the limits that the reader's role lacks. Logs nothing if the warehouse is out of reach. */
async function reportUnbounded(reader: Reader, log: AppLog): Promise<void> {
  const found = await reader.read(findReaderExcess).catch(() => [])
  for (const { kind, what, fix } of found) {
    if (kind === 'unbounded') log({ event: 'reader_unbounded', level: 'warn', what, fix })
  }
}

/** What the server shows: the questions and pages of the project, and the promise from the settings. */
export function presentProject({
  config,
  deps,
  extension,
  reader,
  saved,
  log,
}: {
  readonly config: Config
  readonly deps: Deps
  readonly extension: ServerExtension | undefined
  readonly reader: Reader
  readonly saved: SavedQuestions | undefined
  readonly log: AppLog
}): Omit<AppOptions, 'access' | 'events' | 'signal'> {
  const { project } = deps
  const { presentation: dashboard = NOTHING_TO_SHOW } = project
  return {
    project,
    extension,
    reader,
    questions: questionsOf(dashboard),
    saved,
    promiseMs: config.TIDEMARK_PROMISE_MINUTES * 60_000,
    log,
    version: VERSION,
    pages: (presentation) => pageRoutes({ presentation, dashboard, deps, extension, log }),
    problemPage: renderProblem,
  }
}

/** The questions of a dashboard, by name. Throws what `readQuestions` throws. */
export function questionsOf({ questions }: Dashboard): ReadonlyMap<string, Question> {
  return new Map(questions.flatMap((folder) => [...readQuestions(folder)]))
}

/** The dashboard of a project that declares none. */
export const NOTHING_TO_SHOW: Dashboard = {
  questions: [],
  pages: [],
  filters: [],
  labels: {},
  links: {},
}
