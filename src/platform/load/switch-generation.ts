import { withPostgresErrors } from '../io/postgres-errors.ts'
import { identifier, identifiers } from '../io/sql.ts'
import type { CommitRecord } from '../lake/commit-record.ts'
import type { PublishedSchema } from '../lake/published-schema.ts'
import { presentModels } from '../warehouse/derive-tables.ts'
import { readLoaded } from '../warehouse/ledger.ts'
import { replaceTables } from '../warehouse/replace-tables.ts'
import { haveSameKey } from '../warehouse/same-key.ts'
import { inLockedTransaction, type WarehouseClient } from '../warehouse/warehouse.ts'
import { analyzeStars, applyBatch, type LoadInput } from './apply-batch.ts'
import { fillAllRevisions } from './load-revisions.ts'
import { computeAllSums } from './load-sums.ts'
import { staleKeys } from './upsert.ts'

/**
 * Replaces the content of the warehouse with another generation, batch 1 to the last, in one
 * transaction. Readers see the old tables until the new ones are complete (I5), and never wait.
 * Rows are deleted and not truncated, because a truncated table looks empty to snapshots taken
 * before (manual, "Concurrency Control: Caveats"). Old dimension rows stay until nothing refers to
 * them. A derived table whose schema changes is changed here too, and its readers wait. Skips if
 * another run has already switched, or has gone on loading the old generation.
 */
export async function switchGeneration(
  warehouse: WarehouseClient,
  input: Omit<LoadInput, 'record' | 'previous'> & {
    readonly lastBatch: number
    /** The schemas of the new generation's tables. */
    readonly schemas: readonly PublishedSchema[]
    readonly records: () => AsyncIterable<CommitRecord>
  },
): Promise<'switched' | 'skipped'> {
  const { client } = warehouse
  const { project, generation, lastBatch } = input
  return withPostgresErrors(warehouse.warehouse, () =>
    inLockedTransaction(warehouse, input.waitMs, async () => {
      const loaded = await readLoaded(warehouse)
      if (loaded?.generation === generation || (loaded?.batch ?? 0) > lastBatch) return 'skipped'
      await replaceTables(warehouse, project, input.schemas)
      const derived = await presentModels(client, project)
      const dimensions = derived.filter(({ kind }) => kind !== 'fact')
      for (const model of dimensions) {
        await client.query(`
          create unlogged table ${staleKeys(model)} as
          select ${identifiers(model.key)} from ${identifier(model.table)}`)
      }
      await client.query('delete from tidemark_ledger; delete from tidemark_confirmation')
      for await (const record of input.records()) {
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
      return 'switched'
    }),
  )
}
