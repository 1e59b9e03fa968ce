import { TransientError } from '../../platform/errors.ts'
import { readOptions } from '../../platform/io/postgres-url.ts'
import type { CatalogueTable } from '../../platform/project/catalogue-table.ts'
import { readCatalogue } from '../../platform/source/catalogue.ts'
import { openSnapshot } from '../../platform/source/snapshot.ts'

/** A source that a project is made for. */
export interface ReadSource {
  /** The name of its database. */
  readonly database: string
  readonly catalogue: readonly CatalogueTable[]
}

/**
 * Reads the catalogue of a database once, without a second try: a person waits. Throws what
 * `openSnapshot` and `readCatalogue` throw. Their hints name `--source`.
 */
export async function readSource(url: string): Promise<ReadSource> {
  const source = { title: 'The source', code: 'SOURCE', setting: '--source', url, attempts: 1 }
  try {
    await using snapshot = await openSnapshot(source)
    const catalogue = await readCatalogue(snapshot)
    return { database: readOptions(new URL(url)).database, catalogue }
  } catch (error) {
    if (!(error instanceof TransientError)) throw error
    throw new TransientError(error.message, {
      code: error.code,
      hint: 'check the host and the port in --source, then run it again; nothing was written',
      cause: error,
    })
  }
}
