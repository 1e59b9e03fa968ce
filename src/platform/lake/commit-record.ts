import { z } from 'zod'
import { ContractError } from '../errors.ts'

/** Raised when the shape below changes so that older code would misread it. */
export const FORMAT = 1

const file = z.object({
  key: z.string(),
  rows: z.number().int().nonnegative(),
  bytes: z.number().int().nonnegative(),
  sha256: z.string().length(64),
})

/**
 * A file that takes part in the table as it stands. `base`: every row as of some batch. `delta`:
 * the last change of every key since the base. `change`: one batch's changes since the delta.
 */
const stateFile = file.extend({ role: z.enum(['base', 'delta', 'change']) })

const counts = z.object({
  /** read = accepted + unchanged + quarantined (I10). */
  read: z.number().int(),
  accepted: z.number().int(),
  unchanged: z.number().int(),
  quarantined: z.number().int(),
  /** What was accepted, by operation. In the ingestion zone a deletion is not a row read. */
  inserted: z.number().int(),
  updated: z.number().int(),
  deleted: z.number().int(),
})

/** Why a table stands still, and since when. */
const held = z.object({
  /** Code for machines, such as `column_missing`. */
  reason: z.string(),
  /** One sentence for people: what is there and what is wanted. */
  detail: z.string(),
  /** The first batch that went without it, and its moment. */
  since: z.number().int().positive(),
  sinceAt: z.string(),
})

const snapshot = z.object({
  /** `pg_current_snapshot()`: 64-bit transaction ids as decimal text. */
  xmin: z.string(),
  xmax: z.string(),
  inFlight: z.array(z.string()),
  /** Source clock at the start of the transaction, ISO 8601 UTC with microseconds. */
  takenAt: z.string(),
  systemId: z.string(),
  timeline: z.number().int(),
  standby: z.boolean(),
})

const table = z.object({
  counts,
  /** This batch's changes. */
  changes: z.array(file),
  /** Rows this batch put into quarantine, each with the reason. */
  quarantine: z.array(file),
  /** Quarantine as of this batch: the last refused version of every key not settled since. */
  open: z.array(file).default([]),
  /** The table as of this batch: base, then delta, then changes, each overriding those before. */
  state: z.array(stateFile),
  /** Live rows as of this batch. */
  rows: z.number().int(),
  /** Ingestion zone: rows the source holds beside them, every version of which was refused. */
  withheld: z.number().int().positive().optional(),
  /** Ingestion zone, feeds: the files this batch took, as they came. */
  archived: z.array(file).optional(),
  /** Ingestion zone: shape and identity of the source table, see `schema/<table>/`. */
  fingerprint: z.string().optional(),
  /** Ingestion zone: the relation has no transaction ids and is compared whole every time. */
  unversioned: z.boolean().optional(),
  /** The table stands still: none of its changes since have been accepted. */
  held: held.optional(),
  /**
   * Ingestion zone, while it is held: the snapshot up to which it was captured, where that is not
   * the record's own, and the one up to which its raw rows are in quarantine.
   */
  capturedTo: snapshot.optional(),
  archivedTo: snapshot.optional(),
  /** Ingestion zone: deletions the brake holds back until the operator confirms them. */
  heldDeletes: z.number().int().optional(),
  /** Processed zone, facts: record ids given out so far. */
  records: z.number().int().optional(),
  /**
   * Processed zone, facts: the first batch whose changes these are, where the fact was held before:
   * a key may have several versions among them.
   */
  changesSince: z.number().int().positive().optional(),
})

const commitRecord = z.object({
  format: z.literal(FORMAT),
  batch: z.number().int().positive(),
  previous: z.number().int().nonnegative(),
  snapshot,
  tables: z.record(z.string(), table),
  /**
   * Ingestion zone, a batch of feeds: when it was collected (ISO 8601 UTC). Of the database it
   * says nothing new: its snapshot is that of the batch before.
   */
  collectedAt: z.string().optional(),
  /** Ingestion zone: relations of the captured schemas that no contract names. */
  ignored: z.array(z.string()).optional(),
  /** Ingestion zone: the contract the source was held against, as a hash. */
  contract: z.string().optional(),
  /** Processed zone: the data tests that ran and the rows that broke each. */
  tests: z.record(z.string(), z.number().int().nonnegative()).optional(),
  writer: z.object({ version: z.string(), runId: z.string() }),
})

export type FileRef = z.infer<typeof file>
export type StateFile = z.infer<typeof stateFile>
export type RowCounts = z.infer<typeof counts>
export type TableEntry = z.infer<typeof table>
export type Hold = z.infer<typeof held>
export type SnapshotInfo = z.infer<typeof snapshot>
export type CommitRecord = z.infer<typeof commitRecord>

export const NO_ROWS: RowCounts = {
  read: 0,
  accepted: 0,
  inserted: 0,
  updated: 0,
  deleted: 0,
  unchanged: 0,
  quarantined: 0,
}

/** Rows of a table this batch adds to the log. */
export function changedRows({ inserted, updated, deleted }: RowCounts): number {
  return inserted + updated + deleted
}

/** Rows of all files together. */
export function sumRows(files: readonly { readonly rows: number }[]): number {
  return files.reduce((sum, { rows }) => sum + rows, 0)
}

/** Parses a commit record. Throws `ContractError` naming the key when it is damaged or newer than this code. */
export function parseCommitRecord(body: Buffer, key: string): CommitRecord {
  let json: unknown
  try {
    json = JSON.parse(body.toString('utf8'))
  } catch (cause) {
    throw damaged(key, cause)
  }
  const format = (json as { format?: unknown } | null)?.format
  if (typeof format === 'number' && format > FORMAT) {
    throw new ContractError(`${key} has format ${format}; this version reads up to ${FORMAT}`, {
      code: 'LAKE_NEWER',
      hint: 'update Tidemark; nothing was changed',
    })
  }
  const parsed = commitRecord.safeParse(json)
  if (!parsed.success) throw damaged(key, parsed.error)
  return parsed.data
}

function damaged(key: string, cause: unknown): ContractError {
  return new ContractError(`The commit record ${key} is damaged`, {
    code: 'LAKE_DAMAGED',
    hint: 'restore the object from a backup of the zone',
    cause,
  })
}

/**
 * The entry of a table that a batch leaves as it was, or that was never made: what it says of the
 * batch before alone is left out.
 */
export function standStill({
  archived: _archived,
  changesSince: _changesSince,
  ...entry
}: Partial<TableEntry> = {}): TableEntry {
  return { open: [], state: [], rows: 0, ...entry, counts: NO_ROWS, changes: [], quarantine: [] }
}
