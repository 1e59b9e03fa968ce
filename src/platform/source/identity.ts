/**
 * Identifies the moment in which a batch was read, and the history to which that moment belongs. It
 * is recorded in the commit record. An optional part is missing if the user may not ask for it, and
 * in records from versions that did not ask.
 */
export interface SnapshotIdentity {
  /** `pg_current_snapshot()`: 64-bit transaction ids as decimal text. */
  readonly xmin: string
  readonly xmax: string
  readonly inFlight: string[]
  /**
   * Everything committed before this time is in the snapshot, ISO 8601 UTC. On a primary it is the
   * source's clock at the start of the transaction. On a standby it is the time of the last commit
   * that was replayed.
   */
  readonly takenAt: string
  /** Set if `takenAt` is a moment in the life of a simulated source, not the real time. */
  readonly clock?: 'simulated' | undefined
  /** Identifies cluster and database. Empty if the user may not ask. */
  readonly systemId: string
  /** The cluster's history: each promotion begins another. 0 if the user may not ask. */
  readonly timeline: number
  readonly standby: boolean
  /** When the server was started. */
  readonly startedAt?: string | undefined
  /**
   * Since when the server keeps statistics. They start again after a crash that the server
   * survived.
   */
  readonly statisticsSince?: string | undefined
  /**
   * Position in the write-ahead log: a primary's position for writing, or the last position that a
   * standby has replayed.
   */
  readonly wal?: string | undefined
  /** Position of the last checkpoint. */
  readonly checkpoint?: string | undefined
}
