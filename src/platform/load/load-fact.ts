import { identifier, identifiers } from '../io/sql.ts'
import type { TableEntry } from '../lake/commit-record.ts'
import { currentTable, historyColumns, isGone, isPresent } from '../project/fact-names.ts'
import type { Fact } from '../project/model.ts'
import { haveSameKey } from '../warehouse/same-key.ts'
import { storeRows, planCopy } from './store-rows.ts'
import { computeSums, updateSums } from './load-sums.ts'
import { checkCount, type TableLoad } from './table-load.ts'
import { onConflict } from './upsert.ts'

/**
 * Appends the batch's versions to a fact and updates its current rows and, if they are right, its
 * sums. Call it once, in the load's transaction. Throws what `planCopy`, `checkCount` and
 * `updateSums` throw.
 */
export async function loadFact(
  model: Fact,
  { transfer, files, expected, isEmpty, areSumsRight }: TableLoad,
  entry: TableEntry,
): Promise<void> {
  const { client } = transfer
  const plan = await planCopy(transfer, model.table, files)
  const rows = await storeRows(transfer, plan, model.table)
  checkCount(model.table, { expected, rows })

  const table = identifier(model.table)
  const current = identifier(currentTable(model))
  const recordId = identifier(model.recordId)
  const operation = identifier(historyColumns(model).operation)
  // A version has a value, perhaps null, in every column, those included that its files lack.
  const { allColumns } = plan
  const columns = identifiers(allColumns)
  const last = entry.records ?? 0
  const ids = `${recordId} > ${last - rows} and ${recordId} <= ${last}`
  const key = identifiers(model.key)
  const newest =
    entry.changesSince === undefined
      ? `(select * from ${table} where ${ids})`
      : `(select distinct on (${key}) * from ${table} where ${ids} order by ${key}, ${recordId} desc)`
  if (!isEmpty && areSumsRight) await updateSums(client, model, newest)
  // Deletions come first: a key that was deleted may be equal to one that was inserted, if the source
  // compares keys in another way than by their text.
  if (entry.counts.deleted > 0) {
    await client.query(`
      delete from ${current} as c using ${newest} as f
      where ${isGone(model, `f.${operation}`)} and ${haveSameKey(model, 'c', 'f')}`)
  }
  await client.query(`
    insert into ${current} as c (${columns})
    select ${columns} from ${newest} as f where ${isPresent(model, operation)}
    ${isEmpty ? '' : onConflict(model.key, { columns: allColumns })}`)
  if (isEmpty && areSumsRight) await computeSums(client, model)
}
