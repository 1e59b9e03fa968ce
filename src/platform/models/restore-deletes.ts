import type { PendingBatch } from '../lake/capture.ts'
import { readParquet } from '../lake/table-state.ts'
import { openFiles, readExistingCommit } from '../lake/zone.ts'
import type { Fact } from '../project.ts'
import { identifiers } from '../sql.ts'

/** A fact's rows as its model makes them of a change file. */
export interface MappedChanges {
  readonly sql: string
  /** The warehouse's columns among them. */
  readonly columns: readonly string[]
  /** SQL condition of a row that is unfit for the warehouse. */
  readonly broken: string
}

/**
 * A deletion carries the last values the source held. Where those are unfit, so was the update that
 * brought them, and the warehouse still shows the version before: the key must go from there too
 * (I6). Returns SQL that stands in for `sql`, in which such a deletion carries the last values that
 * were accepted. They are looked up in the processed zone, newest batch first, back to the
 * beginning for a key that was never accepted; its deletion stays as it is.
 */
export async function restoreDeletes(
  batch: PendingBatch,
  model: Fact,
  { sql, columns, broken }: MappedChanges,
): Promise<string> {
  const { db } = batch
  const using = `using (${identifiers(model.key)})`
  const values = identifiers(columns)
  await db.run(`
    create or replace temp table "lost deletes" as
    select ${identifiers(model.key)}, _operation, _captured_at, _ordinal
    from (${sql})
    where ${broken} and _operation = 'delete'`)
  await db.run(`
    create or replace temp table "last versions" as
    select ${values}, _operation as record_operation from (${sql}) where false`)
  for (let number = batch.number - 1; number > 0; number--) {
    const record = await readExistingCommit(batch.zone, number)
    const files = record.tables[model.table]?.changes ?? []
    if (files.length === 0) continue
    await db.run(`
      insert into "last versions" by name
      select ${values}, record_operation from ${readParquet(await openFiles(batch.zone, files))}
      semi join "lost deletes" ${using}
      anti join "last versions" ${using}`)
    const [missing] = await db.rows<{ keys: bigint }>(
      `select count(*) as keys from "lost deletes" anti join "last versions" ${using}`,
    )
    if (missing?.keys === 0n) break
  }
  const restored = `
    from "lost deletes" inner join "last versions" ${using}
    where record_operation <> 'delete'`
  return `
    select ${values}, _operation, _captured_at, _ordinal
    from (${sql})
    where _ordinal not in (select _ordinal ${restored})
    union all
    select ${values}, _operation, _captured_at, _ordinal ${restored}`
}
