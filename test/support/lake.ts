import type { CommitRecord } from '../../src/platform/lake/commit-record.ts'
import type { ObjectStore } from '../../src/platform/lake/store/object-store.ts'
import { type Deps, ingestionZone, processedZone } from '../../src/platform/deps.ts'
import { type DuckDb, openDuckDb } from '../../src/platform/io/duckdb.ts'
import { readRefused } from '../../src/platform/lake/quarantine/quarantine.ts'
import { readSchema } from '../../src/platform/lake/schema.ts'
import { openState } from '../../src/platform/lake/table-state.ts'
import { readParquet } from '../../src/platform/lake/parquet.ts'
import { openFiles } from '../../src/platform/lake/zone.ts'
import { generationOf } from '../../src/platform/project/generation.ts'
import { identifier } from '../../src/platform/io/sql.ts'
import type { TestSystem } from './system.ts'

/** A row with every value as the lake prints it. */
export type TextRow = Record<string, string | null>

/** A batch's changes of a table as the ingestion zone holds them, in order, with `_operation`. */
export async function readChanges(
  { deps, folder }: Pick<TestSystem, 'deps' | 'folder'>,
  record: CommitRecord | undefined,
  table: string,
): Promise<TextRow[]> {
  const files = record?.tables[table]?.changes ?? []
  if (files.length === 0) return []
  await using db = await openDuckDb({ scratchDir: folder, memoryLimitMb: 1024 })
  const source = readParquet(await openFiles(ingestionZone(deps), files))
  const rows = await readTexts(db, `select * from ${source} order by _ordinal`)
  return rows.map(({ _batch, _captured_at, _ordinal, ...row }) => row)
}

/** A table as of a batch, rebuilt from the ingestion zone, in key order. */
export async function readTable(
  { deps, folder }: Pick<TestSystem, 'deps' | 'folder'>,
  record: CommitRecord | undefined,
  name: string,
): Promise<TextRow[]> {
  const entry = record?.tables[name]
  if (entry === undefined) throw new Error(`batch ${record?.batch} has no table ${name}`)
  await using db = await openDuckDb({ scratchDir: folder, memoryLimitMb: 1024 })
  const table = await readSchema(ingestionZone(deps), name, entry.fingerprint ?? '')
  await using found = await openState(db, ingestionZone(deps), { table, state: entry.state })
  const order = table.key.map(identifier).join(', ')
  return await readTexts(db, `select * from ${found.name} order by ${order}`)
}

/** A row in quarantine. */
export interface RefusedRow {
  readonly batch: number
  readonly operation: string
  readonly key: Readonly<Record<string, string | null>>
  readonly column: string | null
  readonly reason: string
  readonly content: Readonly<Record<string, string | null>>
}

/** A table's rows that a processed batch put into quarantine, or has there, by key and batch. */
export async function readRefusedRows(
  { deps, folder }: Pick<TestSystem, 'deps' | 'folder'>,
  record: CommitRecord | undefined,
  { table, what }: { table: string; what: 'quarantine' | 'open' },
): Promise<RefusedRow[]> {
  const zone = processedZone(deps, generationOf(deps.project))
  await using db = await openDuckDb({ scratchDir: folder, memoryLimitMb: 1024 })
  const source = readRefused(await openFiles(zone, record?.tables[table]?.[what] ?? []))
  const rows = await db.rows<
    Omit<RefusedRow, 'key' | 'content'> & { key: string; content: string }
  >(
    `select _batch::integer as batch, _operation as operation, _key as key, _column as "column",
        _reason as reason, _content as content
     from ${source} order by length(_key), _key, _batch, _ordinal`,
  )
  return rows.map((row) => ({
    ...row,
    key: JSON.parse(row.key) as RefusedRow['key'],
    content: JSON.parse(row.content) as RefusedRow['content'],
  }))
}

async function readTexts(db: DuckDb, select: string): Promise<TextRow[]> {
  return await db.rows<TextRow>(`select columns(*)::varchar from (${select})`)
}

/** Keys of every object of a store. */
export async function listKeys(store: ObjectStore): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of store.list('')) keys.push(key)
  return keys
}

/** Called before an object is read or created. If it throws, so does the store. */
export type Hook = (call: 'get' | 'put' | 'upload', key: string) => Promise<void> | void

/** The same deps with a hook in the ingestion zone's store, at which a test can step in. */
export function withHook(
  deps: Deps,
  hook: Hook,
  zone: 'ingestion' | 'processed' = 'ingestion',
): Deps {
  const store = deps[zone]
  return {
    ...deps,
    [zone]: {
      location: store.location,
      download: (key, cacheDir) => store.download(key, cacheDir),
      list: (prefix) => store.list(prefix),
      remove: (key) => store.remove(key),
      async get(key) {
        await hook('get', key)
        return await store.get(key)
      },
      async putIfAbsent(key, body) {
        await hook('put', key)
        return await store.putIfAbsent(key, body)
      },
      async uploadIfAbsent(key, path) {
        await hook('upload', key)
        return await store.uploadIfAbsent(key, path)
      },
    } satisfies ObjectStore,
  }
}

/** A hook that does something once, at the first call that matches. */
export function once(
  matches: (call: string, key: string) => boolean,
  work: () => Promise<unknown>,
): Hook {
  let done = false
  return async (call, key) => {
    if (done || !matches(call, key)) return
    done = true
    await work()
  }
}
