import { readFileSync } from 'node:fs'
import { withPostgresErrors } from '../io/postgres-errors.ts'
import { onlyRow } from '../io/postgres.ts'
import { inSnapshot, selectRows, type WarehouseClient } from './warehouse.ts'

const RECENT = readFileSync(new URL('./recent-delays.sql', import.meta.url), 'utf8')

/**
 * The delays of the batches that were loaded in the last hour. A batch's delay is an upper bound:
 * each of its changes was visible in the warehouse at most so long after its commit in the source.
 * Changes that had been held or in quarantine may be older.
 */
export interface Delays {
  /** The batches whose delay is known. */
  readonly batches: number
  /** Milliseconds; half of the batches had at most this delay. Undefined without batches. */
  readonly p50Ms?: number
  /** Milliseconds; 99 of 100 batches had at most this delay. */
  readonly p99Ms?: number
}

/**
 * The delays of the last hour, by the warehouse's clock. The cost does not grow with the ledger. No
 * batches if the warehouse is from an older version, or if nothing was created in it yet. The
 * reader role may ask.
 */
export async function readDelays(connection: WarehouseClient): Promise<Delays> {
  return await withPostgresErrors(connection.warehouse, () =>
    inSnapshot(connection, async () => {
      const found = await selectRows<{ there: boolean }>(
        connection,
        `select count(*) = 1 as there from pg_attribute
         where attrelid = to_regclass('tidemark_batches') and attname = 'delay'`,
      )
      if (!onlyRow({ rows: found }).there) return { batches: 0 }
      const rows = await selectRows<Record<'batches' | 'p50' | 'p99', string | null>>(
        connection,
        RECENT,
      )
      const { batches, p50, p99 } = onlyRow({ rows })
      if (p50 === null || p99 === null) return { batches: 0 }
      return { batches: Number(batches), p50Ms: Number(p50), p99Ms: Number(p99) }
    }),
  )
}

/**
 * The longest delay of the batches from `first` to `last` in milliseconds. Undefined if none of
 * their delays is known.
 */
export async function readLongestDelay(
  connection: WarehouseClient,
  { first, last }: { first: number; last: number },
): Promise<number | undefined> {
  const rows = await withPostgresErrors(connection.warehouse, () =>
    selectRows<{ longest: string | null }>(
      connection,
      `select round(extract(epoch from max(delay)) * 1000)::text as longest
       from tidemark_batches where batch_id between ${first} and ${last}`,
    ),
  )
  const { longest } = onlyRow({ rows })
  return longest === null ? undefined : Number(longest)
}
