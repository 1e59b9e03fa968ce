import { type Deps, ingestionZone } from '../../platform/deps.ts'
import { readLastCommit } from '../../platform/lake/batch-log.ts'
import { type ArchivedColumn, readArchivedSchema } from '../../platform/lake/schema.ts'
import { warehouseType } from '../../platform/lake/warehouse-type.ts'

/** What the source says of columns and the warehouse does not, by table and column. */
export type SourceNotes = ReadonlyMap<string, ReadonlyMap<string, string>>

/**
 * What the source says of a mirror's columns and the warehouse does not: a type that is `text` there,
 * such as an enum with its labels, and that a column is never null. Of another project: nothing, because
 * its models make the columns. Reads the newest schemas in the lake.
 */
export async function readSourceNotes(deps: Deps): Promise<SourceNotes> {
  const found = new Map<string, ReadonlyMap<string, string>>()
  if (deps.project.mirror === undefined) return found
  const zone = ingestionZone(deps)
  const record = await readLastCommit(zone)
  for (const [table, { fingerprint }] of Object.entries(record?.tables ?? {})) {
    if (fingerprint === undefined) continue
    const { columns, key } = await readArchivedSchema(zone, table, fingerprint)
    const notes = columns.flatMap((column): [string, string][] => {
      const note = noteOn(column, key.includes(column.name))
      return note === undefined ? [] : [[column.name, note]]
    })
    found.set(table, new Map(notes))
  }
  return found
}

function noteOn(
  { type, baseType, labels, nullable }: ArchivedColumn,
  isKey: boolean,
): string | undefined {
  const isRequired = !nullable && !isKey
  if (type === warehouseType(baseType)) return isRequired ? 'Not null in the source.' : undefined
  const values = labels?.map((label) => `'${label}'`).join(', ')
  const written = values === undefined ? type : `${type} (${values})`
  return `In the source: \`${written}\`${isRequired ? ', not null' : ''}.`
}
