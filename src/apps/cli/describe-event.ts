import { formatCount, formatNumber } from '../format.ts'
import { APP_EVENTS, type AppLogEntry } from '../log.ts'

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
  /** The same for several tables: steps in a row with an equal `say` become one line. */
  readonly together?: { readonly name: string; readonly say: string }
}

/** Words for an event, or `undefined` if a person need not know about it. */
export function describeEvent(entry: AppLogEntry): Told | undefined {
  if (entry.level === 'alert') {
    return { text: `! ${describeAlert(entry)}`, as: 'step', style: 'red' }
  }
  if (entry.event === 'rows_read') {
    return { text: `reading ${entry.table}: ${formatCount(entry.rows)} rows`, as: 'progress' }
  }
  if (entry.event === 'table_verified') {
    return { text: `comparing ${entry.table} (${entry.where})`, as: 'progress' }
  }
  if (entry.event === 'rebuild_progress') {
    const { zone, batch, of, rows } = entry
    const what = zone === 'processed' ? 'making the processed zone again' : 'loading the warehouse'
    const read = rows === undefined ? '' : `, ${formatNumber(rows, 'row')}`
    return {
      text: `${what}: batch ${formatCount(batch)} of ${formatCount(of)}${read}`,
      as: 'progress',
    }
  }
  if (entry.event === 'table_hashed') return { text: `hashing ${entry.table}`, as: 'progress' }
  if (entry.event === 'edition_begun') {
    const { generation, batches } = entry
    const what = `the processed zone is made again from ${formatNumber(batches, 'batch', 'batches')}`
    return { text: `${what}, as ${generation}; the one before stays as it is`, as: 'step' }
  }
  if (entry.event === 'table_captured' && entry.read >= 100_000) {
    return { text: `✓ ${entry.table}: ${formatCount(entry.read)} rows read`, as: 'step' }
  }
  if (entry.event === 'generation_announced') {
    const { batch, why } = entry
    const what = `the warehouse is made again from ${formatNumber(batch, 'batch', 'batches')}`
    return { text: `${what}: ${why.join('; ')}`, as: 'step' }
  }
  if (entry.event === 'batch_prepared') {
    const { batch, of } = entry
    return { text: `loading batch ${formatCount(batch)} of ${formatCount(of)}`, as: 'progress' }
  }
  if (entry.event === 'replaced_in_place') {
    const what = 'the content of the warehouse is replaced in place, which takes longer'
    return { text: `${what}: ${entry.why}`, as: 'step', style: 'dim' }
  }
  if (entry.event === 'table_released') {
    return { text: `✓ ${entry.table} is no longer held`, as: 'step' }
  }
  if (entry.event === 'table_compared_whole') {
    return aside(entry.table, {
      says: `is compared as a whole: ${entry.why}`,
      say: `are compared as a whole: ${entry.why}`,
    })
  }
  if (entry.event === 'shape_changed') {
    return aside(entry.table, {
      says: 'has a new schema: tidemark catalog',
      say: 'have a new schema: tidemark catalog',
    })
  }
  if (entry.event === 'table_ignored') {
    return aside(entry.relation, {
      says: 'is not one of the tables to capture, and is left alone',
      say: 'are not among the tables to capture, and are left alone',
    })
  }
  return describeWarning(entry)
}

/** A step about one table, with the words for several. */
function aside(name: string, { says, say }: { says: string; say: string }): Told {
  return { text: `${name} ${says}`, as: 'step', style: 'dim', together: { name, say } }
}

function describeWarning(entry: AppLogEntry): Told | undefined {
  const warning = { as: 'step', style: 'yellow' } as const
  if (entry.event === 'table_failed') {
    const { table, code, message, hint } = entry
    return {
      ...warning,
      text: `${table}: ${message.replace(`Table ${table}: `, '')}`,
      next: hint === undefined ? undefined : `Next: ${hint}`,
      once: `${table} ${code}`,
    }
  }
  if (entry.event === 'feed_unreachable') {
    return {
      ...warning,
      text: `${entry.reason}; the last known values are used`,
      once: `${entry.table} ${entry.code}`,
    }
  }
  if (entry.event === 'report_failed') {
    const { report, code, message, hint } = entry
    const next = hint === undefined ? undefined : `Next: ${hint}`
    return { ...warning, text: `${report}: ${message}`, next, once: `${report} ${code}` }
  }
  if (entry.event === 'alert_failed') {
    const { channel, code, message, hint } = entry
    const next = hint === undefined ? undefined : `Next: ${hint}`
    return {
      ...warning,
      text: `No alert by ${channel} now: ${message}`,
      next,
      once: `${channel} ${code}`,
    }
  }
  if (entry.event === 'secrets_found') {
    const { columns } = entry
    const shown = columns.slice(0, 5).join(', ')
    const more = columns.length > 5 ? ` and ${columns.length - 5} more` : ''
    return {
      ...warning,
      text: `${formatNumber(columns.length, 'column')} that may hold secrets: ${shown}${more}. The lake keeps what it captures.`,
      next: `To leave ${columns.length === 1 ? 'it' : 'them'} out from now on: TIDEMARK_EXCLUDE='${columns.slice(0, 5).join(' ')}'`,
    }
  }
  if (entry.event !== 'reader_unbounded') return undefined
  const { what, fix } = entry
  const text = `The warehouse's reader: ${what}. An administrator can change that: ${fix}`
  return { ...warning, text }
}

function describeAlert(entry: AppLogEntry): string {
  if (entry.event === 'deletes_held') {
    const { table, deletes, rows } = entry
    return (
      `${table}: ${formatCount(deletes)} of ${formatNumber(rows, 'row')} are gone from the source; ` +
      `the deletions are held. If that is right: tidemark run --confirm-deletes ${table}`
    )
  }
  if (entry.event === 'rows_quarantined') {
    const { table, rows, batch, reasons } = entry
    return (
      `${table}: ${formatNumber(rows, 'row')} of batch ${batch} went to quarantine ` +
      `(${reasons.join(',')}). See them: tidemark quarantine list`
    )
  }
  if (entry.event === 'table_held') {
    return (
      `${entry.table} is held: ${entry.detail}. All other tables go on. ` +
      'Once this is fixed, the next run catches up.'
    )
  }
  if (entry.event === 'warehouse_restored') {
    return (
      `the warehouse had lost ${entry.relations.join(',')}. They were made again from the rest. ` +
      'Check them: tidemark verify'
    )
  }
  if (entry.event === 'report_broken') return `${entry.report}: ${entry.faults.join('; ')}`
  if (entry.event === 'report_failed' || entry.event === 'reports_unreadable') {
    const name = entry.event === 'report_failed' ? `${entry.report}: ` : ''
    return `${name}${entry.message}${entry.hint === undefined ? '' : `. Next: ${entry.hint}`}`
  }
  if (entry.event === 'recipient_refused') {
    return `${entry.report}, recipient ${entry.recipient}: ${entry.message}`
  }
  return APP_EVENTS[entry.event].says
}
