import * as z from 'zod'
import { ContractError } from '../errors.ts'
import { namedRecord } from '../project/named-record.ts'

/** The format of new records. Raise it if older code would misread them. */
export const FORMAT = 2

const file = z.object({
  key: z.string(),
  rows: z.number().int().nonnegative(),
  bytes: z.number().int().nonnegative(),
  sha256: z.string().length(64),
})

/**
 * A file of a table's state. `base`: every row as of some batch. `delta`: the last change of every
 * key since the base. `change`: one batch's changes since the delta.
 */
const stateFile = file.extend({ role: z.enum(['base', 'delta', 'change']) })

/**
 * Counts of a table's rows in a batch. Only `countRows` makes them, so that every row read is
 * accounted for (I10).
 */
export const rowCounts = z
  .object({
    /** read = accepted + unchanged + quarantined (I10). */
    read: z.number().int(),
    accepted: z.number().int(),
    unchanged: z.number().int(),
    quarantined: z.number().int(),
    /**
     * The accepted rows, by operation. In the ingestion zone a deletion does not count as a row
     * read.
     */
    inserted: z.number().int(),
    updated: z.number().int(),
    deleted: z.number().int(),
  })
  .brand<'RowCounts'>()

/** Why a table is held, and since when. */
const held = z.object({
  /** Code for machines, such as `column_missing`. */
  reason: z.string(),
  /** One sentence for people: what was found, and what is required. */
  detail: z.string(),
  /** The first batch that did not take the table, and its moment. */
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
  /** Set if `takenAt` is a moment in the life of a simulated source, not the real time. */
  clock: z.literal('simulated').optional(),
  systemId: z.string(),
  timeline: z.number().int(),
  standby: z.boolean(),
  /** Evidence of the server's history, if this user may ask for it: see `SnapshotIdentity`. */
  startedAt: z.string().optional(),
  statisticsSince: z.string().optional(),
  wal: z.string().optional(),
  checkpoint: z.string().optional(),
})

/** The part of a table's entry that both zones have. */
const baseEntry = z.object({
  counts: rowCounts,
  /** This batch's changes. */
  changes: z.array(file),
  /** Rows that this batch put into quarantine, each with the reason. */
  quarantine: z.array(file),
  /** The quarantine after this batch: the last refused version of each key that has not left it. */
  open: z.array(file).default([]),
  /**
   * The table after this batch: base, then delta, then changes, each overriding the ones before.
   */
  state: z.array(stateFile),
  /** Rows in the table after this batch, without deleted rows. */
  rows: z.number().int(),
  /**
   * Identifies the table's schema, see `schema/<table>/`; in the ingestion zone also the source table.
   * Missing in a processed zone that an older version wrote.
   */
  fingerprint: z.string().optional(),
  /** Set while the table is held: none of its changes since then have been accepted. */
  held: held.optional(),
})

/** A table of the source, or of a feed, in the ingestion zone. */
const ingestionEntry = baseEntry.extend({
  /** Rows in the source that are missing from `rows`, because every version of them was refused. */
  withheld: z.number().int().positive().optional(),
  /** Feeds: the files that this batch took, unchanged. */
  archived: z.array(file).optional(),
  /** The batch since which the table has had this fingerprint; missing in older lakes. */
  shapeSince: z.number().int().positive().optional(),
  /** Transaction ids do not show every change, so the whole table is compared every time. */
  unversioned: z.boolean().optional(),
  /**
   * While the table is held: the snapshot up to which it was captured, if that is not the record's
   * own, and the snapshot up to which its raw rows are in quarantine.
   */
  capturedTo: snapshot.optional(),
  archivedTo: snapshot.optional(),
  /** Deletions that the brake holds until the operator confirms them. */
  heldDeletes: z.number().int().optional(),
})

/** A star table in the processed zone. */
const processedEntry = baseEntry.extend({
  /** Facts: the number of record ids assigned so far. */
  records: z.number().int().optional(),
  /**
   * Facts: the first batch whose changes this batch publishes, if the fact was held before. A key
   * may then have several versions among them.
   */
  changesSince: z.number().int().positive().optional(),
  /** Rows that this batch published although they break a check, by the check's name. */
  warnings: z.record(z.string(), z.number().int().positive()).optional(),
  /**
   * Like `warnings`, for this batch and all batches before it: versions of a fact, changes of a
   * dimension.
   */
  warningsSoFar: z.record(z.string(), z.number().int().positive()).optional(),
})

