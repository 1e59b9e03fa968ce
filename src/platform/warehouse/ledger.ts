import { readFileSync } from 'node:fs'
import { withPostgresErrors } from '../io/postgres-errors.ts'
import { onlyRow } from '../io/postgres.ts'
import { asciiLiteral } from '../io/session.ts'
import {
  forbidden,
  inSnapshot,
  selectRows,
  type WarehouseClient,
  writeAndSelect,
} from './warehouse.ts'

const HEAD = readFileSync(new URL('./ledger-head.sql', import.meta.url), 'utf8')
const NEWEST = readFileSync(new URL('./newest-loaded.sql', import.meta.url), 'utf8')
const ACCESS = readFileSync(new URL('./schema-access.sql', import.meta.url), 'utf8')

/**
 * The newest loaded batch, and the moment up to which the warehouse is proven complete. Times are
 * ISO 8601 UTC.
 */
export interface LedgerHead {
  readonly batch: number
  readonly generation: string
  readonly snapshotAt: string
  readonly loadedAt: string
  /** Time of the newest batch's snapshot, or of a later run that found nothing newer. */
  readonly completeTo: string
}

/** The newest loaded batch; `undefined` in an empty warehouse. The reader role may ask. */
export async function readLedgerHead(connection: WarehouseClient): Promise<LedgerHead | undefined> {
  const rows = await withPostgresErrors(connection.warehouse, () =>
    selectRows<HeadRow>(connection, HEAD),
  )
  return parseHead(rows)
}

type HeadRow = Omit<LedgerHead, 'batch'> & { readonly batch: string }

function parseHead([row]: readonly HeadRow[]): LedgerHead | undefined {
  return row && { ...row, batch: Number(row.batch) }
}

/**
 * Like `readLedgerHead`, but also `undefined` if Tidemark has created nothing in the warehouse yet.
 * Throws `ConfigError` (`WAREHOUSE_PERMISSION`) if this user may not use the schema: to that user
 * it would look empty.
 */
export async function findLedgerHead(session: WarehouseClient): Promise<LedgerHead | undefined> {
  return await withPostgresErrors(session.warehouse, () =>
    inSnapshot(session, async () => {
      const found = await session.client.query<{ there: boolean; closed: boolean; user: string }>(
        ACCESS,
        [session.warehouse.schema],
      )
      const { there, closed, user } = onlyRow(found)
      if (closed) throw forbidden(session.warehouse, user)
      return there ? await readLedgerHead(session) : undefined
    }),
  )
}

/**
 * Records that the source held nothing newer than `batch` at `takenAt` (source clock), and returns
 * the newest loaded batch, all in one round trip. May be repeated. The confirmation never moves
 * backwards, even if several runs confirm at once.
 *
 * Does not wait for the server's disk. If the server crashes right afterwards, it may come back with
 * the confirmation before, which is true too, only less recent. The next run confirms again.
 */
export async function confirmUnchanged(
  connection: WarehouseClient,
  { batch, takenAt }: { batch: number; takenAt: string },
): Promise<LedgerHead | undefined> {
  const write = `
    insert into tidemark_confirmation as c (batch_id, confirmed_at)
    values (${batch}, ${asciiLiteral(takenAt)})
    on conflict (is_only_row) do update
    set batch_id = excluded.batch_id, confirmed_at = excluded.confirmed_at
    where (c.batch_id, c.confirmed_at) < (excluded.batch_id, excluded.confirmed_at)`
  const rows = await withPostgresErrors(connection.warehouse, () =>
    writeAndSelect<HeadRow>(connection, { write, select: HEAD, mayBeLost: true }),
  )
  return parseHead(rows)
}

/**
 * The newest ledger row: the batch that the warehouse holds, and the lake records it came from. The
 * checksums are missing if the warehouse is from an older version, or if a reader asked.
 */
export interface Loaded {
  readonly batch: number
  readonly generation: string
  /** ISO 8601 UTC. */
  readonly snapshotAt: string
  /**
   * Checksum of the processed record from which it was loaded; undefined if that record had none.
   */
  readonly loadedFrom?: string | undefined
  /** Checksum of the ingestion record from which the processed record was made. */
  readonly capturedAs?: string | undefined
}

/** The newest ledger row; `undefined` in an empty warehouse. Only the loader may ask. */
export async function readLoaded(connection: WarehouseClient): Promise<Loaded | undefined> {
  const [row] = await selectRows<
    Record<'batch' | 'generation' | 'snapshot_at', string> &
      Record<'loaded_from' | 'captured_as', string | null>
  >(connection, NEWEST)
  if (row === undefined) return undefined
  return {
    batch: Number(row.batch),
    generation: row.generation,
    snapshotAt: row.snapshot_at,
    loadedFrom: row.loaded_from ?? undefined,
    capturedAs: row.captured_as ?? undefined,
  }
}

/**
 * Like `readLoaded`, for a warehouse that may not exist yet or may be from an older version. Also
 * `undefined` if it has no ledger.
 */
export async function findLoaded(session: WarehouseClient): Promise<Loaded | undefined> {
  return await withPostgresErrors(session.warehouse, () =>
    inSnapshot(session, async () => {
      const found = await session.client.query<{ there: boolean; linked: boolean }>(
        `select
             to_regclass('tidemark_ledger') is not null as there,
             to_regclass('tidemark_relation') is not null as linked`,
      )
      const { there, linked } = onlyRow(found)
      if (!there) return undefined
      if (linked) return await readLoaded(session)
      return await readLedgerHead(session)
    }),
  )
}
