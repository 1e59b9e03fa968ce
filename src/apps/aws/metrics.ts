/**
 * What the functions measure, as CloudWatch sees it: each is written to the log in the embedded
 * metric format, in this namespace, with one dimension `service`. Alarms are on these names.
 */
export const NAMESPACE = 'Tidemark'

/** The value of the dimension `service` of every metric. */
export const SERVICE = 'tidemark'

export const METRICS = {
  /**
   * Age of what the warehouse is proven complete to. By every run that reached the warehouse,
   * also when nothing changed; by none that did not.
   */
  freshness: { name: 'FreshnessSeconds', unit: 'Seconds' },
  /** Rows put into quarantine by this run, 0 when none. */
  quarantined: { name: 'RowsQuarantined', unit: 'Count' },
  /** Tables that stand still for a broken contract, by every extract and transform while they do. */
  held: { name: 'TablesHeld', unit: 'Count' },
  /** Tables of which so many rows vanished at once that their deletion waits to be confirmed. */
  deletesHeld: { name: 'DeletesHeld', unit: 'Count' },
  /** Inserts, updates and deletes captured by this run. */
  changed: { name: 'RowsChanged', unit: 'Count' },
  /** Feeds that could not be asked or read by this collect; the rest was collected. */
  feedsUnreachable: { name: 'FeedsUnreachable', unit: 'Count' },
  /** The most memory of the function's that was in use. */
  memory: { name: 'MemoryUsedPercent', unit: 'Percent' },
} as const