/** An entry of either zone. A record does not say which zone it is in. */
const tableEntry = ingestionEntry.extend(processedEntry.shape)

/** Values by the names of tables. `z.record` would drop a table called `__proto__`. */
function entriesByName<Value extends z.ZodType>(value: Value) {
  const isRecord = (given: unknown) =>
    typeof given === 'object' && given !== null && !Array.isArray(given)
  return z
    .custom<Readonly<Record<string, z.input<Value>>>>(isRecord)
    .transform((given, context) => {
      const entries = Object.entries(given).map(([name, each]) => {
        const parsed = value.safeParse(each)
        if (!parsed.success) context.addIssue({ code: 'custom', message: parsed.error.message })
        return [name, parsed.data as z.output<Value>] as const
      })
      return namedRecord(entries)
    })
}

/** The content of a commit record, without its place in the log. */
const batchContent = z.object({
  snapshot,
  /** An entry for every table. */
  tables: entriesByName(tableEntry),
  /**
   * Ingestion zone, a batch of feeds: when it was collected (ISO 8601 UTC). Such a batch says
   * nothing new about the database: it repeats the snapshot of the batch before.
   */
  collectedAt: z.string().optional(),
  /** Ingestion zone: relations in the captured schemas that no contract names. */
  ignored: z.array(z.string()).optional(),
  /** Ingestion zone: hash of the contract against which the source was checked. */
  contract: z.string().optional(),
  /** Processed zone: the data tests that ran, with the number of rows that break each. */
  tests: z.record(z.string(), z.number().int().nonnegative()).optional(),
  writer: z.object({ version: z.string(), runId: z.string() }),
})

const batchNumber = z.number().int().positive()
const checksum = z.string().length(64)

const common = batchContent.extend({ batch: batchNumber, previous: z.number().int().nonnegative() })

/**
 * Where the files of a table's state are listed: in one record, and in the changes of later ones.
 */
const stateReference = z.object({
  listedIn: batchNumber,
  changedIn: z.array(batchNumber),
})

/** An entry as stored. If its batch only added files to the state, the state is a reference. */
const storedEntry = tableEntry.extend({ state: z.union([tableEntry.shape.state, stateReference]) })

/**
 * A record of format 1 as stored: it holds every table and no checksum. It is read but never
 * written.
 */
export const unchainedRecord = common.extend({ format: z.literal(1) })

/** A record of the present format as stored, see `commit-text.ts`. */
export const chainedRecord = common.extend({
  tables: entriesByName(storedEntry),
  format: z.literal(FORMAT),
  lake: z.uuid().optional(),
  previousChecksum: checksum.optional(),
  madeFrom: checksum.optional(),
  standing: z
    .object({
      complete: batchNumber,
      tables: entriesByName(batchNumber),
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

/** The batches whose records describe a table. */
export interface TablePlace {
  /** The batch whose record holds its entry. */
  readonly entry: number
  /**
   * The batch whose record lists the files of its state, and the later batches that added to it, in
   * order.
   */
  readonly state: StateReference
}

/** Where a record's content is stored: in the record itself, or in records of earlier batches. */
export interface Standing {
  /** The newest batch whose record holds an entry for every table. */
  readonly complete: number
  readonly tables: Readonly<Record<string, TablePlace>>
  /** The batch whose record lists the ignored relations. */
  readonly ignored: number
}

/** A batch that exists. It has an entry for every table, whichever record stores it. */
export interface CommitRecord extends BatchContent {
  /** Identity of the lake, created with its first record; undefined before format 2. */
  readonly lake: string | undefined
  readonly batch: number
  readonly previous: number
  /** Checksum of the record before; undefined for the first batch and before format 2. */
  readonly previousChecksum: string | undefined
  /**
   * Processed zone: checksum of the ingestion record from which it was made; undefined before
   * format 2.
   */
  readonly madeFrom: string | undefined
  /** SHA-256 by which the next record and the next stage refer to this record. */
  readonly checksum: string
  readonly standing: Standing
}

/** The error for a commit record that differs from what was written. */
export function damaged(key: string, why: string, cause?: unknown): ContractError {
  return new ContractError(`The commit record ${key} is damaged: ${why}`, {
    code: 'LAKE_DAMAGED',
    hint: 'restore the object from a backup of the zone; nothing was written',
    cause,
  })
}
