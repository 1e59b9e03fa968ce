import { identifier } from '../io/sql.ts'
import type { Calendar, Dimension } from '../project/model.ts'
import { copyAside, storeRows, namesOf, planCopy } from './store-rows.ts'
import { checkCount, type TableLoad } from './table-load.ts'
import { haveSameKey, onConflict, staleKeys } from './upsert.ts'

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
  const incoming = await copyAside(transfer, plan, model.table)
  checkCount(model.table, { expected, rows: incoming.rows })
  const columns = namesOf(plan)
  await client.query(`
    insert into ${identifier(model.table)} as d (${columns})
    select ${incoming.values} from ${incoming.name}
    ${onConflict(model.key, plan, 'd')}`)
  if (isSwitch) {
    await client.query(`
      delete from ${staleKeys(model)} as s
      using (select ${incoming.values} from ${incoming.name}) as i (${columns})
      where ${haveSameKey(model, 's', 'i')}`)
  }
  await incoming.drop()
}
