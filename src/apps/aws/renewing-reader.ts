import { TidemarkError } from '../../platform/errors.ts'
import {
  createReader,
  type Reader,
  type ReaderOptions,
} from '../../platform/presentation/reader.ts'
import type { Warehouse } from '../../platform/warehouse/warehouse.ts'

export interface RenewingReaderOptions extends ReaderOptions {
  /** The warehouse apart from where it is. */
  readonly warehouse: Omit<Warehouse, 'url'>
  /**
   * The connection string. `isRefused`: the one given before did not lead there, so one that was
   * kept is not wanted.
   */
  readonly readUrl: (state: { readonly isRefused: boolean }) => Promise<string>
}

/** The warehouse may be elsewhere, or know the role by another password, than was said before. */
const REFUSED = /_(PASSWORD|DATABASE|UNREACHABLE)$|^READER_CLOSED$/

/**
 * A reader that outlives its connection string: refused or without a way to the warehouse it reads
 * the string again, and if it is another one, goes on with that as if nothing had happened. Asks for
 * the string when first read from. Throws as `createReader` and whatever `readUrl` throws.
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
  /** Another one in place of the one that failed; the same one when there is no other. */
  const renew = async (failed: Reader): Promise<Reader> => {
    const now = await open()
    if (now !== failed) return now // somebody who failed as well was quicker
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
