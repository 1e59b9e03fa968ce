/** The namespace of all metrics in CloudWatch. */
export const NAMESPACE = 'Tidemark'

/** The value of the dimension `service` of every metric. */
export const SERVICE = 'tidemark'

/**
 * What the functions measure, as CloudWatch sees it. Each is written to the log in the embedded metric
 * format, with one dimension `service`. Alarms use these names.
 */
export const METRICS = {
  /**
   * Age of the moment up to which the warehouse is proven complete. Written by every run that reached
   * the warehouse, even if nothing changed, and by no other.
   */
  freshness: { name: 'FreshnessSeconds', unit: 'Seconds' },
  /**
   * Each change that this run loaded was visible at most so long after its commit. Written by a run
   * that loaded something, if it is known.
   */
  delay: { name: 'DelaySeconds', unit: 'Seconds' },
  /** Rows that this run put into quarantine; 0 if there were none. */
  quarantined: { name: 'RowsQuarantined', unit: 'Count' },
  /** Tables held because they broke their contract. Every extract and transform writes it. */
  held: { name: 'TablesHeld', unit: 'Count' },
  /** Tables in which so many rows vanished at once that their deletion waits to be confirmed. */
  deletesHeld: { name: 'DeletesHeld', unit: 'Count' },
  /** Inserts, updates and deletes that this run captured. */
  changed: { name: 'RowsChanged', unit: 'Count' },
  /** Feeds that this collection could not reach or read; it collected the others. */
  feedsUnreachable: { name: 'FeedsUnreachable', unit: 'Count' },
  /** Reports and thresholds that could not be sent now, or whose declaration is not valid. */
  reportsFailed: { name: 'ReportsFailed', unit: 'Count' },
  /** The largest share of the function's memory that was in use. */
  memory: { name: 'MemoryUsedPercent', unit: 'Percent' },
} as const
