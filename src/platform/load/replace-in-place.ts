import { withPostgresErrors } from '../io/postgres-errors.ts'
import { identifier, identifiers } from '../io/sql.ts'
import type { CommitRecord } from '../lake/commit-record.ts'
import type { PublishedSchema } from '../lake/published-schema.ts'
import { presentModels } from '../warehouse/derive-tables.ts'
import { type Loaded, readLoaded } from '../warehouse/ledger.ts'
import { dropTables, replaceTables } from '../warehouse/replace-tables.ts'
import { haveSameKey } from '../warehouse/same-key.ts'
import { inLockedTransaction, type WarehouseClient } from '../warehouse/warehouse.ts'
import { analyzeStars, applyBatch, type LoadInput } from './apply-batch.ts'
import { fillAllRevisions } from './load-revisions.ts'
import { computeAllSums } from './load-sums.ts'
import { staleKeys } from './upsert.ts'

/**
 * Replaces the content of the warehouse with a generation's, batch 1 to the last, in one transaction and
 * in the tables that are there. Readers see the old rows until the new ones are complete (I5), and never
 * wait. Rows are deleted and not truncated, because a truncated table looks empty to snapshots taken
 * before (manual, "Concurrency Control: Caveats"). Old dimension rows stay until nothing refers to
 * them. A derived table whose schema changes is changed here too, and its readers wait.
 *
 * `plan` decides, from the newest row of the ledger under the lock, up to which batch to load; with
 * `undefined`, nothing is done.
 */
export async function replaceInPlace(
  warehouse: WarehouseClient,
  input: Omit<LoadInput, 'record' | 'previous'> & {
    readonly plan: (loaded: Loaded | undefined) => number | undefined
    /** Derived tables that are dropped, because only later batches bring them. */
    readonly later: ReadonlySet<string>
    /** The schemas of the new tables. */
    readonly schemas: readonly PublishedSchema[]
    readonly records: (lastBatch: number) => AsyncIterable<CommitRecord>
  },
): Promise<'replaced' | 'skipped'> {
  const { client } = warehouse
  const { project } = input
  return withPostgresErrors(warehouse.warehouse, () =>
    inLockedTransaction(warehouse, input.waitMs, async () => {
      const lastBatch = input.plan(await readLoaded(warehouse))
      if (lastBatch === undefined) return 'skipped'
      await dropTables(client, project, input.later)
      await replaceTables(warehouse, project, input.schemas)
      const derived = await presentModels(client, project)
      const dimensions = derived.filter(({ kind }) => kind !== 'fact')
      for (const model of dimensions) {
        await client.query(`
          create unlogged table ${staleKeys(model)} as
          select ${identifiers(model.key)} from ${identifier(model.table)}`)
      }
      await client.query('delete from tidemark_ledger; delete from tidemark_confirmation')
      for await (const record of input.records(lastBatch)) {
        await applyBatch(warehouse, { ...input, record, previous: undefined, isSwitch: true })
      }
      for (const model of dimensions) {
        await client.query(`
          delete from ${identifier(model.table)} as d using ${staleKeys(model)} as s
          where ${haveSameKey(model, 'd', 's')};
          drop table ${staleKeys(model)}`)
      }
      // A model whose columns are not known yet has no table.
      const present = { ...project, models: derived }
      await computeAllSums(client, present)
      await fillAllRevisions(client, present)
      await analyzeStars(client, present)
      return 'replaced'
    }),
  )
}
