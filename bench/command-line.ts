import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Place } from './deps.ts'
import { repository } from './repository.ts'

/** The command as users have it: built, started by its own file. */
export const TIDEMARK = join(repository, 'bin/tidemark.js')

/** The settings with which the command works at a place. */
export function settingsAt(place: Place): Record<string, string | undefined> {
  mkdirSync(place.folder, { recursive: true })
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('TIDEMARK_'))
  return {
    ...Object.fromEntries(inherited),
    TIDEMARK_PROJECT: join(repository, 'src/totesys'),
    TIDEMARK_SOURCE_URL: place.sourceUrl,
    TIDEMARK_WAREHOUSE_URL: place.warehouseUrl,
    TIDEMARK_WAREHOUSE_SCHEMA: place.schema,
    TIDEMARK_WAREHOUSE_READER_URL: place.readerUrl,
    TIDEMARK_HOME: place.folder,
    TIDEMARK_INGESTION: join(place.folder, 'ingestion'),
    TIDEMARK_PROCESSED: join(place.folder, 'processed'),
  }
}
