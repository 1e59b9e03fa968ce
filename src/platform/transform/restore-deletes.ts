import { openTogether } from '../io/open-together.ts'
import { identifier, identifiers } from '../io/sql.ts'
import { readExistingCommit } from '../lake/batch-log.ts'
import type { PendingBatch } from '../lake/batch.ts'
import type { Column } from '../lake/lake-type.ts'
import { selectFiles } from '../lake/table-state.ts'
import { openFiles } from '../lake/zone.ts'
import { historyColumns } from '../project/fact-names.ts'
import type { Fact } from '../project/model.ts'

/** The rows that a fact's model makes from a change file. */
export interface MappedChanges {
  readonly model: Fact
  readonly sql: string
  /** The columns that go to the warehouse. */
  readonly columns: readonly Column[]
  /** SQL condition of a row that is refused. */
  readonly broken: string
}

/** A model's rows with deletions restored. Dispose of them after use. */
export interface RestoredChanges extends AsyncDisposable {
  readonly sql: string
}

/**
 * Restores the values of refused deletions. A deletion carries the last values of the source. If
 * these break a rule, the update that brought them was refused too, and the warehouse still shows
 * the version before. The key must be deleted there as well (I6).
 *
 * The returned SQL replaces `sql`: in it, such a deletion carries the last accepted values. They
 * come from `written`, this batch's own files so far, then from the processed zone, newest first.
 * If a key was never accepted, its deletion stays unchanged.
 */
export async function restoreDeletes(
  batch: PendingBatch,
  { model, sql, columns, broken }: MappedChanges,
  written: readonly { readonly path: string }[],
): Promise<RestoredChanges> {
  const { db } = batch
  const using = `using (${identifiers(model.key)})`
  const values = identifiers(columns.map(({ name }) => name))
  return await openTogether(async (keep) => {
    const deletes = keep(
      await db.table(`
        select ${identifiers(model.key)}, _operation, _captured_at, _ordinal
        from (${sql})
        where ${broken} and _operation = 'delete'`),
    )
    const last = keep(
      await db.table(`select ${values}, _operation as _recorded from (${sql}) where false`),
    )
    for await (const path of versionsBefore(batch, model, written)) {
      if ((await db.count(`${deletes.name} anti join ${last.name} ${using}`)) === 0) break
      const versions = await selectFiles(db, [path], columns, [
        `${identifier(historyColumns(model).operation)} as _recorded`,
      ])
      await db.run(`
        insert into ${last.name} by name
        select ${values}, _recorded from (${versions})
        semi join ${deletes.name} ${using}
        anti join ${last.name} ${using}`)
    }
    const restored = `
      from ${deletes.name} inner join ${last.name} ${using}
      where _recorded <> 'delete'`
    return {
      sql: `
        select ${values}, _operation, _captured_at, _ordinal
        from (${sql})
        where _ordinal not in (select _ordinal ${restored})
        union all
        select ${values}, _operation, _captured_at, _ordinal ${restored}`,
    }
  })
}

/** The fact's files, newest first. In each file, a key occurs once. */
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
