import { TransientError } from '../errors.ts'
import type { Client, PostgresClient } from '../io/postgres.ts'

/** Which connection a read needs. */
export interface ReaderNeed {
  /** Opens another connection if all are taken and there are fewer than this. */
  readonly connections?: number
  /** Waits for the first connection, the one that holds the locks. */
  readonly first?: boolean
}

/** The connections that read one snapshot. Each is used for one read at a time. */
export interface Readers extends AsyncDisposable {
  /** Calls `work` with a connection that nobody else uses meanwhile, in the order of the calls. */
  use<T>(need: ReaderNeed, work: (client: Client) => Promise<T>): Promise<T>
}

/** How a snapshot is shared with further connections. */
export interface Sharing {
  /** Makes the snapshot known to the server. Called once, while nobody reads. */
  share(): Promise<unknown>
  open(): Promise<PostgresClient>
}

/**
 * Begins with one connection, which the caller closes. Further ones are opened when they are first
 * needed, and stay open until the readers are disposed of. If no more can be opened, the existing
 * ones do all the work.
 */
export function createReaders(first: Client, { share, open }: Sharing): Readers {
  const others: PostgresClient[] = []
  const idle: Client[] = [first]
  const waiting: { readonly isFirst: boolean; readonly go: (client: Client) => void }[] = []
  let count = 1
  let mayOpen = true
  let shared: Promise<unknown> | undefined

  const take = async ({ connections = 1, first: isFirst = false }: ReaderNeed): Promise<Client> => {
    if (connections > 1) {
      // A snapshot cannot be shared in the middle of a read.
      shared ??= use({ first: true }, share).catch(goOnWithout)
      await shared
    }
    const found = idle.findIndex((client) => !isFirst || client === first)
    const [client] = found < 0 ? [] : idle.splice(found, 1)
    if (client !== undefined) return client
    if (mayOpen && count < connections) {
      count += 1
      const other = await open().catch(goOnWithout)
      if (other !== undefined) {
        others.push(other)
        return other.client
      }
      count -= 1
      // Meanwhile a connection may have been given back, while nobody was in the queue.
      return await take({ first: isFirst })
    }
    return await new Promise((go) => waiting.push({ isFirst, go }))
  }
  /** The server or pooler may have no connection left. The existing ones then do all the work. */
  const goOnWithout = (error: unknown): undefined => {
    if (!(error instanceof TransientError)) throw error
    mayOpen = false
  }
  const giveBack = (client: Client): void => {
    const next = waiting.findIndex(({ isFirst }) => !isFirst || client === first)
    const [waiter] = next < 0 ? [] : waiting.splice(next, 1)
    if (waiter === undefined) idle.push(client)
    else waiter.go(client)
  }
  const use: Readers['use'] = async (need, work) => {
    const client = await take(need)
    try {
      return await work(client)
    } finally {
      giveBack(client)
    }
  }
  return {
    use,
    async [Symbol.asyncDispose]() {
      for (const other of others.splice(0)) await other[Symbol.asyncDispose]()
    },
  }
}
