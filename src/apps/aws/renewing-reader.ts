import {
  createReader,
  type Reader,
  type ReaderOptions,
} from '../../platform/presentation/reader.ts'
import type { Warehouse } from '../../platform/warehouse/warehouse.ts'
import { createRenewing, type ReadUrl } from './renewing.ts'

/** Where a renewing reader finds its connection string. */
export interface RenewingReaderOptions extends ReaderOptions {
  /** The warehouse without its connection string. */
  readonly warehouse: Omit<Warehouse, 'url'>
  readonly readUrl: ReadUrl
}

/**
 * A reader that outlives its connection string, as `createRenewing` says. Throws what
 * `createReader` and `readUrl` throw.
 */
export function createRenewingReader({
  warehouse,
  readUrl,
  ...options
}: RenewingReaderOptions): Reader {
  let known: Warehouse = { ...warehouse, url: '' }
  const renewing = createRenewing({
    readUrl,
    open(url) {
      known = { ...warehouse, url }
      return createReader(known, options)
    },
  })
  return {
    get warehouse() {
      return known
    },
    read: (work) => renewing.use((reader) => reader.read(work)),
    open: (choice) => renewing.use((reader) => reader.open(choice)),
    [Symbol.asyncDispose]: () => renewing[Symbol.asyncDispose](),
  }
}
