import { readFileSync } from 'node:fs'
import { type Deps, ingestionZone, processedZone } from '../deps.ts'
import { ContractError, TidemarkError } from '../errors.ts'
import { withPostgresErrors } from '../io/postgres-errors.ts'
import { checkFollows, readExistingCommit } from '../lake/batch-log.ts'
import type { CommitRecord, FileRef } from '../lake/commit-record.ts'
import { generationOf } from '../project/generation.ts'
import type { WarehouseClient } from '../warehouse/warehouse.ts'

const LEDGER_ROWS = readFileSync(new URL('./ledger-rows.sql', import.meta.url), 'utf8')

/** A break in the chain of records, or between them and the ledger. */
export interface LogFault {
  readonly place: 'ingestion' | 'processed' | 'ledger'
  readonly batch: number
  /** One sentence for people. */
  readonly detail: string
}

/** The result of checking both logs and the ledger. */
export interface LogCheck {
  readonly faults: readonly LogFault[]
  /** The files of each star table by batch, from every record that could be read. */
  readonly files: ReadonlyMap<string, ReadonlyMap<number, readonly FileRef[]>>
}

/** Number of batches that are read at once. */
const READ_AT_ONCE = 16

/**
 * Checks both logs from the first batch to `last`, and the ledger beside them (I14). Every record
 * must exist, be undamaged, and continue the record before. A processed record must be made from
 * the ingestion record with its number. The ledger must have one row for each batch, loaded from
 * its record; omit the warehouse to leave the ledger out. Faults are returned, not thrown. Read-only.
 */
export async function verifyLog(
  deps: Deps,
  warehouse: WarehouseClient | undefined,
  last: number,
): Promise<LogCheck> {
  const faults: LogFault[] = []
  const files = new Map<string, Map<number, readonly FileRef[]>>()
  const zones = {
    ingestion: ingestionZone(deps),
    processed: processedZone(deps, generationOf(deps.project)),
  }
  const before: Partial<Record<'ingestion' | 'processed', CommitRecord>> = {}
  for (let first = 1; first <= last; first += READ_AT_ONCE) {
    const numbers = Array.from(
      { length: Math.min(READ_AT_ONCE, last - first + 1) },
      (_, index) => first + index,
    )
    const to = first + numbers.length - 1
    const ledger = warehouse && (await readLedger(warehouse, { from: first, to }))
    const read = await Promise.all(
      numbers.map(async (batch) => ({
        batch,
        ingestion: await attempt(() => readExistingCommit(zones.ingestion, batch)),
        processed: await attempt(() => readExistingCommit(zones.processed, batch)),
      })),
    )
    for (const { batch, ...records } of read) {
      for (const place of ['ingestion', 'processed'] as const) {
        const record = records[place]
        if (record instanceof TidemarkError) {
          faults.push({ place, batch, detail: record.message })
          delete before[place]
          continue
        }
        const previous = before[place]
        const mismatch = previous && follow(() => checkFollows(zones[place], previous, record))
        if (mismatch !== undefined) faults.push({ place, batch, detail: mismatch.message })
        before[place] = record
      }
      const { ingestion, processed } = records
      if (ingestion instanceof TidemarkError || processed instanceof TidemarkError) continue
      if (processed.madeFrom !== undefined && processed.madeFrom !== ingestion.checksum) {
        const detail = 'it was not made from the batch in the ingestion zone'
        faults.push({ place: 'processed', batch, detail })
      }
      const fault = ledger && compareLedger(ledger.get(batch), processed)
      if (fault !== undefined) faults.push({ place: 'ledger', batch, detail: fault })
      for (const [table, { changes }] of Object.entries(processed.tables)) {
        if (changes.length === 0) continue
        const batches = files.get(table) ?? new Map<number, readonly FileRef[]>()
        files.set(table, batches.set(batch, changes))
      }
    }
    deps.log({ event: 'batches_verified', batch: numbers.at(-1) ?? first, of: last })
  }
  if (warehouse === undefined) return { faults, files }
  for (const batch of (await readLedger(warehouse, { from: last + 1 })).keys()) {
    faults.push({ place: 'ledger', batch, detail: 'the lake has no such batch' })
  }
  return { faults, files }
}

/** The record, or the error that says why it cannot be read. */
async function attempt(read: () => Promise<CommitRecord>): Promise<CommitRecord | TidemarkError> {
  try {
    return await read()
  } catch (error) {
    if (error instanceof TidemarkError) return error
    throw error
  }
}

/** The error of a failed check; undefined if it passes. */
function follow(check: () => void): ContractError | undefined {
  try {
    check()
    return undefined
  } catch (error) {
    if (error instanceof ContractError) return error
    throw error
  }
}

/** A batch's row in the ledger. */
interface LedgerRow {
  readonly generation: string
  readonly snapshotAt: string
  readonly loadedFrom: string | null
  readonly capturedAs: string | null
  /** JSON: the counts of each table that had any. */
  readonly counts: string
}

async function readLedger(
  { client, warehouse }: WarehouseClient,
  { from, to }: { from: number; to?: number },
): Promise<Map<number, LedgerRow>> {
  const { rows } = await withPostgresErrors(warehouse, () =>
    client.query<LedgerRow & { batch: string }>(LEDGER_ROWS, [from, to ?? null]),
  )
  return new Map(rows.map(({ batch, ...row }) => [Number(batch), row]))
}

/** Why a batch's row in the ledger does not match its record; `undefined` if it matches. */
function compareLedger(row: LedgerRow | undefined, record: CommitRecord): string | undefined {
  if (row === undefined) return 'its row is missing'
  const isFromHere = row.capturedAs !== null && row.capturedAs === record.madeFrom
  if (row.loadedFrom !== null && row.loadedFrom !== record.checksum && !isFromHere) {
    return 'it was loaded from another record'
  }
  if (row.snapshotAt !== record.snapshot.takenAt) return 'its snapshot time differs from the record'
  const counts = JSON.parse(row.counts) as Record<string, Record<string, number>>
  const differs = Object.entries(record.tables).find(([table, entry]) =>
    Object.entries(entry.counts).some(([name, count]) => (counts[table]?.[name] ?? 0) !== count),
  )
  return differs && `its counts of ${differs[0]} differ from the record`
}
