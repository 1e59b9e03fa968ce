import { isDeepStrictEqual } from 'node:util'
import {
  type BatchContent,
  type CommitRecord,
  damaged,
  type FileRef,
  type Standing,
  type StateFile,
  type StateReference,
  type StoredEntry,
  type TableEntry,
  type TablePlace,
} from './commit-record.ts'
import { carryOver } from './table-entry.ts'
import { namedRecord } from '../project/named-record.ts'

/** A record as stored. It holds entries only for the tables that its batch changed. */
export interface StoredRecord extends Omit<CommitRecord, 'standing' | 'tables'> {
  readonly tables: Readonly<Record<string, StoredEntry>>
  /**
   * Where the entries of the other tables are; undefined if the record itself holds every table.
   */
  readonly standing: StoredStanding | undefined
}

/** The batches whose records hold the rest of a stored record. */
export interface StoredStanding {
  /** The newest batch whose record holds every table. */
  readonly complete: number
  /** For each table that changed since, but not in this batch, the batch that changed it last. */
  readonly tables: Readonly<Record<string, number>>
  readonly ignored?: number | undefined
}

/**
 * How many tables a record may refer to by the batch that changed them. Beyond that it holds every
 * table again.
 */
const MAX_ELSEWHERE = 64

/** A batch's content, divided between its own record and the records of earlier batches. */
export interface SplitContent {
  /** The entries that the record itself holds. */
  readonly stored: Readonly<Record<string, StoredEntry>>
  readonly elsewhere: StoredStanding | undefined
  readonly standing: Standing
}

/**
 * Divides a batch's content between its own record and the records of earlier batches. The record
 * holds every entry that was not merely carried over from the batch before. If the batch only added
 * files to a table's state, the entry refers to the older list instead of repeating it. So a record
 * grows with its batch's changes, not with the number of tables.
 */
export function splitContent(
  content: BatchContent,
  previous: CommitRecord | undefined,
): SplitContent {
  const { tables, ignored } = content
  const whole = (): SplitContent => {
    const batch = (previous?.batch ?? 0) + 1
    return { stored: tables, elsewhere: undefined, standing: completeStanding(batch, tables) }
  }
  if (previous === undefined) return whole()
  if (Object.keys(previous.tables).some((name) => !(name in tables))) return whole()

  const batch = previous.batch + 1
  const places = namedRecord<TablePlace>()
  const stored = namedRecord<StoredEntry>()
  const elsewhere = namedRecord<number>()
  for (const [name, entry] of Object.entries(tables)) {
    const [before, place] = [previous.tables[name], previous.standing.tables[name]]
    if (before !== undefined && place !== undefined && isCarriedOver(entry, before)) {
      places[name] = place
      if (place.entry > previous.standing.complete) elsewhere[name] = place.entry
      continue
    }
    const state = place && before && extendReference(entry, { before, place, batch })
    places[name] = { entry: batch, state: state ?? { listedIn: batch, changedIn: [] } }
    stored[name] = state === undefined ? entry : { ...entry, state }
  }
  if (Object.keys(elsewhere).length > MAX_ELSEWHERE) return whole()
  const { complete } = previous.standing
  const isSame = isDeepStrictEqual(ignored, previous.ignored)
  const ignoredIn = isSame ? previous.standing.ignored : batch
  return {
    stored,
    elsewhere: {
      complete,
      tables: elsewhere,
      ...(ignoredIn === complete ? {} : { ignored: ignoredIn }),
    },
    standing: { complete, tables: places, ignored: ignoredIn },
  }
}

/** The `standing` of a record that itself holds every table. */
function completeStanding(batch: number, tables: Readonly<Record<string, unknown>>): Standing {
  const place = { entry: batch, state: { listedIn: batch, changedIn: [] } }
  const places = Object.keys(tables).map((name) => [name, place] as const)
  return { complete: batch, tables: namedRecord(places), ignored: batch }
}

/** Whether an entry only carries over the entry of the batch before. */
function isCarriedOver(entry: TableEntry, before: TableEntry): boolean {
  return isDeepStrictEqual(storedFields(entry), storedFields(carryOver(before)))
}

