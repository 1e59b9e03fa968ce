import { readFileSync } from 'node:fs'
import type { Client } from '../io/postgres.ts'
import type { CommitRecord, RowCounts } from '../lake/commit-record.ts'
import { type Difference, type DifferentKey, MAX_KEYS, NO_DIFFERENCE } from '../lake/difference.ts'

const ENTRY = readFileSync(new URL('./ledger-entry.sql', import.meta.url), 'utf8')
const CORRECTION = readFileSync(new URL('./ledger-correction.sql', import.meta.url), 'utf8')

/** A batch for the ledger. */
interface EnteredBatch {
  readonly record: CommitRecord
  readonly generation: string
  readonly runId: string
}

/** Adds a loaded batch to the ledger. Call it in the load's transaction. */
export async function enterBatch(client: Client, batch: EnteredBatch): Promise<void> {
  await client.query(ENTRY, columnsOf(batch))
}

/**
 * Makes the ledger's rows of some batches what the batches' records say. May be repeated. Returns which
 * rows were missing, and which were wrong.
 */
export async function correctEntries(
  client: Client,
  {
    records,
    ...common
  }: Omit<EnteredBatch, 'record'> & { readonly records: readonly CommitRecord[] },
): Promise<Difference> {
  if (records.length === 0) return NO_DIFFERENCE
  const { rows } = await client.query<{ batch: string }>(
    'select batch_id::text as batch from tidemark_ledger where batch_id = any($1::bigint[])',
    [records.map(({ batch }) => batch)],
  )
  const there = new Set(rows.map(({ batch }) => Number(batch)))
  const keys: DifferentKey[] = []
  for (const record of records.toSorted((a, b) => b.batch - a.batch)) {
    await client.query(CORRECTION, columnsOf({ ...common, record }))
    const kind = there.has(record.batch) ? 'different' : 'missing'
    keys.unshift({ kind, key: `batch_id=${record.batch}`, columns: [] })
  }
  const different = there.size
  return {
    ...NO_DIFFERENCE,
    missing: records.length - different,
    different,
    keys: keys.slice(0, MAX_KEYS),
  }
}

function columnsOf({ record, generation, runId }: EnteredBatch): unknown[] {
  const counts = Object.entries(record.tables).flatMap(([name, entry]) =>
    isNothing(entry.counts) ? [] : [[name, entry.counts]],
  )
  return [
    record.batch,
    generation,
    record.snapshot.takenAt,
    runId,
    JSON.stringify(Object.fromEntries(counts)),
    record.lake,
    record.checksum,
    record.madeFrom,
    record.snapshot.clock === 'simulated',
  ]
}

function isNothing(counts: RowCounts): boolean {
  return Object.values(counts).every((count) => count === 0)
}
