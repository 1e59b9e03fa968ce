import type { Client } from '../io/postgres.ts'
import { identifier } from '../io/sql.ts'
import type { Fact } from '../project/model.ts'

/** A column of a relation in the warehouse, with its type as Postgres writes it. */
export interface WarehouseColumn {
  readonly name: string
  readonly type: string
}

/** Columns of a relation, in order, given its quoted name; none if it does not exist. */
export async function readColumns(
  client: Client,
  relation: string,
): Promise<readonly WarehouseColumn[]> {
  const { rows } = await client.query<WarehouseColumn>(
    `select attname as name, format_type(atttypid, atttypmod) as type from pg_attribute
     where attrelid = to_regclass($1) and attnum > 0 and not attisdropped
     order by attnum`,
    [relation],
  )
  return rows
}

/** The names of the columns that a fact has in the warehouse, in order. */
export async function readColumnNames(
  client: Client,
  { table }: Pick<Fact, 'table'>,
): Promise<string[]> {
  return (await readColumns(client, identifier(table))).map(({ name }) => name)
}
