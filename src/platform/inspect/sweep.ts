import { checkEnds, readHeads } from '../continuity.ts'
import { checkInterrupted, type Deps, ingestionZone } from '../deps.ts'
import { readLastCommit, readNamedFiles } from '../lake/batch-log.ts'
import type { ObjectStore } from '../lake/store/object-store.ts'
import type { Zone } from '../lake/zone.ts'

/** Which objects a sweep may take, and whether it removes them. */
export interface SweepOptions {
  /** Only objects last modified before this moment, so that a run's new objects are left alone. */
  readonly before: Date
  /** Whether to remove the orphans; otherwise they are only counted. */
  readonly remove: boolean
}

/** The result of a sweep in one zone. */
export interface SweptZone {
  readonly zone: 'ingestion' | 'processed'
  readonly location: string
  /** Objects in the zone, commit records included. */
  readonly objects: number
  /**
   * Objects that no commit record names, and unfinished uploads. Killed runs and losers of a race
   * leave them behind.
   */
  readonly orphans: number
  readonly orphanBytes: number
  /** How many orphans this call removed. */
  readonly removed: number
}

/**
 * Finds the objects that no commit record names, and removes them if asked. A data file's name
 * holds the number of its batch, and that batch's record decides about it, so memory does not grow
 * with the lake. Never touches a commit record, a schema, a file that a record names, or a name
 * that it does not know. May be repeated.
 *
 * Throws what `readHeads` and `checkEnds` throw before anything is removed, because the records of
 * a lake with a gap do not name every file. Throws `ConfigError` if the store refuses deletions;
 * the orphans stay harmless.
 */
export async function sweep(deps: Deps, options: SweepOptions): Promise<SweptZone[]> {
  await checkEnds(deps, await readHeads(deps))
  const { ingestion, processed } = deps
  return [
    await sweepStore(deps, { ...options, zone: 'ingestion', store: ingestion }),
    await sweepStore(deps, { ...options, zone: 'processed', store: processed }),
  ]
}

type StoreSweep = SweepOptions & { readonly zone: SweptZone['zone']; readonly store: ObjectStore }

async function sweepStore(
  deps: Deps,
  { zone: name, store, before, remove }: StoreSweep,
): Promise<SweptZone> {
  const found = { objects: 0, orphans: 0, orphanBytes: 0, removed: 0 }
  const logs = new Map<string, Promise<NamedFiles>>()
  const { cacheDir, memory } = ingestionZone(deps)
  for await (const object of store.list('')) {
    checkInterrupted(deps)
    found.objects += 1
    if (found.objects % PROGRESS_EVERY === 0) {
      deps.log({ event: 'sweep_progress', zone: name, objects: found.objects })
    }
    const file = parseDataFile(name, object.key)
    if (file === undefined || object.modifiedAt >= before) continue
    const { prefix } = file
    const log = logs.get(prefix) ?? openNamedFiles({ store, prefix, cacheDir, memory })
    logs.set(prefix, log)
    if (await (await log).has(file)) continue
    found.orphans += 1
    found.orphanBytes += object.sizeBytes
    if (!remove) continue
    await store.remove(object.key)
    found.removed += 1
  }
  const cutOff = (await store.sweepUnfinished?.({ before, remove })) ?? []
  return {
    zone: name,
    location: store.location,
    objects: found.objects,
    orphans: found.orphans + cutOff.length,
    orphanBytes: cutOff.reduce((sum, sizeBytes) => sum + sizeBytes, found.orphanBytes),
    removed: found.removed + (remove ? cutOff.length : 0),
  }
}

const PROGRESS_EVERY = 10_000

interface DataFile {
  /** Prefix of its log in the store: empty, or the folder of a generation. */
  readonly prefix: string
  /** Its key as a commit record names it. */
  readonly key: string
  readonly batch: number
}

/** The batch and log of a data file, from its key; `undefined` for any other object. */
function parseDataFile(zone: SweptZone['zone'], key: string): DataFile | undefined {
  const prefix = zone === 'ingestion' ? '' : key.slice(0, key.indexOf('/') + 1)
  // No record names the doctor's objects, so they count as files of a batch that does not exist.
  if (key.startsWith('doctor/')) return { prefix: '', key, batch: Infinity }
  const found = /\/(\d{12})-[0-9a-f]+-\d+(?:\.[a-z0-9]+)*$/.exec(key)
  return found === null
    ? undefined
    : { prefix, key: key.slice(prefix.length), batch: Number(found[1]) }
}

/** The files that the commit records of one log name. */
interface NamedFiles {
  /** Whether a commit record names the file. */
  has(file: DataFile): Promise<boolean>
}

/** Opens the names in one log. The names of a batch are read when they are first needed. */
async function openNamedFiles(zone: Zone): Promise<NamedFiles> {
  const last = await readLastCommit(zone)
  const inUse = new Set<string>()
  for (const { state, open } of Object.values(last?.tables ?? {})) {
    for (const { key } of [...state, ...open]) inUse.add(key)
  }
  const batches = new Map<number, Promise<ReadonlySet<string>>>()
  return {
    async has({ key, batch }) {
      if (inUse.has(key)) return true
      if (batch > (last?.batch ?? 0)) return false
      if (batches.size >= MAX_BATCHES) batches.clear()
      const names = batches.get(batch) ?? readNamedFiles(zone, batch)
      batches.set(batch, names)
      return (await names).has(key)
    },
  }
}

/** Number of batches whose names are kept at once. */
const MAX_BATCHES = 2000
