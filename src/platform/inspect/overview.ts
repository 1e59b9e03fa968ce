import { readFileSync } from 'node:fs'
import { type Deps, inForce, ingestionZone, processedZone } from '../deps.ts'
import { withPostgresErrors } from '../io/postgres-errors.ts'
import { boundedMap, inMemory } from '../io/memory.ts'
import { identifier } from '../io/sql.ts'
import { readLastCommit } from '../lake/batch-log.ts'
import type { CommitRecord, Hold } from '../lake/commit-record.ts'
import { sumRows } from '../lake/table-entry.ts'
import { MAX_COUNTED } from '../presentation/browse-rows.ts'
import {
  type ChangeCounts,
  MAX_BATCHES,
  readChangesOverTime,
  type ChangesOverTime,
} from '../presentation/changes-over-time.ts'
import { currentTable, historyColumns } from '../project/fact-names.ts'
import { generationOf } from '../project/generation.ts'
import type { Fact, Model } from '../project/model.ts'
import { presentModels } from '../warehouse/derive-tables.ts'
import { findLedgerHead, type LedgerHead } from '../warehouse/ledger.ts'
import { inSnapshot, type WarehouseClient } from '../warehouse/warehouse.ts'

const LAST_CHANGES = readFileSync(new URL('./last-changes.sql', import.meta.url), 'utf8')

/** Every table of a project: what the warehouse holds, when it last changed, and what is kept back. */
export interface Overview {
  /** Undefined before the first load. */
  readonly head: LedgerHead | undefined
  /** In the order of the names. */
  readonly tables: readonly TableOverview[]
  /** Source tables that are held, with the reason. */
  readonly held: readonly { readonly table: string; readonly hold: Hold }[]
  readonly changes: ChangesOverTime | undefined
}

/** One table of the warehouse. */
export interface TableOverview {
  readonly table: string
  readonly kind: Model['kind']
  readonly description: string | undefined
  /** Undefined while the warehouse has no such table. */
  readonly loaded: LoadedTable | undefined
  /** Rows in quarantine: of its source table and its own. */
  readonly quarantined: number
  /** Deletions that the brake holds. */
  readonly heldDeletes: number
  readonly hold: Hold | undefined
}

/** What the warehouse holds of a table. */
export interface LoadedTable {
  /** Rows as they are now. One more than `MAX_COUNTED` stands for more. */
  readonly rows: number
  /** Versions kept; undefined for a dimension, which keeps none. */
  readonly versions: number | undefined
  /** The last change; undefined if there was none, or none in the newest batches of a dimension. */
  readonly last: LastChange | undefined
}

/** The last batch that changed a table. `at` is when it was captured, ISO 8601 UTC. */
export interface LastChange extends ChangeCounts {
  readonly batch: number
  readonly at: string
}

/**
 * Reads the overview of a project whose tables are known (`asCaptured`), from the last commit records
 * and one snapshot of the warehouse. A table is counted again only after it has changed.
 */
export async function readOverview(
  given: Deps,
  read: <Result>(work: (session: WarehouseClient) => Promise<Result>) => Promise<Result>,
): Promise<Overview> {
  const deps = await inForce(given)
  const { models } = deps.project
  const [captured, transformed] = await Promise.all([
    readLastCommit(ingestionZone(deps)),
    readLastCommit(processedZone(deps, generationOf(deps.project))),
  ])
  const found = await read((session) => readWarehouse(deps, session))
  const tables = models.map((model): TableOverview => {
    const own = transformed?.tables[model.table]
    const from = model.kind === 'fact' ? captured?.tables[model.from] : undefined
    return {
      table: model.table,
      kind: model.kind,
      description: model.description,
      loaded: found.tables.get(model.table),
      quarantined: sumRows(own?.open ?? []) + sumRows(from?.open ?? []),
      heldDeletes: from?.heldDeletes ?? 0,
      hold: from?.held ?? own?.held,
    }
  })
  return {
    head: found.head,
    tables: tables.toSorted((a, b) => (a.table < b.table ? -1 : 1)),
    held: heldIn(captured),
    changes: found.changes,
  }
}

function heldIn(record: CommitRecord | undefined): Overview['held'] {
  return Object.entries(record?.tables ?? {}).flatMap(([table, { held: hold }]) =>
    hold === undefined ? [] : [{ table, hold }],
  )
}

interface Found {
  readonly head: LedgerHead | undefined
  readonly tables: ReadonlyMap<string, LoadedTable>
  readonly changes: ChangesOverTime | undefined
}

