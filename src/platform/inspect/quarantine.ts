import { type Deps, inForce, ingestionZone, openScratchDb, processedZone } from '../deps.ts'
import { ConfigError } from '../errors.ts'
import type { DuckDb } from '../io/duckdb.ts'
import { duckLiteral } from '../io/sql.ts'
import { readLastCommit } from '../lake/batch-log.ts'
import type { CommitRecord, FileRef } from '../lake/commit-record.ts'
import { readRefused } from '../lake/quarantine/quarantine.ts'
import { sumRows } from '../lake/table-entry.ts'
import { openFiles, type Zone } from '../lake/zone.ts'
import { run, type RunReport } from '../pipeline.ts'
import { generationOf } from '../project/generation.ts'
import { sourceAndStarTables } from '../project/known-table.ts'
import type { Project } from '../project/project.ts'

/** A row in quarantine: the last refused version of its key that has not left quarantine since. */
export interface QuarantineEntry {
  /** `<batch>.<table>.<ordinal>`. It stays the same until the row is refused again. */
  readonly id: string
  /**
   * `ingestion`: the row cannot be stored exactly in the lake. `processed`: it does not fit its
   * contract, or breaks a rule of a star table.
   */
  readonly zone: 'ingestion' | 'processed'
  /** A source table, or in the processed zone also a star table. */
  readonly table: string
  /** The batch that refused it. */
  readonly batch: number
  /** ISO 8601 UTC. */
  readonly capturedAt: string
  readonly operation: string
  readonly key: Readonly<Record<string, string | null>>
  readonly reason: string
  /** The column that is the cause; `undefined` if it is the whole row. */
  readonly column: string | undefined
  /** Every column's value as exact text. */
  readonly content: Readonly<Record<string, string | null>>
}

/** Which rows in quarantine to return. */
export interface QuarantineFilter {
  readonly table?: string
  /** Maximum number of rows per table; the newest are returned. */
  readonly limit: number
}

/**
 * Reads the rows that are in quarantine now, tables in order, newest rows first. `total` counts all
 * rows of the wanted tables, whatever the limit. Reads only the lake.
 */
export async function readQuarantine(
  deps: Deps,
  { table, limit }: QuarantineFilter,
): Promise<{ readonly entries: readonly QuarantineEntry[]; readonly total: number }> {
  await using db = await openScratchDb(deps)
  const entries: QuarantineEntry[] = []
  let total = 0
  for (const head of await readZoneHeads(deps)) {
    for (const [name, { open }] of Object.entries(head.record?.tables ?? {})) {
      if (open.length === 0 || (table !== undefined && table !== name)) continue
      total += sumRows(open)
      entries.push(...(await readEntries(db, head, { table: name, open, limit })))
    }
  }
  return { entries, total }
}

/** The parts of an entry's id; batch and ordinal are digits. */
interface EntryId {
  readonly batch: string
  readonly table: string
  readonly ordinal: string
}

/** Throws `ConfigError` (`UNKNOWN_ENTRY`) if no entry can have this id. Reads nothing. */
function parseEntryId(id: string): EntryId {
  const [, batch, table, ordinal] = /^(\d+)\.(.+)\.(\d+)$/.exec(id) ?? []
  if (batch === undefined || table === undefined || ordinal === undefined) throw unknownEntry(id)
  return { batch, table, ordinal }
}

/**
 * Throws `ConfigError` (`UNKNOWN_ENTRY`) if no entry of this project can have the id: it is not
 * written as one, or names a table that does not exist.
 */
export function checkEntryId(project: Project, id: string): void {
  const { table } = parseEntryId(id)
  if (!sourceAndStarTables(project).names.includes(table)) throw unknownEntry(id)
}

function unknownEntry(id: string): ConfigError {
  return new ConfigError(`There is no entry ${id} in quarantine`, {
    code: 'UNKNOWN_ENTRY',
    hint: 'tidemark quarantine list',
  })
}

/**
 * Reads one entry by its id. Throws `ConfigError` (`UNKNOWN_ENTRY`) if it has left quarantine or
 * was never there.
 */
export async function findEntry(deps: Deps, id: string): Promise<QuarantineEntry> {
  const { batch, table, ordinal } = parseEntryId(id)
  const where = `_batch = try_cast(${duckLiteral(batch)} as bigint)
    and _ordinal = try_cast(${duckLiteral(ordinal)} as bigint)`
  await using db = await openScratchDb(deps)
  for (const head of await readZoneHeads(deps)) {
    const open = head.record?.tables[table]?.open ?? []
    const [found] = await readEntries(db, head, { table, open, limit: 1, where })
    if (found !== undefined) return found
  }
  throw unknownEntry(id)
}

/** The result of a replay. */
export interface Replay {
  readonly report: RunReport
  /** Rows in quarantine before and after. */
  readonly before: number
  readonly after: number
}

/**
 * Gives every row in quarantine another chance. Rows that could not be stored exactly are read from
 * the source again. Rows that the models refused go through the present models. Changed models make
 * a new generation, in which a version that passes takes its place in history. May be repeated.
 * Throws what `run` throws.
 */
export async function replay(deps: Deps): Promise<Replay> {
  const before = await readQuarantine(deps, { limit: 0 })
  const last = await readLastCommit(ingestionZone(deps))
  const tables = Object.entries(last?.tables ?? {}).filter(([, { open }]) => open.length > 0)
  const report = await run(deps, { recapture: new Set(tables.map(([name]) => name)) })
  const after = await readQuarantine(deps, { limit: 0 })
  return { report, before: before.total, after: after.total }
}

interface ZoneHead {
  readonly zone: Zone
  readonly name: QuarantineEntry['zone']
  readonly record: CommitRecord | undefined
}

/** The newest batch of each zone; in the processed zone, of the present models' generation. */
async function readZoneHeads(deps: Deps): Promise<ZoneHead[]> {
  const ingestion = ingestionZone(deps)
  const { project } = await inForce(deps)
  const processed = processedZone(deps, generationOf(project))
  return [
    { zone: ingestion, name: 'ingestion', record: await readLastCommit(ingestion) },
    { zone: processed, name: 'processed', record: await readLastCommit(processed) },
  ]
}

async function readEntries(
  db: DuckDb,
  { zone, name }: ZoneHead,
  {
    table,
    open,
    limit,
    where = 'true',
  }: { table: string; open: readonly FileRef[]; limit: number; where?: string },
): Promise<QuarantineEntry[]> {
  if (open.length === 0 || limit === 0) return []
  const rows = await db.rows<Record<string, string | null>>(`
    select
        _batch::varchar as batch,
        _ordinal::varchar as ordinal,
        strftime(_captured_at at time zone 'UTC', '%Y-%m-%dT%H:%M:%S.%fZ') as captured_at,
        _operation as operation,
        _key as key,
        _reason as reason,
        _column as "column",
        _content as content
    from ${readRefused(await openFiles(zone, open))}
    where ${where}
    order by _batch desc, _ordinal
    limit ${limit}`)
  return rows.map((row) => ({
    id: `${row['batch']}.${table}.${row['ordinal']}`,
    zone: name,
    table,
    batch: Number(row['batch']),
    capturedAt: row['captured_at'] ?? '',
    operation: row['operation'] ?? '',
    key: parseTexts(row['key']),
    reason: row['reason'] ?? '',
    column: row['column'] ?? undefined,
    content: parseTexts(row['content']),
  }))
}

function parseTexts(json: string | null | undefined): Record<string, string | null> {
  return JSON.parse(json ?? '{}') as Record<string, string | null>
}
