import { TransientError } from '../errors.ts'
import { findLedgerHead, type LedgerHead } from '../warehouse/ledger.ts'
import type { Warehouse, WarehouseClient } from '../warehouse/warehouse.ts'
import type { Reader } from './reader.ts'

/** The age of the warehouse: an upper bound that the ledger proves, not an estimate. */
export interface Freshness {
  readonly batch: number
  readonly generation: string
  /**
   * ISO 8601 UTC. Everything that was committed in the source up to this moment is in the
   * warehouse.
   */
  readonly completeTo: string
  /** Age in milliseconds. */
  readonly lagMs: number
  /** The promise in milliseconds: a warehouse of at most this age is fresh. */
  readonly promiseMs: number
  readonly isFresh: boolean
}

/**
 * The newest row of the ledger. Throws `TransientError` (`WAREHOUSE_EMPTY`) before the first load.
 */
export async function readHead(session: WarehouseClient): Promise<LedgerHead> {
  const head = await findLedgerHead(session)
  if (head === undefined) throw empty(session.warehouse)
  return head
}

function empty({ title }: Warehouse): TransientError {
  return new TransientError(`Nothing has been loaded into ${title} yet`, {
    code: 'WAREHOUSE_EMPTY',
    hint: 'tidemark run',
  })
}

/** The freshness of the warehouse now. Throws what `readHead` and `Reader.read` throw. */
export async function readFreshness(
  reader: Reader,
  clock: { promiseMs: number; now: Date },
): Promise<Freshness> {
  return freshnessOf(await reader.read(readHead), clock)
}

/**
 * The freshness of a ledger's head at a moment. The lag is never negative, even if the source's
 * clock is ahead.
 */
export function freshnessOf(
  { batch, generation, completeTo }: LedgerHead,
  { promiseMs, now }: { promiseMs: number; now: Date },
): Freshness {
  const lagMs = Math.max(0, now.getTime() - Date.parse(completeTo))
  return { batch, generation, completeTo, lagMs, promiseMs, isFresh: lagMs <= promiseMs }
}
