import { type Deps, ingestionZone, processedZone } from './deps.ts'
import { type CommitRecord, type Hold, sumRows } from './lake/commit-record.ts'
import { commitKey, readExistingCommit, readLastCommit, type Zone } from './lake/zone.ts'
import { generationOf } from './models/generation.ts'
import { withPostgresErrors } from './postgres.ts'
import type { Reader } from './presentation/reader.ts'
import { identifier } from './sql.ts'
import { type LedgerHead, readLedgerHead } from './warehouse/ledger.ts'
import { openWarehouse, type Warehouse, type WarehouseClient } from './warehouse/warehouse.ts'

export interface Status {
  readonly generation: string
  /** Newest batch of each place, 0 when it holds none. */
  readonly batches: {
    readonly ingestion: number
    readonly processed: number
    readonly warehouse: number
  }
  readonly warehouse: LedgerHead | undefined
  /** Age of the warehouse in milliseconds: it is complete up to that long ago. */
  readonly lagMs: number | undefined
  readonly promiseMs: number
  readonly isFresh: boolean
  /** Each source table as captured. */
  readonly tables: readonly TableStatus[]
  readonly facts: readonly {
    readonly table: string
    readonly current: number
    readonly versions: number
  }[]
  /** Star tables that stand still. */
  readonly held: readonly { readonly table: string; readonly hold: Hold }[]
  /** Rows in quarantine now, of both zones. */
  readonly quarantined: number
  /** Objects no commit record names; left by a killed run, harmless. Undefined where not counted. */
  readonly orphans: number | undefined
}

export interface TableStatus {
  readonly table: string
  readonly rows: number
  /** Deletions that wait to be confirmed. */
  readonly heldDeletes: number
  /** Why it stands still, if it does. */
  readonly hold: Hold | undefined
  /** Rows in quarantine because they cannot be captured exactly. */
  readonly quarantined: number
}

export interface StatusOptions {
  /** Read with these rights: on a connection of its own, or on one of a reader's. */
  readonly reader: Warehouse | Pick<Reader, 'open'>
  readonly promiseMs: number
  readonly now: Date
  /** Counting orphans reads every commit record: only for logs up to this long. */
  readonly maxBatchesToCount: number
}

/** Where source changes stand: captured, transformed, loaded, and how old the warehouse is. Reads only. */
export async function readStatus(deps: Deps, options: StatusOptions): Promise<Status> {
  const generation = generationOf(deps.project)
  const ingestion = ingestionZone(deps)
  const processed = processedZone(deps, generation)
  const captured = await readLastCommit(ingestion)
  const transformed = await readLastCommit(processed)

  const { reader } = options
  await using warehouse = 'open' in reader ? await reader.open() : await openWarehouse(reader)
  const head = await readHead(warehouse)
  const lagMs = head && options.now.getTime() - Date.parse(head.completeTo)
  const batches = {
    ingestion: captured?.batch ?? 0,
    processed: transformed?.batch ?? 0,
    warehouse: head?.batch ?? 0,
  }
  const isCountable = batches.ingestion <= options.maxBatchesToCount
  return {
    generation,
    batches,
    warehouse: head,
    lagMs,
    promiseMs: options.promiseMs,
    isFresh: lagMs !== undefined && lagMs <= options.promiseMs,
    tables: Object.entries(captured?.tables ?? {}).map(([table, entry]) => ({
      table,
      rows: entry.rows,
      heldDeletes: entry.heldDeletes ?? 0,
      hold: entry.held,
      quarantined: sumRows(entry.open),
    })),
    held: Object.entries(transformed?.tables ?? {}).flatMap(([table, { held }]) =>
      held === undefined ? [] : [{ table, hold: held }],
    ),
    facts: head === undefined ? [] : await countFacts(deps, warehouse),
    quarantined: countOpen(captured) + countOpen(transformed),
    orphans: isCountable
      ? (await countOrphans(ingestion, batches.ingestion)) +
        (await countOrphans(processed, batches.processed))
      : undefined,
  }
}

/** A warehouse that was never loaded has no status view yet. */
async function readHead(warehouse: WarehouseClient): Promise<LedgerHead | undefined> {
  const { rows } = await withPostgresErrors(warehouse.warehouse, () =>
    warehouse.client.query<{ there: boolean }>(
      `select to_regclass('tidemark_status') is not null as there`,
    ),
  )
  return rows[0]?.there === true ? readLedgerHead(warehouse) : undefined
}

async function countFacts(
  deps: Deps,
  { client, warehouse }: WarehouseClient,
): Promise<{ table: string; current: number; versions: number }[]> {
  const facts = deps.project.models.filter((model) => model.kind === 'fact')
  const arms = facts.map(
    ({ table }, index) => `
      select
          ${index} as i,
          (select count(*) from ${identifier(`${table}_current`)})::text as current,
          (select count(*) from ${identifier(table)})::text as versions`,
  )
  const { rows } = await withPostgresErrors(warehouse, () =>
    client.query<{ i: number; current: string; versions: string }>(arms.join(' union all ')),
  )
  return rows.map((row) => ({
    table: facts[row.i]?.table ?? '',
    current: Number(row.current),
    versions: Number(row.versions),
  }))
}

function countOpen(record: CommitRecord | undefined): number {
  return Object.values(record?.tables ?? {}).reduce((sum, { open }) => sum + sumRows(open), 0)
}

async function countOrphans(zone: Zone, batches: number): Promise<number> {
  const named = new Set<string>([`${zone.prefix}generation.json`])
  for await (const record of readRecords(zone, batches)) {
    named.add(zone.prefix + commitKey(record.batch))
    for (const table of Object.values(record.tables)) {
      const { changes, state, quarantine, open, archived = [] } = table
      for (const file of [...changes, ...state, ...quarantine, ...open, ...archived]) {
        named.add(zone.prefix + file.key)
      }
    }
  }
  let orphans = 0
  for await (const { key } of zone.store.list(zone.prefix)) {
    if (!named.has(key) && !isStandalone(key.slice(zone.prefix.length))) orphans += 1
  }
  return orphans
}

/** Schemas are named by fingerprint, and what the doctor wrote by nobody; both are kept for good. */
function isStandalone(key: string): boolean {
  return key.startsWith('schema/') || key.startsWith('doctor/')
}

async function* readRecords(zone: Zone, batches: number): AsyncGenerator<CommitRecord> {
  for (let batch = 1; batch <= batches; batch++) yield await readExistingCommit(zone, batch)
}
