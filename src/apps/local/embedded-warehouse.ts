import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import * as z from 'zod'
import type { Config } from '../../platform/config.ts'
import { ConfigError, TidemarkError } from '../../platform/errors.ts'
import type { AppLog } from '../log.ts'
import type { EmbeddedPostgres } from './embedded-postgres.ts'
import { passLines, writeSecret } from './pass-file.ts'
import { prepareWarehouse } from './prepare-databases.ts'
import { startLogged } from './start-logged.ts'
import { WAREHOUSE_FOLDER } from './warehouse-folder.ts'

/** A warehouse in an embedded Postgres on this machine, for a source that is elsewhere. */
export interface EmbeddedWarehouse extends AsyncDisposable {
  readonly databases: WarehouseUrls
  /** File with the reader's password in psql's format, mode 0600, for `PGPASSFILE`. */
  readonly passFile: string
  /** Whether another Tidemark process runs the server and this one only uses it. */
  readonly isAttached: boolean
}

/** Connection strings of a warehouse, each with a role that may do only its work. */
export interface WarehouseUrls {
  readonly warehouseUrl: string
  readonly readerUrl: string
  readonly saverUrl: string
}

/**
 * Starts the embedded Postgres with the warehouse in the home, and makes the warehouse if it is
 * missing. If another Tidemark process runs it already, uses that one. Disposing stops what this call
 * started and nothing else. Throws what `startEmbeddedPostgres` throws.
 */
export async function openEmbeddedWarehouse(
  config: Config,
  { log }: { readonly log: AppLog },
): Promise<EmbeddedWarehouse> {
  const home = config.TIDEMARK_HOME
  mkdirSync(home, { recursive: true, mode: 0o711 })
  const noteFile = join(home, 'warehouse.json')
  const passFile = join(home, 'warehouse.pgpass')
  let postgres: EmbeddedPostgres
  try {
    postgres = await startLogged(config, { folder: WAREHOUSE_FOLDER, log })
  } catch (error) {
    if (!(error instanceof TidemarkError) || error.code !== 'POSTGRES_IN_USE') throw error
    const attached = { passFile, isAttached: true, [Symbol.asyncDispose]: async () => {} }
    return { databases: readNote(noteFile, error), ...attached }
  }
  const stop = async () => {
    rmSync(noteFile, { force: true })
    await postgres.stop()
  }
  try {
    const passwordsFile = join(home, 'warehouse-passwords.json')
    const databases = await prepareWarehouse(postgres, { passwordsFile })
    writeSecret(noteFile, JSON.stringify(databases))
    writeSecret(passFile, passLines([databases.readerUrl]))
    return { databases, passFile, isAttached: false, [Symbol.asyncDispose]: stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/** What the process that runs the server tells other processes. */
const note = z.object({ warehouseUrl: z.string(), readerUrl: z.string(), saverUrl: z.string() })

function readNote(noteFile: string, inUse: TidemarkError): WarehouseUrls {
  try {
    return note.parse(JSON.parse(readFileSync(noteFile, 'utf8')))
  } catch (cause) {
    throw new ConfigError('Another Tidemark process is starting or stopping in this home', {
      code: inUse.code,
      hint: 'try again in a moment',
      cause,
    })
  }
}
