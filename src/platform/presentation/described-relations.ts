import { readFileSync } from 'node:fs'
import { withPostgresErrors } from '../io/postgres-errors.ts'
import type { PublishedColumn } from '../lake/published-schema.ts'
import { inSnapshot, type WarehouseClient } from '../warehouse/warehouse.ts'

/** A table or view of the warehouse as its catalogue describes it. */
export interface DescribedRelation {
  readonly name: string
  readonly description: string | null
  /** In order. A column of a view counts as nullable: Postgres does not know. */
  readonly columns: readonly DescribedColumn[]
}

/** A column with its type as `format_type` prints it, domains resolved. */
export interface DescribedColumn extends Omit<PublishedColumn, 'description'> {
  readonly description: string | null
}

const RELATIONS = readFileSync(new URL('./described-relations.sql', import.meta.url), 'utf8')

/**
 * The relations of the warehouse with these names that a connection's role may read, by name. With
 * `withViews`, also the views that are made from them. Names that do not exist are left out.
 */
export async function readDescribedRelations(
  connection: WarehouseClient,
  { names, withViews }: { names: readonly string[]; withViews: boolean },
): Promise<readonly DescribedRelation[]> {
  const { client, warehouse } = connection
  return await withPostgresErrors(warehouse, () =>
    inSnapshot(connection, async () => {
      const { rows } = await client.query<DescribedRelation>(RELATIONS, [names, withViews])
      return rows
    }),
  )
}
