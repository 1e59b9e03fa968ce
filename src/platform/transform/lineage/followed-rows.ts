import { openTogether } from '../../io/open-together.ts'
import { identifier } from '../../io/sql.ts'
import type { Column } from '../../lake/lake-type.ts'
import type { Relation } from '../../io/duckdb.ts'
import { CHANGE_TYPES, readFiles, type SourceView } from '../source-files.ts'
import { changesOf } from '../source-view.ts'
import {
  type ChangedTable,
  readDeterministic,
  rowsThrough,
  selectRefusedKeys,
} from './affected-rows.ts'
import { planFollowedRoutes, type Step } from './change-routes.ts'
import { type Parser, parseSelect } from './parsed-select.ts'

/** A fact's model, and the changes that may reach its rows. */
export interface FollowedModel {
  readonly sql: string
  /** The fact's key, in the order of the key of `from`, and the types of its columns. */
  readonly key: readonly string[]
  readonly columns: readonly Column[]
  readonly from: SourceView
  /** Every source table. The tables that the model reads must be open as of the batch. */
  readonly views: readonly SourceView[]
  /** The source tables that the fact is made from and the batch changes, `from` among them. */
  readonly changed: readonly ChangedTable[]
  /** Local files of the fact's rows in quarantine. */
  readonly refused: readonly string[]
}

/**
 * The keys of the fact's rows that this batch can change: of changed rows of `from`, of rows that
 * lead to a changed row of another table, and of rows in quarantine. A key need not exist any more.
 * Undefined if any row may be reached. Dispose of the relation after use.
 */
export async function openFollowedKeys(
  parser: Parser,
  { sql, key, columns, from, views, changed, refused }: FollowedModel,
): Promise<Relation | undefined> {
  const { db } = parser
  const { node, names, functions } = await parseSelect(parser, sql)
  const own = changesOf(from.name)
  const base = { ...from, name: own, columns: [...from.columns, ...CHANGE_TYPES.map(asViewed)] }
  const routes = planFollowedRoutes({
    node,
    from: own,
    views: [...views, base],
    functions: await readDeterministic(parser, functions),
  })
  // A select that cannot be followed may make a row from other rows of `from`.
  if (routes === undefined) return undefined
  // The table itself beside its changes is joined like any other table.
  const isJoinedToItself = names.has(from.name.toLowerCase())
  const arms: string[] = []
  for (const { view, paths } of changed) {
    const files = await readFiles(db, view, paths)
    const ways: (readonly Step[] | undefined)[] = view.name === from.name ? [[]] : []
    if (view.name !== from.name || isJoinedToItself) ways.push(routes.get(view.name))
    for (const steps of ways) {
      if (steps === undefined) return undefined
      // The rows behind `change_<from>` are those of the table itself.
      const named = steps.map((step): Step =>
        step.table === own ? { ...step, table: from.name } : step,
      )
      const way = { rows: files.rows(paths), key: view.key, steps: named }
      arms.push(`select ${renamed(from.key, key)} from ${rowsThrough(way, views)}`)
    }
  }
  if (refused.length > 0) {
    const rows = selectRefusedKeys(refused, { key, columns })
    if (rows === undefined) return undefined
    arms.push(`from ${rows}`)
  }
  return await openTogether(async (keep) => {
    return keep(await db.table(`select distinct * from (${arms.join(' union all by name ')})`))
  })
}

function asViewed(column: Column): SourceView['columns'][number] {
  return { ...column, formerly: [] }
}

/** A select list of the columns `from` under the names `to`. */
export function renamed(from: readonly string[], to: readonly string[]): string {
  return from
    .map((name, index) => `${identifier(name)} as ${identifier(to[index] ?? name)}`)
    .join(', ')
}
