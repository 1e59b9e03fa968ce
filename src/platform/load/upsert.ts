import { identifier, identifiers } from '../io/sql.ts'
import type { Model } from '../project/model.ts'
import type { CopyPlan } from './store-rows.ts'

/**
 * SQL clause that turns an insert into an upsert. With the target's `alias`, it updates only rows
 * that differ. They are compared as text, because json, xml and points cannot be compared for
 * equality. A table with only key columns has nothing to update.
 */
export function onConflict(
  key: readonly string[],
  { columns }: Pick<CopyPlan, 'columns'>,
  alias?: string,
): string {
  const values = columns.filter((name) => !key.includes(name)).map(identifier)
  if (values.length === 0) return `on conflict (${identifiers(key)}) do nothing`
  const set = values.map((column) => `${column} = excluded.${column}`).join(', ')
  if (alias === undefined) return `on conflict (${identifiers(key)}) do update set ${set}`
  const before = values.map((column) => `${alias}.${column}`).join(', ')
  const after = values.map((column) => `excluded.${column}`).join(', ')
  const where = `where (${before})::text is distinct from (${after})::text`
  return `on conflict (${identifiers(key)}) do update set ${set} ${where}`
}

/**
 * Name of the table with the keys of the dimension rows that only the old generation has, so far.
 */
export function staleKeys(model: Model): string {
  return identifier(`stale ${model.table}`)
}
