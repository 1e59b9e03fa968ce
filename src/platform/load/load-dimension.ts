import { identifier } from '../io/sql.ts'
import type { Calendar, Dimension } from '../project/model.ts'
import { haveSameKey } from '../warehouse/same-key.ts'
import { namesOf, planCopy, storeRows } from './store-rows.ts'
import { checkCount, type TableLoad } from './table-load.ts'
import { onConflict, staleKeys } from './upsert.ts'

/**
 * Upserts a batch's rows of a dimension. During a switch to another generation, also notes that the
 * new generation has these keys.
 */
export async function loadDimension(
  model: Dimension | Calendar,
  { transfer, files, expected, isEmpty, isSwitch }: TableLoad,
): Promise<void> {
  const { client } = transfer
  const plan = await planCopy(transfer, model.table, files)
  if (isEmpty && !isSwitch) {
    checkCount(model.table, { expected, rows: await storeRows(transfer, plan, model.table) })
    return
  }
  const table = identifier(model.table)
  const name = `incoming ${model.table}`
  const incoming = identifier(name)
  // Not a temporary table, because the loader may lack the right to create one.
  await client.query(`create unlogged table ${incoming} (like ${table})`)
  checkCount(model.table, { expected, rows: await storeRows(transfer, plan, name) })
  const columns = namesOf(plan)
  await client.query(`
    insert into ${table} as d (${columns})
    select ${columns} from ${incoming}
    ${onConflict(model.key, plan, 'd')}`)
  if (isSwitch) {
    await client.query(
      `delete from ${staleKeys(model)} as s using ${incoming} as i where ${haveSameKey(model, 's', 'i')}`,
    )
  }
  await client.query(`drop table ${incoming}`)
}
