import type { Config } from '../../platform/config.ts'
import type { Deps } from '../../platform/deps.ts'
import type { Log } from '../../platform/log.ts'
import { readQuestions } from '../../platform/presentation/question.ts'
import { createReader, type Reader } from '../../platform/presentation/reader.ts'
import { findReaderExcess } from '../../platform/presentation/reader-excess.ts'
import type { Dashboard } from '../../platform/presentation/page.ts'
import type { Environment } from '../environment.ts'
import { VERSION } from '../version.ts'
import type { AppOptions } from './app.ts'
import { type Access, readAccess } from './auth.ts'
import { pageRoutes, renderProblem } from './pages/pages.ts'
import { type RunningServer, startServer } from './serve.ts'

/** Disposing stops the server, then closes its connections to the warehouse. */
export interface OpenServer extends RunningServer {
  readonly access: Access
}

/**
 * The dashboard and the API over an environment's warehouse, where its settings say, or on another
 * port. Dispose it before the environment. Throws as `readAccess` and `startServer`.
 */
export async function openServer(
  { config, deps, reader: warehouse }: Environment,
  { log, port }: { log: Log; port: number },
): Promise<OpenServer> {
  const access = readAccess(config)
  const reader = createReader(warehouse)
  try {
    const options = presentProject({ config, deps, reader, log })
    const connections = {
      total: config.TIDEMARK_SERVER_CONNECTIONS,
      perAddress: config.TIDEMARK_SERVER_CONNECTIONS_PER_ADDRESS,
    }
    const server = await startServer({ ...options, access, port, connections })
    void reportUnbounded(reader, log)
    return {
      ...server,
      access,
      async [Symbol.asyncDispose]() {
        await server[Symbol.asyncDispose]()
        await reader[Symbol.asyncDispose]()
      },
    }
  } catch (error) {
    await reader[Symbol.asyncDispose]()
    throw error
  }
}

/** Logs what a reader's questions may take without a limit; nothing if the warehouse is away. */
async function reportUnbounded(reader: Reader, log: Log): Promise<void> {
  const found = await reader.read(findReaderExcess).catch(() => [])
  for (const { kind, what, fix } of found) {
    if (kind === 'unbounded') log({ event: 'reader_unbounded', level: 'warn', what, fix })
  }
}

/** What the server shows of a project: its questions and pages, with the promise of the settings. */
export function presentProject({
  config,
  deps,
  reader,
  log,
}: {
  readonly config: Config
  readonly deps: Deps
  readonly reader: Reader
  readonly log: Log
}): Omit<AppOptions, 'access' | 'events' | 'signal'> {
  const { presentation: dashboard = NOTHING } = deps.project
  return {
    reader,
    questions: new Map(dashboard.questions.flatMap((folder) => [...readQuestions(folder)])),
    promiseMs: config.TIDEMARK_PROMISE_MINUTES * 60_000,
    log,
    version: VERSION,
    pages: (presentation) => pageRoutes({ presentation, dashboard, deps }),
    problemPage: renderProblem,
  }
}

const NOTHING: Dashboard = { questions: [], pages: [], filters: [], labels: {}, links: {} }
