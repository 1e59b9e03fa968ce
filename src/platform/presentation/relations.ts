import { readFileSync } from 'node:fs'
import { withPostgresErrors } from '../io/postgres-errors.ts'
import type { WarehouseClient } from '../warehouse/warehouse.ts'

/** Something that can stand behind `from`. */
export interface ReadableRelation {
  /** A function's with its parameters. */
  readonly name: string
  readonly kind: 'table' | 'view' | 'function'
  /** Name and type, in order; none of a function. */
  readonly columns: readonly (readonly [name: string, type: string])[]
}

const RELATIONS = readFileSync(new URL('./relations.sql', import.meta.url), 'utf8')

/** What whoever is connected may read in the schema of the stars, by name; none before the first load. */
export async function readRelations({
  client,
  warehouse,
}: WarehouseClient): Promise<readonly ReadableRelation[]> {
  return await withPostgresErrors(warehouse, async () => {
    const { rows } = await client.query<ReadableRelation>(RELATIONS)
    return rows
  })
}
