import type { DuckDb } from '../io/duckdb.ts'
import { openTogether } from '../io/open-together.ts'
import { openFiles } from '../lake/zone.ts'
import type { DataTest, Model } from '../project/model.ts'
import { capturedTables } from '../project/source-contract.ts'
import type { Reads, TransformInput } from './inputs.ts'
import type { ChangedTable } from './lineage/affected-rows.ts'
import type { SourceView } from './source-files.ts'
import { openTable, type OpenTable, type SourceInput, viewOf } from './source-view.ts'

/** The source tables of a batch. Disposing closes those that are open. */
export interface SourceTables extends AsyncDisposable {
  /** The view of each table. */
  readonly views: ReadonlyMap<string, SourceView>
  /** Opens what models or tests read, in its state as of the batch, unless it is open. */
  open(...readers: readonly (Model | DataTest)[]): Promise<void>
  /** Relation of the rows of an open table that models do not see; undefined if all values fit. */
  hidden(name: string): string | undefined
}

/** The views of a batch's source tables. No table is open yet. */
export async function openTables(
  db: DuckDb,
  input: SourceInput & Pick<TransformInput, 'project'>,
  reads: Reads,
): Promise<SourceTables> {
  const views = new Map<string, SourceView>()
  for (const source of capturedTables(input.project.source)) {
    const view = await viewOf(source, input)
    if (view !== undefined) views.set(source.name, view)
  }
  return await openTogether(async (keep) => {
    const tables = new Map<string, OpenTable | undefined>()
    return {
      views,
      hidden: (name) => tables.get(name)?.refused,
      async open(...readers) {
        for (const name of readers.flatMap((reader) => reads.get(reader) ?? [])) {
          const view = views.get(name)
          if (view === undefined || tables.has(name)) continue
          // Two models may ask for one table at once.
          tables.set(name, undefined)
          tables.set(name, keep(await openTable(db, view, input)))
        }
      },
    }
  })
}

/** The tables that a model reads and the batch changes. */
export async function listChanged(
  model: Model,
  { ingestion, record }: Pick<TransformInput, 'ingestion' | 'record'>,
  { reads, opened }: { reads: Reads; opened: SourceTables },
): Promise<ChangedTable[]> {
  const changed: ChangedTable[] = []
  for (const name of reads.get(model) ?? []) {
    const view = opened.views.get(name)
    const files = record.tables[name]?.changes ?? []
    if (view === undefined || files.length === 0) continue
    changed.push({ view, paths: await openFiles(ingestion, files) })
  }
  return changed
}