async function readWarehouse(deps: Deps, session: WarehouseClient): Promise<Found> {
  return await withPostgresErrors(session.warehouse, () =>
    inSnapshot(session, async () => {
      const head = await findLedgerHead(session)
      if (head === undefined) return { head, tables: new Map(), changes: undefined }
      const models = await presentModels(session.client, deps.project)
      const newest = await readNewest(session, models)
      const counts = await countCurrent(deps, session, { models, newest, head })
      const tables = models.map(({ table, kind }): [string, LoadedTable] => {
        const { versions = 0, last } = newest.get(table) ?? {}
        const rows = counts.get(table) ?? 0
        return [table, { rows, versions: kind === 'fact' ? versions : undefined, last }]
      })
      const changes = await readChangesOverTime(
        session,
        models.map(({ table }) => table),
      )
      return { head, tables: new Map(tables), changes }
    }),
  )
}

/** How many versions a table has, and its last change. */
interface Newest {
  readonly versions: number
  readonly last: LastChange | undefined
}

/** The newest version of each fact, and the last change of each other table, if it was lately. */
async function readNewest(
  { client }: WarehouseClient,
  models: readonly Model[],
): Promise<Map<string, Newest>> {
  const recent = await client.query<{
    name: string
    batch: string
    at: string
    counts: ChangeCounts
  }>(LAST_CHANGES, [MAX_BATCHES])
  const newest = new Map<string, Newest>(
    recent.rows.map(({ name, batch, at, counts: { inserted, updated, deleted } }) => [
      name,
      { versions: 0, last: { batch: Number(batch), at, inserted, updated, deleted } },
    ]),
  )
  const facts = models.filter((model) => model.kind === 'fact')
  for (const { fact, ...row } of await readNewestVersions(client, facts)) {
    const known = newest.get(fact.table)?.last
    const last = known?.batch === row.batch ? known : row
    newest.set(fact.table, { versions: row.versions, last })
  }
  return newest
}

interface NewestVersion extends LastChange {
  readonly fact: Fact
  readonly versions: number
}

/** How many tables one statement reads. */
const TABLES_AT_ONCE = 100

async function readNewestVersions(
  client: WarehouseClient['client'],
  facts: readonly Fact[],
): Promise<NewestVersion[]> {
  const found: NewestVersion[] = []
  for (let from = 0; from < facts.length; from += TABLES_AT_ONCE) {
    const some = facts.slice(from, from + TABLES_AT_ONCE)
    const arms = some.map((fact, index) => {
      const { recordedAt, batch } = historyColumns(fact)
      const id = identifier(fact.recordId)
      return `(select ${index} as i, ${id} as versions, ${identifier(batch)} as batch, ${identifier(recordedAt)} as at
        from ${identifier(fact.table)} order by ${id} desc limit 1)`
    })
    const { rows } = await client.query<{
      i: number
      name: string
      versions: string
      batch: string
      at: string
      counts: Readonly<Record<string, Partial<ChangeCounts>>> | null
    }>(`
      select
          v.i,
          v.versions::text as versions,
          v.batch::text as batch,
          to_char(v.at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as at,
          b.row_counts as counts
      from (${arms.join(' union all ')}) as v
      left join tidemark_batches as b on b.batch_id = v.batch`)
    for (const row of rows) {
      const fact = some[row.i]
      if (fact === undefined) continue
      const { inserted = 0, updated = 0, deleted = 0 } = row.counts?.[fact.table] ?? {}
      const batch = Number(row.batch)
      found.push({
        fact,
        versions: Number(row.versions),
        batch,
        at: row.at,
        inserted,
        updated,
        deleted,
      })
    }
  }
  return found
}

/** Counts by table, each with what it was counted at. */
const countsIn = inMemory(() =>
  boundedMap<string, { readonly at: string; readonly rows: number }>(5000),
)

/** The rows of each table as they are now. */
async function countCurrent(
  { memory }: Pick<Deps, 'memory'>,
  { client, warehouse }: WarehouseClient,
  {
    models,
    newest,
    head,
  }: { models: readonly Model[]; newest: ReadonlyMap<string, Newest>; head: LedgerHead },
): Promise<Map<string, number>> {
  const kept = countsIn(memory)
  const marked = models.map((model) => {
    const { versions = 0, last } = newest.get(model.table) ?? {}
    const key = `${warehouse.url} ${warehouse.schema} ${model.table}`
    return { model, key, at: `${head.generation} ${last?.batch ?? head.batch} ${versions}` }
  })
  const uncounted = marked.filter(({ key, at }) => kept.get(key)?.at !== at)
  for (let from = 0; from < uncounted.length; from += TABLES_AT_ONCE) {
    const some = uncounted.slice(from, from + TABLES_AT_ONCE)
    const arms = some.map(({ model }, index) => {
      const name = model.kind === 'fact' ? currentTable(model) : model.table
      return `select ${index} as i, (
          select count(*) from (select from ${identifier(name)} limit ${MAX_COUNTED + 1}) as r
      )::text as count`
    })
    const { rows } = await client.query<{ i: number; count: string }>(arms.join(' union all '))
    for (const { i, count } of rows) {
      const each = some[i]
      if (each !== undefined) kept.set(each.key, { at: each.at, rows: Number(count) })
    }
  }
  return new Map(marked.map(({ model, key }) => [model.table, kept.get(key)?.rows ?? 0]))
}
