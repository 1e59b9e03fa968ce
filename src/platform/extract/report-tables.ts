import type { Deps } from '../deps.ts'
import type { CommitRecord, TableEntry } from '../lake/commit-record.ts'
import { DEFERRED } from '../lake/held.ts'
import { diffSchemas, isEmptyDifference } from '../lake/schema-difference.ts'
import { type ArchivedSchema, prepareSchema, readArchivedSchema } from '../lake/schema.ts'
import type { Zone } from '../lake/zone.ts'
import type { SourceTable } from '../project/source-contract.ts'
import { LOCKED } from '../source/lock.ts'
import type { TableShape } from '../source/table-shape.ts'
import { own } from '../project/named-record.ts'

/**
 * Logs when a table is held, when the reason changes and when the table is released. Deletions that
 * the brake holds are logged with every run. A deferred table is logged elsewhere.
 */
export function reportHeld(
  deps: Deps,
  { tables, last }: { tables: Record<string, TableEntry>; last: CommitRecord | undefined },
): void {
  for (const [table, { held, heldDeletes: deletes, rows }] of Object.entries(tables)) {
    const before = last?.tables[table]
    if (held !== undefined && before?.held?.detail !== held.detail) {
      const { reason, detail } = held
      // A lock ends by itself, so nobody needs to act.
      const level = reason === LOCKED ? 'warn' : 'alert'
      if (reason !== DEFERRED) deps.log({ event: 'table_held', level, table, reason, detail })
    }
    if (held === undefined && before?.held !== undefined) {
      deps.log({ event: 'table_released', table, since: before.held.sinceAt })
    }
    if (deletes !== undefined) {
      deps.log({ event: 'deletes_held', level: 'alert', table, deletes, rows })
    }
  }
}

/**
 * Logs once each relation beside the captured tables that the contract does not name.
 */
export function reportIgnored(
  deps: Deps,
  { ignored, last }: { ignored: readonly string[]; last: CommitRecord | undefined },
): void {
  const known = new Set(last?.ignored)
  for (const relation of ignored) {
    if (!known.has(relation)) deps.log({ event: 'table_ignored', relation })
  }
}

/**
 * Archives a table's schema if it is new, and logs how it differs from the one before. Objects are
 * written before the batch that names them.
 */
export async function archiveShape(
  deps: Deps,
  zone: Zone,
  {
    table,
    shape,
    previous,
    entry,
  }: {
    table: SourceTable
    shape: TableShape | undefined
    previous: TableEntry | undefined
    entry: TableEntry | undefined
  },
): Promise<void> {
  const isCaptured = shape !== undefined && entry?.fingerprint === shape.fingerprint
  if (!isCaptured || previous?.fingerprint === shape.fingerprint) return
  await prepareSchema(zone, archived(table, shape))
  if (previous?.fingerprint === undefined) return
  const before = await readArchivedSchema(zone, table.name, previous.fingerprint)
  const difference = diffSchemas(before, shape)
  if (isEmptyDifference(difference)) return
  const names = (columns: readonly { name: string }[]) => columns.map(({ name }) => name)
  deps.log({
    event: 'shape_changed',
    table: table.name,
    added: names(difference.added),
    removed: names(difference.removed),
    changed: difference.changed.map(({ column }) => column),
    reordered: difference.reordered,
  })
}

/** A table's schema with what a mirror must know about the table later. */
export function archived(table: SourceTable, shape: TableShape): ArchivedSchema {
  const { schema, relation, isByContent, description, descriptions } = table
  const { key, fingerprint } = shape
  const columns = shape.columns.map((column) => {
    const said = own(descriptions, column.name)
    return { ...column, ...(said !== undefined && { description: said }) }
  })
  return {
    table: table.name,
    key,
    fingerprint,
    columns,
    ...(schema !== undefined && { schema }),
    ...(relation !== undefined && { relation }),
    ...(isByContent !== undefined && { isByContent }),
    ...(description !== undefined && { description }),
  }
}
