/**
 * What identifies the moment a batch was read in, and the history which that moment belongs to.
 * Recorded in its commit record. An optional part is missing if the user may not ask for it, and in
 * records from versions that did not ask.
 */
export interface SnapshotIdentity {
  /** `pg_current_snapshot()`: 64-bit transaction ids as decimal text. */
  readonly xmin: string
  readonly xmax: string
  readonly inFlight: string[]
  /**
   * Everything committed before this is in the snapshot, ISO 8601 UTC. The source's clock at the
   * start of the transaction; on a standby, the time of the last commit it had replayed.
   */
  readonly takenAt: string
  /** Which cluster and database this is; empty if the user may not ask. */
  readonly systemId: string
  /** Which of the cluster's histories: each promotion begins another. 0 if the user may not ask. */
  readonly timeline: number
  readonly standby: boolean
  /** When the server was started. */
  readonly startedAt?: string | undefined
  /** Since when the server keeps statistics: they begin anew after a crash that it survived. */
  readonly statisticsSince?: string | undefined
  /**
   * Position in the write-ahead log: where a primary writes, up to where a standby has replayed.
   */
  readonly wal?: string | undefined
  /** Position of the last checkpoint. */
  readonly checkpoint?: string | undefined
}
