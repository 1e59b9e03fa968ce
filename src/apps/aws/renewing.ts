import { TidemarkError } from '../../platform/errors.ts'

/**
 * Reads a connection string. If `isRefused` is set, the previous one failed and must be read again.
 */
export type ReadUrl = (state: { readonly isRefused: boolean }) => Promise<string>

/** What is opened with a connection string, and where the string comes from. */
export interface RenewingOptions<Opened extends AsyncDisposable> {
  readonly open: (url: string) => Opened
  readonly readUrl: ReadUrl
}

/** Something that outlives its connection string. Disposing disposes of what is open. */
export interface Renewing<Opened> extends AsyncDisposable {
  /** Runs `work`, and once more if the thing had to be opened anew. Throws what `work` throws. */
  use<Result>(work: (opened: Opened) => Promise<Result>): Promise<Result>
}

/** Codes that may mean that the database has moved or that the role has a new password. */
const REFUSED = /_(PASSWORD|DATABASE|UNREACHABLE)$|^(READER|SAVED)_CLOSED$/

interface Current<Opened> {
  readonly url: string
  readonly opened: Opened
}

/**
 * Opens something with a connection string, which it reads on first use. If the database then refuses
 * the role or cannot be reached, reads the string again. If the string has changed, opens the thing
 * anew and goes on with it. Throws what `open` and `readUrl` throw.
 */
export function createRenewing<Opened extends AsyncDisposable>({
  open,
  readUrl,
}: RenewingOptions<Opened>): Renewing<Opened> {
  let current: Promise<Current<Opened>> | undefined

  const begin = async (readNext: () => Promise<string>): Promise<Current<Opened>> => {
    const url = await readNext()
    return { url, opened: open(url) }
  }
  const find = async (): Promise<Current<Opened>> => {
    const found = (current ??= begin(() => readUrl({ isRefused: false })))
    return await found.catch((error: unknown) => {
      if (current === found) current = undefined
      throw error
    })
  }
  /** Replaces what failed. Returns the failed one if the string has not changed. */
  const renew = async (failed: Current<Opened>): Promise<Current<Opened>> => {
    const now = await find()
    if (now !== failed) return now // another request failed as well and was quicker
    const url = await readUrl({ isRefused: true })
    if (url === failed.url) return failed
    const after = await find()
    if (after !== failed) return after
    current = begin(async () => url)
    void failed.opened[Symbol.asyncDispose]()
    return await current
  }

  return {
    async use(work) {
      const first = await find()
      try {
        return await work(first.opened)
      } catch (error) {
        if (!(error instanceof TidemarkError) || !REFUSED.test(error.code)) throw error
        const renewed = await renew(first)
        if (renewed === first) throw error
        return await work(renewed.opened)
      }
    },
    async [Symbol.asyncDispose]() {
      const last = await current?.catch(() => undefined)
      await last?.opened[Symbol.asyncDispose]()
    },
  }
}
