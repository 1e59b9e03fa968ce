import { together } from '../io/duckdb.ts'
import { identifiers } from '../io/sql.ts'
import { readExistingCommit } from '../lake/batch-log.ts'
import type { PendingBatch } from '../lake/batch.ts'
import type { Column } from '../lake/lake-type.ts'
import { selectFiles } from '../lake/table-state.ts'
import { openFiles } from '../lake/zone.ts'
import type { Fact } from '../project/model.ts'

/** A fact's rows as its model makes them of a change file. */
export interface MappedChanges {
  readonly model: Fact
  readonly sql: string
  /** The warehouse's columns among them. */
  readonly columns: readonly Column[]
  /** SQL condition of a row that is unfit for the warehouse. */
  readonly broken: string
}

/** A model's rows with deletions restored. Dispose of them after use. */
export interface RestoredChanges extends AsyncDisposable {
  readonly sql: string
}

/**
 * A deletion carries the last values the source held. Where those are unfit, so was the update that
 * brought them, and the warehouse still shows the version before: the key must go from there too
 * (I6). The SQL that is returned stands in for `sql`; in it such a deletion carries the last values that
 * were accepted. They are looked up in `written`, this batch's own files so far, then in the processed
 * zone, newest first, back to the beginning for a key that was never accepted; its deletion stays as
 * it is.
 */
export async function restoreDeletes(
  batch: PendingBatch,
  { model, sql, columns, broken }: MappedChanges,
  written: readonly { readonly path: string }[],
): Promise<RestoredChanges> {
  const { db } = batch
  const using = `using (${identifiers(model.key)})`
  const values = identifiers(columns.map(({ name }) => name))
  const deletes = await db.table(`
    select ${identifiers(model.key)}, _operation, _captured_at, _ordinal
    from (${sql})
    where ${broken} and _operation = 'delete'`)
  const last = await db.table(
    `select ${values}, _operation as record_operation from (${sql}) where false`,
  )
  for await (const path of versionsBefore(batch, model, written)) {
    if ((await db.count(`${deletes.name} anti join ${last.name} ${using}`)) === 0) break
    const versions = await selectFiles(db, [path], columns, ['record_operation'])
    await db.run(`
      insert into ${last.name} by name
      select ${values}, record_operation from (${versions})
      semi join ${deletes.name} ${using}
      anti join ${last.name} ${using}`)
  }
  const restored = `
    from ${deletes.name} inner join ${last.name} ${using}
    where record_operation <> 'delete'`
  return {
    sql: `
      select ${values}, _operation, _captured_at, _ordinal
      from (${sql})
      where _ordinal not in (select _ordinal ${restored})
      union all
      select ${values}, _operation, _captured_at, _ordinal ${restored}`,
    ...together([deletes, last]),
  }
}

/** The fact's files, newest first; in each of them a key occurs once. */
async function* versionsBefore(
  { zone, number }: PendingBatch,
  { table }: Fact,
  written: readonly { readonly path: string }[],
): AsyncGenerator<string> {
  for (const { path } of written.toReversed()) yield path
  for (let earlier = number - 1; earlier > 0; earlier--) {
    const record = await readExistingCommit(zone, earlier)
    const files = record.tables[table]?.changes ?? []
    yield* (await openFiles(zone, files)).toReversed()
  }
}
