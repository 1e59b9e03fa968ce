import { readFileSync } from 'node:fs'
import { withPostgresErrors } from '../io/postgres-errors.ts'
import type { WarehouseClient } from '../warehouse/warehouse.ts'

/** A relation or function that can follow `from` in a statement. */
export interface ReadableRelation {
  /** The name; for a function, with its parameters. */
  readonly name: string
  readonly kind: 'table' | 'view' | 'function'
  /** Name and type of each column, in order; none for a function. */
  readonly columns: readonly (readonly [name: string, type: string])[]
}

const RELATIONS = readFileSync(new URL('./relations.sql', import.meta.url), 'utf8')

/**
 * The relations and functions that a connection's role may read in the warehouse's schema, by name;
 * none before the first load. Read-only.
 */
export async function readRelations({
  client,
  warehouse,
}: WarehouseClient): Promise<readonly ReadableRelation[]> {
  return await withPostgresErrors(warehouse, async () => {
    const { rows } = await client.query<ReadableRelation>(RELATIONS)
    return rows
  })
}
