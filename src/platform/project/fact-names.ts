import type { Fact, HistoryColumns } from './model.ts'
import { shortName } from './names.ts'

const STANDARD: HistoryColumns = {
  operation: 'record_operation',
  recordedAt: 'recorded_at',
  batch: 'batch_id',
  version: 'version',
  validFrom: 'valid_from',
  validTo: 'valid_to',
  isCurrent: 'is_current',
}

/** The names of the columns that tell a fact's history. */
export function historyColumns({ history }: Pick<Fact, 'history'>): HistoryColumns {
  return history === undefined ? STANDARD : { ...STANDARD, ...history }
}

/**
 * The operations that a version of a fact can have. A row that the source still has, but that the
 * model no longer selects, leaves.
 */
export function operationsOf({ follows }: Pick<Fact, 'follows'>): string[] {
  return ['insert', 'update', 'delete', ...(follows === undefined ? [] : ['leave'])]
}

/** SQL condition that a version is a row, and not the end of one. `operation` is its column. */
export function isPresent({ follows }: Pick<Fact, 'follows'>, operation: string): string {
  return follows === undefined
    ? `${operation} <> 'delete'`
    : `${operation} not in ('delete', 'leave')`
}

/** SQL condition that a version is the end of a row. `operation` is its column. */
export function isGone({ follows }: Pick<Fact, 'follows'>, operation: string): string {
  return follows === undefined ? `${operation} = 'delete'` : `${operation} in ('delete', 'leave')`
}

/** The columns of the history that are stored with each version. */
export function storedHistory(fact: Pick<Fact, 'history'>): string[] {
  const { operation, recordedAt, batch } = historyColumns(fact)
  return [operation, recordedAt, batch]
}

/** Whether a column of the source may have the name of a column that is stored with each version. */
export function mayTellHistory(column: string): boolean {
  const { operation, recordedAt, batch } = STANDARD
  const name = column.toLowerCase()
  return [operation, recordedAt, batch, 'record_id'].includes(name) || name.startsWith('tidemark_')
}

/** The columns that the history view adds to the stored ones. */
export function viewedHistory(fact: Pick<Fact, 'history'>): string[] {
  const { version, validFrom, validTo, isCurrent } = historyColumns(fact)
  return [version, validFrom, validTo, isCurrent]
}

/**
 * The columns of a history for a table that has columns with the usual names: a column of the source
 * keeps its name, and the column of the history gets the prefix `tidemark_`. Undefined if no name is
 * taken. Names are compared without case, because DuckDB compares them so.
 */
export function historyBeside(columns: readonly string[]): Partial<HistoryColumns> | undefined {
  const taken = new Set(columns.map((name) => name.toLowerCase()))
  const moved = Object.entries(STANDARD).flatMap(([field, name]: [string, string]) =>
    taken.has(name) ? [[field, freeName(name, taken)]] : [],
  )
  return moved.length === 0 ? undefined : Object.fromEntries(moved)
}

/** A name, or the first of `tidemark_<name>`, `tidemark_tidemark_<name>` … that is not taken. */
export function freeName(name: string, taken: ReadonlySet<string>): string {
  return taken.has(name) ? freeName(`tidemark_${name}`, taken) : name
}

/** The table of a fact's current rows. */
export function currentTable({ table }: Pick<Fact, 'table'>): string {
  return shortName(table, '_current')
}

/** The view of a fact's versions with the time for which each was valid. */
export function historyView({ table }: Pick<Fact, 'table'>): string {
  return shortName(table, '_history')
}

/** The function that returns a fact's rows as of a moment. */
export function asOfFunction({ table }: Pick<Fact, 'table'>): string {
  return shortName(table, '_as_of')
}

/** The function that returns a fact's rows as of a batch. */
export function asOfBatchFunction({ table }: Pick<Fact, 'table'>): string {
  return shortName(table, '_as_of_batch')
}

/** The unique index of a fact's versions by key. */
export function keyIndex({ table }: Pick<Fact, 'table'>): string {
  return shortName(table, '_key_idx')
}

/** The index of a fact's updates and deletions. */
export function changesIndex({ table }: Pick<Fact, 'table'>): string {
  return shortName(table, '_changes_idx')
}

/** The index of a fact's versions by the moment of their capture. */
export function momentIndex({ table }: Pick<Fact, 'table'>): string {
  return shortName(table, '_moment_idx')
}
