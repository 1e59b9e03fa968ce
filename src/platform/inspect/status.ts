import { checkEnds, checkLoadedFrom, type Heads, readHeads, retryConflicts } from '../continuity.ts'
import { asCaptured, type Deps, hasWarehouse, inForce } from '../deps.ts'
import { withPostgresErrors } from '../io/postgres-errors.ts'
import type { Client } from '../io/postgres.ts'
import { identifier } from '../io/sql.ts'
import type { CommitRecord, Hold } from '../lake/commit-record.ts'
import { sumRows } from '../lake/table-entry.ts'
import type { Reader } from '../presentation/reader.ts'
import { currentTable } from '../project/fact-names.ts'
import { generationOf } from '../project/generation.ts'
import type { Fact } from '../project/model.ts'
import { type Delays, readDelays } from '../warehouse/delays.ts'
import { presentModels } from '../warehouse/derive-tables.ts'
import { findLedgerHead, type LedgerHead } from '../warehouse/ledger.ts'
import { sumsTablesOf } from '../warehouse/sums.ts'
import {
  inSnapshot,
  openWarehouse,
  type Warehouse,
  type WarehouseClient,
} from '../warehouse/warehouse.ts'

/** How far each place has come, and which rows and tables wait. */
export interface Status {
  readonly generation: string
  /** Whether there is a lake and no warehouse. Then nothing says how fresh the lake is. */
  readonly isLakeOnly: boolean
  /** The newest batch in each place; 0 if it holds none. */
  readonly batches: {
    readonly ingestion: number
    readonly processed: number
    readonly warehouse: number
  }
  readonly warehouse: LedgerHead | undefined
  /**
   * Age of the warehouse in milliseconds: it is complete up to this long ago. Undefined before the
   * first load.
   */
  readonly lagMs: number | undefined
  readonly promiseMs: number
  readonly isFresh: boolean
  /** How long after their commit changes were visible, in the last hour. */
  readonly delays: Delays
  /** Each source table in the newest ingestion batch. */
  readonly tables: readonly TableStatus[]
  readonly facts: readonly FactCounts[]
  /** Star tables that are held. */
  readonly held: readonly { readonly table: string; readonly hold: Hold }[]
  /** Rows in quarantine now, in both zones. */
  readonly quarantined: number
  /** The checks that published rows of this generation break. */
  readonly warnings: readonly WarningStatus[]
}

/** How many facts of a kind the warehouse holds: those that exist now, and all their versions. */
export interface FactCounts {
  readonly table: string
  readonly current: number
  readonly versions: number
}

/** The number of rows of a table that were published although they break a check. */
export interface WarningStatus {
  readonly table: string
  readonly check: string
  /** In the last transformed batch. */
  readonly rows: number
  /** In all batches of this generation: versions of a fact, changes of a dimension. */
  readonly total: number
}

/** A source table in the newest ingestion batch. */
export interface TableStatus {
  readonly table: string
  readonly rows: number
  /** Deletions that the brake holds until they are confirmed. */
  readonly heldDeletes: number
  /** Why the table is held, if it is. */
  readonly hold: Hold | undefined
  /** Rows in quarantine because they cannot be stored exactly. */
  readonly quarantined: number
}

/** How to read the warehouse, and the promise against which its age is judged. */
export interface StatusOptions {
  /** The warehouse with the rights to read it: on a new connection, or on a session of a reader. */
  readonly reader: Warehouse | Pick<Reader, 'open'>
  readonly promiseMs: number
  readonly now: Date
}

/**
 * How far source changes have come (captured, transformed, loaded), and how old the warehouse is.
 * Read-only. The cost does not grow with the log. Throws what `readHeads`, `checkEnds` and
 * `checkLoadedFrom` throw.
 */
export async function readStatus(deps: Deps, options: StatusOptions): Promise<Status> {
  // Zones and warehouse are read one after the other, and runs may add batches meanwhile.
  return await retryConflicts(deps, 'status_again', async () =>
    readStatusOnce(await asCaptured(await inForce(deps)), options),
  )
}

