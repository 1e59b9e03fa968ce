import type { LogEntry } from '../../platform/log.ts'
import { formatCount, formatNumber } from './format.ts'

/** What a person is told about an event of the log. */
export interface Told {
  readonly text: string
  /** Progress replaces the progress before it; a step stays on the screen. */
  readonly as: 'progress' | 'step'
  readonly style?: 'red' | 'yellow' | 'dim'
  /** A line below, such as the next command. */
  readonly next?: string | undefined
  /** Repeated events with the same words here are told once. */
  readonly once?: string
}

/** Words for an event, or `undefined` if a person need not know about it. */
export function describeEvent(entry: LogEntry): Told | undefined {
  if (entry.level === 'alert') {
    return { text: `! ${describeAlert(entry)}`, as: 'step', style: 'red' }
  }
  return EVENTS[entry.event]?.(entry)
}

const EVENTS: Readonly<Record<string, (entry: LogEntry) => Told | undefined>> = {
  rows_read: (entry) => ({
    text: `reading ${word(entry, 'table')}: ${count(entry, 'rows')} rows`,
    as: 'progress',
  }),
  table_verified: (entry) => ({
    text: `comparing ${word(entry, 'table')} (${word(entry, 'where')})`,
    as: 'progress',
  }),
  table_captured: (entry) =>
    Number(entry['read']) < 100_000
      ? undefined
      : { text: `✓ ${word(entry, 'table')}: ${count(entry, 'read')} rows read`, as: 'step' },
  table_compared_whole: (entry) => ({
    text: `${word(entry, 'table')} is compared as a whole: ${word(entry, 'why')}`,
    as: 'step',
    style: 'dim',
  }),
  table_failed(entry) {
    const table = word(entry, 'table')
    const hint = entry['hint']
    return {
      text: `${table}: ${word(entry, 'message').replace(`Table ${table}: `, '')}`,
      as: 'step',
      style: 'yellow',
      next: typeof hint === 'string' ? `Next: ${hint}` : undefined,
      once: `${table} ${word(entry, 'code')}`,
    }
  },
  table_released: (entry) => ({
    text: `✓ ${word(entry, 'table')} is no longer held back`,
    as: 'step',
  }),
  shape_changed: (entry) => ({
    text: `${word(entry, 'table')} has a new schema: tidemark catalog`,
    as: 'step',
    style: 'dim',
  }),
  table_ignored: (entry) => ({
    text: `${word(entry, 'relation')} has no contract and is left alone`,
    as: 'step',
    style: 'dim',
  }),
  feed_unreachable: (entry) => ({
    text: `${word(entry, 'reason')}; the last known values are used`,
    as: 'step',
    style: 'yellow',
    once: `${word(entry, 'table')} ${word(entry, 'code')}`,
  }),
  reader_unbounded: (entry) => ({
    text: `The warehouse's reader: ${word(entry, 'what')}. An administrator can change that: ${word(entry, 'fix')}`,
    as: 'step',
    style: 'yellow',
  }),
}

function describeAlert(entry: LogEntry): string {
  const table = word(entry, 'table')
  const rows = formatNumber(Number(entry['rows']), 'row')
  switch (entry.event) {
    case 'deletes_held':
      return (
        `${table}: ${count(entry, 'deletes')} of ${rows} are gone from the source; ` +
        `the deletions are held back. If that is right: tidemark run --confirm-deletes ${table}`
      )
    case 'rows_quarantined':
      return (
        `${table}: ${rows} of batch ${word(entry, 'batch')} went to quarantine ` +
        `(${word(entry, 'reasons')}). See them: tidemark quarantine list`
      )
    case 'table_held':
      return (
        `${table} is held back: ${word(entry, 'detail')}. All other tables go on. ` +
        'Once this is fixed, the next run catches up.'
      )
    case 'warehouse_restored':
      return (
        `the warehouse had lost ${word(entry, 'relations')}. They were made again from the rest. ` +
        'Check them: tidemark verify'
      )
    default:
      return entry.event
  }
}

function word(entry: LogEntry, field: string): string {
  return String(entry[field])
}

function count(entry: LogEntry, field: string): string {
  return formatCount(Number(entry[field]))
}
