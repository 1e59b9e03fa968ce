import { TidemarkError } from '../../platform/errors.ts'
import {
  createReader,
  type Reader,
  type ReaderOptions,
} from '../../platform/presentation/reader.ts'
import type { Warehouse } from '../../platform/warehouse/warehouse.ts'

/** Where a renewing reader finds its connection string. */
export interface RenewingReaderOptions extends ReaderOptions {
  /** The warehouse without its connection string. */
  readonly warehouse: Omit<Warehouse, 'url'>
  /**
   * Reads the connection string. If `isRefused` is set, the previous one failed and must be read
   * again.
   */
  readonly readUrl: (state: { readonly isRefused: boolean }) => Promise<string>
}

/** Codes that may mean that the warehouse has moved or that the role has a new password. */
const REFUSED = /_(PASSWORD|DATABASE|UNREACHABLE)$|^READER_CLOSED$/

/**
 * A reader that outlives its connection string. If the warehouse refuses the reader or cannot be
 * reached, it reads the string again and, if that has changed, goes on with the new one. Reads the
 * string first when it is first used. Throws what `createReader` and `readUrl` throw.
 */
export function createRenewingReader({
  warehouse,
  readUrl,
  ...options
}: RenewingReaderOptions): Reader {
  let current: Promise<Reader> | undefined
  let known: Warehouse = { ...warehouse, url: '' }

  const begin = async (readNext: () => Promise<string>): Promise<Reader> => {
    const url = await readNext()
    known = { ...warehouse, url }
    return createReader(known, options)
  }
  const open = async (): Promise<Reader> => {
    const opened = (current ??= begin(() => readUrl({ isRefused: false })))
    return await opened.catch((error: unknown) => {
      if (current === opened) current = undefined
      throw error
    })
  }
  /** Replaces the reader that failed. Returns the same one if the string has not changed. */
  const renew = async (failed: Reader): Promise<Reader> => {
    const now = await open()
    if (now !== failed) return now // another request failed as well and was quicker
    const url = await readUrl({ isRefused: true })
    if (url === failed.warehouse.url) return failed
    const after = await open()
    if (after !== failed) return after
    current = begin(async () => url)
    void failed[Symbol.asyncDispose]()
    return await current
  }
  const withReader = async <Result>(work: (reader: Reader) => Promise<Result>): Promise<Result> => {
    const reader = await open()
    try {
      return await work(reader)
    } catch (error) {
      if (!(error instanceof TidemarkError) || !REFUSED.test(error.code)) throw error
      const renewed = await renew(reader)
      if (renewed === reader) throw error
      return await work(renewed)
    }
  }

  return {
    get warehouse() {
      return known
    },
    read: (work) => withReader((reader) => reader.read(work)),
    open: (choice) => withReader((reader) => reader.open(choice)),
    async [Symbol.asyncDispose]() {
      const last = await current?.catch(() => undefined)
      await last?.[Symbol.asyncDispose]()
    },
  }
}
