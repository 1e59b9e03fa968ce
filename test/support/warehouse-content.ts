import { identifier } from '../../src/platform/io/sql.ts'
import type { TestDatabase } from './database.ts'

/**
 * Every row of every table and view of the warehouse, as sorted text by name, without Tidemark's own
 * tables. Columns come in the order of their names.
 */
export async function readContent(
  warehouse: TestDatabase,
  schema = 'public',
): Promise<Record<string, readonly string[]>> {
  const relations = await warehouse.query<{ name: string; columns: string[] }>(
    `select relname as name, array_agg(attname::text order by attname) as columns
     from pg_class join pg_attribute on attrelid = pg_class.oid
     where relnamespace = to_regnamespace($1) and relkind in ('r', 'v')
       and relname !~ '^tidemark_' and attnum > 0 and not attisdropped
     group by 1 order by 1`,
    [schema],
  )
  const content: Record<string, readonly string[]> = {}
  for (const { name, columns } of relations) {
    const list = columns.map((column) => identifier(column)).join(', ')
    const rows = await warehouse.query<{ row: string }>(
      `select row(${list})::text as row from ${identifier(schema)}.${identifier(name)} order by 1`,
    )
    content[name] = rows.map(({ row }) => row)
  }
  return content
}
