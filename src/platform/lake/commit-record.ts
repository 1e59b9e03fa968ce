import { z } from 'zod'
import { ContractError } from '../errors.ts'

/** Raised when a record changes so that older code would misread it. */
export const FORMAT = 2

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

/** Rows of a table in a batch. Only `countRows` makes them, so that every row read is accounted for (I10). */
export const rowCounts = z
  .object({
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
  .brand<'RowCounts'>()

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
  /** Evidence of the server's history, where it could be asked: see `SnapshotIdentity`. */
  startedAt: z.string().optional(),
  statisticsSince: z.string().optional(),
  wal: z.string().optional(),
  checkpoint: z.string().optional(),
})

/** What the record of either zone says about one table. */
const baseEntry = z.object({
  counts: rowCounts,
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
  /** The table stands still: none of its changes since have been accepted. */
  held: held.optional(),
})

/** A table of the source, or of a feed, in the ingestion zone. */
const ingestionEntry = baseEntry.extend({
  /** Rows the source holds beside `rows`, every version of which was refused. */
  withheld: z.number().int().positive().optional(),
  /** Feeds: the files this batch took, as they came. */
  archived: z.array(file).optional(),
  /** Schema and identity of the source table, see `schema/<table>/`. */
  fingerprint: z.string().optional(),
  /** The first of the batches in a row that have this fingerprint; missing in older lakes. */
  shapeSince: z.number().int().positive().optional(),
  /** Transaction ids do not show every change; the table is compared whole every time. */
  unversioned: z.boolean().optional(),
  /**
   * While the table is held: the snapshot up to which it was captured, if that is not the record's
   * own, and the one up to which its raw rows are in quarantine.
   */
  capturedTo: snapshot.optional(),
  archivedTo: snapshot.optional(),
  /** Deletions the brake holds back until the operator confirms them. */
  heldDeletes: z.number().int().optional(),
})

/** A star table in the processed zone. */
const processedEntry = baseEntry.extend({
  /** Facts: record ids given out so far. */
  records: z.number().int().optional(),
  /**
   * Facts: the first batch whose changes these are, if the fact was held before. A key may then
   * have several versions among them.
   */
  changesSince: z.number().int().positive().optional(),
  /** Rows this batch published although they break a check, by the check's name. */
  warnings: z.record(z.string(), z.number().int().positive()).optional(),
  /** The same for this batch and all before it: versions of a fact, changes of a dimension. */
  warningsSoFar: z.record(z.string(), z.number().int().positive()).optional(),
})

/** An entry as it is read: a record does not say which zone it is in. */
const tableEntry = ingestionEntry.extend(processedEntry.shape)

/** What a batch's commit record says beside its place in the log. */
const batchContent = z.object({
  snapshot,
  /** An entry for every table. */
  tables: z.record(z.string(), tableEntry),
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

const batchNumber = z.number().int().positive()
const checksum = z.string().length(64)

const common = batchContent.extend({ batch: batchNumber, previous: z.number().int().nonnegative() })

/**
 * Where the files of a table's state are listed: those of one record, then the changes of others.
 */
const stateReference = z.object({
  listedIn: batchNumber,
  changedIn: z.array(batchNumber),
})

/** An entry as it is stored: a state that its batch only added to is not listed again. */
const storedEntry = tableEntry.extend({ state: z.union([tableEntry.shape.state, stateReference]) })

/** A record of format 1 as stored: every table in every record, no checksum. Read, never written. */
export const unchainedRecord = common.extend({ format: z.literal(1) })

/** A record as it is stored, see `commit-text.ts`. */
export const chainedRecord = common.extend({
  tables: z.record(z.string(), storedEntry),
  format: z.literal(FORMAT),
  lake: z.uuid().optional(),
  previousChecksum: checksum.optional(),
  madeFrom: checksum.optional(),
  standing: z
    .object({
      complete: batchNumber,
      tables: z.record(z.string(), batchNumber),
      ignored: batchNumber.optional(),
    })
    .optional(),
  checksum,
})

export type FileRef = z.infer<typeof file>
export type StateFile = z.infer<typeof stateFile>
export type RowCounts = z.infer<typeof rowCounts>
export type TableEntry = z.infer<typeof tableEntry>
export type IngestionEntry = z.infer<typeof ingestionEntry>
export type ProcessedEntry = z.infer<typeof processedEntry>
export type Hold = z.infer<typeof held>
export type SnapshotInfo = z.infer<typeof snapshot>
export type StoredEntry = z.infer<typeof storedEntry>
export type StateReference = z.infer<typeof stateReference>
export type BatchContent = z.infer<typeof batchContent>

/** Which batches' records describe a table. */
export interface TablePlace {
  /** The batch whose record holds its entry. */
  readonly entry: number
  /**
   * The batch whose record lists its state's files, and the later ones that added to it, in order.
   */
  readonly state: StateReference
}

/** Where the content of a record is stored: in itself, or in the records of earlier batches. */
export interface Standing {
  /** The newest batch whose record holds an entry for every table. */
  readonly complete: number
  readonly tables: Readonly<Record<string, TablePlace>>
  /** The batch whose record lists what is ignored. */
  readonly ignored: number
}

/** A batch that exists, with an entry for every table, whichever record holds it. */
export interface CommitRecord extends BatchContent {
  /** Identity of the lake, made with its first record; undefined before format 2. */
  readonly lake: string | undefined
  readonly batch: number
  readonly previous: number
  /** Checksum of the record before; undefined for the first batch, and before format 2. */
  readonly previousChecksum: string | undefined
  /**
   * Processed zone: checksum of the ingestion record it was made from; undefined before format 2.
   */
  readonly madeFrom: string | undefined
  /** SHA-256 by which the next record, and the next stage, refer to this one. */
  readonly checksum: string
  readonly standing: Standing
}

/** The error for a commit record that is not what was written. */
export function damaged(key: string, why: string, cause?: unknown): ContractError {
  return new ContractError(`The commit record ${key} is damaged: ${why}`, {
    code: 'LAKE_DAMAGED',
    hint: 'restore the object from a backup of the zone; nothing was written',
    cause,
  })
}