/** The fields that JSON keeps: an entry may have others that are undefined. */
function storedFields(entry: TableEntry): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(entry).filter(([, value]) => value !== undefined))
}

/** A reference to the state, if the batch only added its changes to it; otherwise undefined. */
function extendReference(
  { state, changes }: TableEntry,
  { before, place, batch }: { before: TableEntry; place: TablePlace; batch: number },
): StateReference | undefined {
  if (!isDeepStrictEqual(state, [...before.state, ...asChanges(changes)])) return undefined
  const { listedIn, changedIn } = place.state
  return { listedIn, changedIn: changes.length === 0 ? changedIn : [...changedIn, batch] }
}

function asChanges(files: readonly FileRef[]): StateFile[] {
  return files.map((file) => ({ ...file, role: 'change' }))
}

/** Reads the stored record of a batch that must exist. */
export type ReadStored = (batch: number) => Promise<StoredRecord>

/**
 * Completes a stored record from the records that it refers to: an entry for every table, and every
 * file of each state. Throws `ContractError` (`LAKE_DAMAGED`), naming `key`, if one of those
 * records does not hold the entry or files it should.
 */
export async function completeRecord(
  stored: StoredRecord,
  { key, read }: { key: string; read: ReadStored },
): Promise<CommitRecord> {
  const complete = stored.standing === undefined ? stored : await read(stored.standing.complete)
  const places = namedRecord<TablePlace>()
  const tables = namedRecord<TableEntry>()
  const locate = new Map(Object.keys(complete.tables).map((name) => [name, complete.batch]))
  for (const [name, batch] of Object.entries(stored.standing?.tables ?? {})) locate.set(name, batch)
  for (const name of Object.keys(stored.tables)) locate.set(name, stored.batch)
  await Promise.all(
    [...locate].map(async ([name, batch]) => {
      const holder = batch === stored.batch ? stored : await read(batch)
      const entry = holder.tables[name]
      if (entry === undefined) throw damaged(key, `batch ${batch} does not list ${name}`)
      const found = await completeEntry(entry, { key, name, holder, read })
      tables[name] = batch === stored.batch ? found.entry : carryOver(found.entry)
      places[name] = { entry: batch, state: found.state }
    }),
  )
  const ignoredIn = stored.standing?.ignored ?? complete.batch
  const { ignored } = ignoredIn === stored.batch ? stored : await read(ignoredIn)
  const names = [...locate.keys()]
  return {
    ...stored,
    tables: pick(tables, names),
    standing: { complete: complete.batch, tables: pick(places, names), ignored: ignoredIn },
    ignored,
  }
}

/** The values in the order of `names`, independent of the order in which they were read. */
function pick<Value>(
  values: Record<string, Value>,
  names: readonly string[],
): Record<string, Value> {
  return namedRecord(
    names.flatMap((name): [string, Value][] => {
      const value = values[name]
      return value === undefined ? [] : [[name, value]]
    }),
  )
}

interface EntryPlace {
  readonly key: string
  readonly name: string
  readonly holder: StoredRecord
  readonly read: ReadStored
}

async function completeEntry(
  entry: StoredEntry,
  { key, name, holder, read }: EntryPlace,
): Promise<{ entry: TableEntry; state: StateReference }> {
  const { state } = entry
  if (Array.isArray(state)) {
    return { entry: { ...entry, state }, state: { listedIn: holder.batch, changedIn: [] } }
  }
  const entryIn = async (batch: number): Promise<StoredEntry> => {
    const found = (batch === holder.batch ? holder : await read(batch)).tables[name]
    if (found === undefined) throw damaged(key, `batch ${batch} does not list ${name}`)
    return found
  }
  const [listed, ...later] = await Promise.all([state.listedIn, ...state.changedIn].map(entryIn))
  if (listed === undefined || !Array.isArray(listed.state)) {
    throw damaged(key, `batch ${state.listedIn} does not list the files of ${name}`)
  }
  const files = [...listed.state, ...later.flatMap(({ changes }) => asChanges(changes))]
  return { entry: { ...entry, state: files }, state }
}
