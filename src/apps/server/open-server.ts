import type { Log } from '../../platform/log.ts'
import { readQuestions } from '../../platform/presentation/question.ts'
import { createReader } from '../../platform/presentation/reader.ts'
import type { Dashboard } from '../../platform/presentation/page.ts'
import { type Environment, VERSION } from '../environment.ts'
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
  const { presentation: dashboard = NOTHING } = deps.project
  const reader = createReader(warehouse)
  try {
    const server = await startServer({
      reader,
      questions: new Map(dashboard.questions.flatMap((folder) => [...readQuestions(folder)])),
      promiseMs: config.TIDEMARK_PROMISE_MINUTES * 60_000,
      access,
      log,
      version: VERSION,
      pages: (presentation) => pageRoutes({ presentation, dashboard, deps }),
      problemPage: renderProblem,
      port,
    })
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

const NOTHING: Dashboard = { questions: [], pages: [], filters: [], labels: {}, links: {} }
