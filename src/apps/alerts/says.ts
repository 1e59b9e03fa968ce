/**
 * What has happened, as one sentence for each kind of cause. Alerts on one machine and the alarms of
 * the deployment on AWS say the same.
 */
export const SAYS = {
  failed: 'A run failed; nothing was half-published.',
  held: 'A table broke its contract and is held; the others go on.',
  deletes:
    'So many rows of a table vanished at once that their deletion waits for your confirmation.',
  quarantined: 'Rows could not be stored and are in quarantine; the others went on.',
  silent: 'The process that should run does not.',
} as const

/** The sentence for a warehouse that is too old, with ages in minutes. */
export function saysStale({ after, promised }: { after: number; promised: number }): string {
  return `The warehouse is over ${after} minutes old, or no run reaches it; ${promised} are promised.`
}
