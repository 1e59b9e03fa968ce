import { lakeType } from '../lake/lake-type.ts'
import { readArchivedSchema } from '../lake/schema.ts'
import type { LakeTable } from '../lake/table-state.ts'
import { warehouseType, widerType } from '../lake/warehouse-type.ts'
import type { Zone } from '../lake/zone.ts'
import type { TableShape } from '../source/table-shape.ts'

/**
 * For each column whose type changed since the previous batch, the type of the lake that holds the
 * values of both. In today's type, 1.10 would be the same as the 1 that it became.
 */
export async function readHeldTypes(
  zone: Zone,
  {
    table,
    shape,
    fingerprint,
  }: { table: LakeTable; shape: TableShape; fingerprint: string | undefined },
): Promise<Map<string, string>> {
  if (fingerprint === undefined || fingerprint === shape.fingerprint) return new Map()
  const { columns } = await readArchivedSchema(zone, table.name, fingerprint)
  const before = new Map(columns.map(({ name, baseType }) => [name, baseType]))
  return new Map(
    shape.columns.flatMap(({ name, baseType }): [string, string][] => {
      const from = before.get(name)
      if (from === undefined || from === baseType || table.key.includes(name)) return []
      return [[name, lakeType(widerType(warehouseType(from), warehouseType(baseType)))]]
    }),
  )
}

/** The table with these types of its columns. */
export function inHeldTypes(table: LakeTable, held: ReadonlyMap<string, string>): LakeTable {
  const columns = table.columns.map((column) => ({
    ...column,
    type: held.get(column.name) ?? column.type,
  }))
  return { ...table, columns }
}