async function readStatusOnce(deps: Deps, options: StatusOptions): Promise<Status> {
  const generation = generationOf(deps.project)
  const { reader } = options
  // The warehouse connects while the lake is read.
  const [lake, opened] = await Promise.allSettled([
    readProvenHeads(deps),
    hasWarehouse(deps) ? openReader(reader) : undefined,
  ])
  await using warehouse = opened.status === 'fulfilled' ? opened.value : undefined
  if (lake.status === 'rejected') throw lake.reason
  if (opened.status === 'rejected') throw opened.reason
  const { captured, transformed } = lake.value
  const { head, delays, facts } =
    warehouse === undefined
      ? { head: undefined, delays: { batches: 0 }, facts: [] }
      : await readPlaces(deps, warehouse)
  if (head !== undefined) await checkLoadedFrom(deps, captured, head)
  const lagMs = head && options.now.getTime() - Date.parse(head.completeTo)
  const batches = {
    ingestion: captured?.batch ?? 0,
    processed: transformed?.batch ?? 0,
    warehouse: head?.batch ?? 0,
  }
  return {
    generation,
    isLakeOnly: !hasWarehouse(deps),
    batches,
    warehouse: head,
    lagMs,
    promiseMs: options.promiseMs,
    isFresh: lagMs !== undefined && lagMs <= options.promiseMs,
    delays,
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
    facts,
    quarantined: countOpen(captured) + countOpen(transformed),
    warnings: Object.entries(transformed?.tables ?? {}).flatMap(
      ([table, { warnings = {}, warningsSoFar = {} }]) =>
        Object.entries(warningsSoFar).map(([check, total]) => {
          // A check may have the name of a member that every object inherits.
          const rows = Object.hasOwn(warnings, check) ? (warnings[check] ?? 0) : 0
          return { table, check, rows, total }
        }),
    ),
  }
}

async function openReader(reader: StatusOptions['reader']): Promise<WarehouseClient> {
  return 'open' in reader ? await reader.open() : await openWarehouse(reader)
}

/** What the warehouse says, in one snapshot. */
async function readPlaces(
  deps: Deps,
  warehouse: WarehouseClient,
): Promise<{ head: LedgerHead | undefined } & Pick<Status, 'delays' | 'facts'>> {
  return await inSnapshot(warehouse, async () => {
    const head = await findLedgerHead(warehouse)
    return {
      head,
      delays: await readDelays(warehouse),
      facts: head === undefined ? [] : await countFacts(deps, warehouse),
    }
  })
}

async function readProvenHeads(deps: Deps): Promise<Heads> {
  const heads = await readHeads(deps)
  await checkEnds(deps, heads)
  return heads
}

/**
 * Counts the current rows: adds up the counts in a fact's sums, if these are there. Versions need no
 * counting: record ids begin at 1 and have no gaps. Throws what reading throws, also if the warehouse
 * has never been loaded.
 */
export async function countFacts(
  { project }: Pick<Deps, 'project'>,
  connection: WarehouseClient,
): Promise<FactCounts[]> {
  const { client, warehouse } = connection
  let facts: readonly Fact[] = []
  const counts = await withPostgresErrors(warehouse, () =>
    inSnapshot(connection, async () => {
      // What is derived from a model is there once a load has brought the model's schema.
      const models = await presentModels(client, project)
      facts = models.filter((model) => model.kind === 'fact')
      if (facts.length === 0) return { rows: [] }
      const present = await findSums(client, facts)
      const arms = facts.map((fact, index) => selectCounts(fact, { index, present }))
      return await client.query<{ i: number; current: string; versions: string }>(
        arms.join(' union all '),
      )
    }),
  )
  return counts.rows.map((row) => ({
    table: facts[row.i]?.table ?? '',
    current: Number(row.current),
    versions: Number(row.versions),
  }))
}

/** The tables of sums that exist. The next run makes those that are missing. */
async function findSums(client: Client, facts: readonly Fact[]): Promise<ReadonlySet<string>> {
  const names = facts.flatMap((fact) => sumsTablesOf(fact).map(({ name }) => name))
  const { rows } = await client.query<{ name: string }>(
    `select name from unnest($1::text[]) as name where to_regclass(quote_ident(name)) is not null`,
    [names],
  )
  return new Set(rows.map(({ name }) => name))
}

function selectCounts(
  fact: Fact,
  { index, present }: { index: number; present: ReadonlySet<string> },
): string {
  const sums = sumsTablesOf(fact).find(({ name }) => present.has(name))
  const current =
    sums === undefined
      ? `select count(*) from ${identifier(currentTable(fact))}`
      : `select coalesce(sum(row_count), 0) from ${identifier(sums.name)}`
  return `
    select
        ${index} as i,
        (${current})::text as current,
        (select coalesce(max(${identifier(fact.recordId)}), 0) from ${identifier(fact.table)})::text
            as versions`
}

function countOpen(record: CommitRecord | undefined): number {
  return Object.values(record?.tables ?? {}).reduce((sum, { open }) => sum + sumRows(open), 0)
}
