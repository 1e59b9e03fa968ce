import type { IngestionEntry } from '../lake/commit-record.ts'
import { type Column, lakeType } from '../lake/lake-type.ts'
import { type ArchivedSchema, readArchivedSchema } from '../lake/schema.ts'
import { schemasSoFar } from '../lake/schemas-so-far.ts'
import type { LakeTable } from '../lake/table-state.ts'
import { warehouseType, widerType } from '../lake/warehouse-type.ts'
import type { Zone } from '../lake/zone.ts'
import type { TableShape } from '../source/table-shape.ts'

/** How a column whose type changed is compared: see `Column`. */
export type HeldType = Pick<Column, 'type' | 'was'>

/**
 * For each column whose type changed since the previous batch, the type of the lake that holds the
 * values of both. In today's type, 1.10 would be the same as the 1 that it became. A value that becomes
 * text is compared as the text that the warehouse makes of it: there the column has the widest type
 * that it ever had.
 */
export async function readHeldTypes(
  zone: Zone,
  { table, shape, previous }: { table: LakeTable; shape: TableShape; previous: IngestionEntry },
): Promise<Map<string, HeldType>> {
  const { fingerprint } = previous
  if (fingerprint === undefined || fingerprint === shape.fingerprint) return new Map()
  const before = typesOf(await readArchivedSchema(zone, table.name, fingerprint))
  const found = new Map<string, HeldType>()
  let widest: ReadonlyMap<string, string> | undefined
  for (const { name, baseType } of shape.columns) {
    const from = before.get(name)
    const now = warehouseType(baseType)
    if (from === undefined || from === now || table.key.includes(name)) continue
    const type = lakeType(widerType(from, now))
    if (type !== 'VARCHAR' || lakeType(from) === 'VARCHAR') {
      found.set(name, { type })
      continue
    }
    widest ??= await readWidest(zone, table, previous)
    const was = { type: lakeType(widest.get(name) ?? from), where: 'true' }
    found.set(name, { type, ...(was.type !== 'VARCHAR' && { was }) })
  }
  return found
}

/** The warehouse's types of a captured table's columns. */
function typesOf({ columns }: ArchivedSchema): Map<string, string> {
  return new Map(columns.map(({ name, baseType }) => [name, warehouseType(baseType)]))
}

/** The type that holds all values that a column has had, by name. */
async function readWidest(
  zone: Zone,
  table: LakeTable,
  previous: IngestionEntry,
): Promise<Map<string, string>> {
  const widest = new Map<string, string>()
  for await (const schema of schemasSoFar(zone, table.name, previous)) {
    for (const [name, type] of typesOf(schema)) {
      widest.set(name, widerType(widest.get(name) ?? type, type))
    }
  }
  return widest
}

/** The table with these types of its columns. */
export function inHeldTypes(table: LakeTable, held: ReadonlyMap<string, HeldType>): LakeTable {
  const columns = table.columns.map((column) => ({ ...column, ...held.get(column.name) }))
  return { ...table, columns }
}
