import { readFileSync } from 'node:fs'
import { withPostgresErrors } from '../io/postgres-errors.ts'
import type { PublishedColumn } from '../lake/published-schema.ts'
import { inSnapshot, type WarehouseClient } from '../warehouse/warehouse.ts'

/** A table or view of the warehouse as its catalogue describes it. */
export interface RelationSchema {
  readonly name: string
  readonly description: string | null
  /** In order. A column of a view counts as nullable: Postgres does not know. */
  readonly columns: readonly RelationColumn[]
}

/** A column with its type as `format_type` prints it, domains resolved. */
export interface RelationColumn extends Omit<PublishedColumn, 'description'> {
  readonly description: string | null
}

const RELATIONS = readFileSync(new URL('./relation-schemas.sql', import.meta.url), 'utf8')

/**
 * The relations of the warehouse with these names that a connection's role may read, by name. With
 * `withViews`, also the views that are made from them. Names that do not exist are left out.
 */
export async function readRelationSchemas(
  connection: WarehouseClient,
  { names, withViews }: { names: readonly string[]; withViews: boolean },
): Promise<readonly RelationSchema[]> {
  const { client, warehouse } = connection
  return await withPostgresErrors(warehouse, () =>
    inSnapshot(connection, async () => {
      const { rows } = await client.query<RelationSchema>(RELATIONS, [names, withViews])
      return rows
    }),
  )
}
