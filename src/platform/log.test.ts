import { expect, it } from 'vitest'
import { describeEvents, type EntryOf, fieldsOf, type Log, type LogEntry } from './log.ts'

/** The compiler checks these entries: `npm run types` fails if it accepts a line by mistake. */
it('Log accepts an event with its own level and fields, and nothing else', () => {
  const entries: LogEntry[] = []
  const log: Log = (entry) => entries.push(entry)
  log({ event: 'rows_read', batch: 1, table: 'thing', rows: 3 })
  log({ event: 'table_failed', level: 'warn', batch: 1, table: 'a', code: 'B', message: 'c' })
  log({ event: 'table_held', level: 'alert', table: 'a', reason: 'b', detail: 'c' })
  expect(entries).toHaveLength(3)

  // @ts-expect-error an event without a description
  log({ event: 'rows_red', batch: 1, table: 'thing', rows: 3 })
  // @ts-expect-error a missing field
  log({ event: 'rows_read', batch: 1, table: 'thing' })
  // @ts-expect-error a misspelt field
  log({ event: 'rows_read', batch: 1, table: 'thing', row: 3 })
  // @ts-expect-error an extra field
  log({ event: 'rows_read', batch: 1, table: 'thing', rows: 3, key: 7 })
  // @ts-expect-error a value of another type
  log({ event: 'rows_read', batch: 1, table: 'thing', rows: '3' })
  // @ts-expect-error a level for an event that has none
  log({ event: 'rows_read', level: 'warn', batch: 1, table: 'thing', rows: 3 })
  // @ts-expect-error no level for an event that needs one
  log({ event: 'table_deferred', batch: 1, table: 'thing' })
  // @ts-expect-error a level that the event does not have
  log({ event: 'table_deferred', level: 'alert', batch: 1, table: 'thing' })
})

it('the name of an event determines the fields of its entry', () => {
  const read = (entry: LogEntry): number | undefined => {
    // @ts-expect-error some entries have no rows
    void entry.rows
    return entry.event === 'rows_read' ? entry.rows : undefined
  }
  expect(read({ event: 'rows_read', batch: 1, table: 'thing', rows: 3 })).toBe(3)
  expect(read({ event: 'table_ignored', relation: 'public.other' })).toBeUndefined()
})

it('fieldsOf() accepts exactly the fields of a record', () => {
  interface Swept {
    readonly zone: 'ingestion' | 'processed'
    readonly rows: number
    readonly hint?: string
  }
  const events = {
    swept: {
      levels: ['info'],
      says: 'It is done.',
      fields: fieldsOf<Swept>({ zone: {}, rows: {}, 'hint?': {} }),
    },
  } as const
  const entry: EntryOf<typeof events> = { event: 'swept', zone: 'ingestion', rows: 3 }
  expect(entry.zone).toBe('ingestion')
  // @ts-expect-error a field of another type
  const wrong: EntryOf<typeof events> = { event: 'swept', zone: 'elsewhere', rows: 3 }
  void wrong
  // @ts-expect-error a field is missing
  fieldsOf<Swept>({ zone: {}, 'hint?': {} })
  // @ts-expect-error an optional field is not marked
  fieldsOf<Swept>({ zone: {}, rows: {}, hint: {} })
  // @ts-expect-error an extra field of a record
  fieldsOf<Swept>({ zone: {}, rows: {}, 'hint?': {}, more: {} })
  expect(describeEvents(events)).toContain(
    '| `swept` | info | It is done. | `zone`, `rows`, `hint?` |',
  )
})
