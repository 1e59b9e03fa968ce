import { join } from 'node:path'
import type { Config } from '../../platform/config.ts'
import type { AppLog } from '../log.ts'
import { type EmbeddedPostgres, startEmbeddedPostgres } from './embedded-postgres.ts'

/** Starts the embedded Postgres in a folder of the home, and logs that it runs. */
export async function startLogged(
  { TIDEMARK_HOME: home, TIDEMARK_PG_BIN: binDir }: Config,
  { folder, log }: { readonly folder: string; readonly log: AppLog },
): Promise<EmbeddedPostgres> {
  const startedAt = performance.now()
  const postgres = await startEmbeddedPostgres({
    dataDir: join(home, folder),
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
