import { readExistingCommit } from '../lake/batch-log.ts'
import type { IngestionEntry } from '../lake/commit-record.ts'
import { type Column, lakeType } from '../lake/lake-type.ts'
import { readArchivedSchema } from '../lake/schema.ts'
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
  const before = await readTypes(zone, table, fingerprint)
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
async function readTypes(
  zone: Zone,
  { name }: LakeTable,
  fingerprint: string,
): Promise<Map<string, string>> {
  const { columns } = await readArchivedSchema(zone, name, fingerprint)
  return new Map(columns.map((column) => [column.name, warehouseType(column.baseType)]))
}

/** The type that holds all values that a column has had, by name. */
async function readWidest(
  zone: Zone,
  table: LakeTable,
  previous: IngestionEntry,
): Promise<Map<string, string>> {
  const widest = new Map<string, string>()
  for (let entry: IngestionEntry | undefined = previous; entry?.fingerprint !== undefined;) {
    for (const [name, type] of await readTypes(zone, table, entry.fingerprint)) {
      widest.set(name, widerType(widest.get(name) ?? type, type))
    }
    const earlier: number = (entry.shapeSince ?? 1) - 1
    if (earlier === 0) break
    entry = (await readExistingCommit(zone, earlier)).tables[table.name]
  }
  return widest
}

/** The table with these types of its columns. */
export function inHeldTypes(table: LakeTable, held: ReadonlyMap<string, HeldType>): LakeTable {
  const columns = table.columns.map((column) => ({ ...column, ...held.get(column.name) }))
  return { ...table, columns }
}
