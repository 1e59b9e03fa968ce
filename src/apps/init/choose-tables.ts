import type { CatalogueColumn, CatalogueTable } from '../../platform/project/catalogue-table.ts'
import { mirrorCandidates, type UnmirroredTable } from '../../platform/project/mirror.ts'
import type { MirrorSettings } from '../../platform/project/mirror-settings.ts'
import { findNameClash } from '../../platform/project/mirrored-names.ts'
import { patternOf } from '../../platform/project/patterns.ts'
import type { SourceTable } from '../../platform/project/source-contract.ts'
import { looksSecret } from '../../platform/project/secret-columns.ts'

/** A table that a project keeps. */
export interface ChosenTable {
  /** As the project declares it, without the columns to leave out. */
  readonly table: SourceTable
  readonly found: CatalogueTable
  /** The columns that are kept: this user may read them, and nothing leaves them out. */
  readonly columns: readonly CatalogueColumn[]
  /** The kept columns that look like secrets and can be left out. */
  readonly secrets: readonly string[]
}

/** What a project keeps of a source, and what it does not. */
export interface ChosenTables {
  /** The schema whose tables are called by their names alone. */
  readonly schema: string
  readonly tables: readonly ChosenTable[]
  readonly leftOut: readonly UnmirroredTable[]
  /** Names for tables whose usual names clash, by their places in the source. */
  readonly names: Readonly<Record<string, { readonly name: string }>>
}

/**
 * Chooses the tables of a project: those that a mirror with the same patterns keeps, each under a name
 * that is free. Pure. Throws what `mirroredTables` throws, but for clashes, which it resolves.
 */
export function chooseTables(
  catalogue: readonly CatalogueTable[],
  settings: Omit<MirrorSettings, 'tables'>,
): ChosenTables {
  const first = mirrorCandidates(catalogue, settings, { defaultSchema: 'public' })
  const schema = commonSchema(first.tables)
  const names: Record<string, { name: string }> = {}
  for (;;) {
    const options = { defaultSchema: schema }
    const { tables, leftOut } = mirrorCandidates(catalogue, { ...settings, tables: names }, options)
    const clash = findNameClash(tables)
    if (clash === undefined) {
      const places = new Map(catalogue.map((found) => [placeInSource(found), found]))
      const chosen = tables.flatMap((table) => {
        const found = places.get(placeInSource(table))
        return found === undefined ? [] : [chosenTable(table, found)]
      })
      return { schema, tables: chosen, leftOut, names }
    }
    names[placeInSource(clash.table)] = { name: clash.proposal }
  }
}

/** The only schema of all tables, or else `public`. */
function commonSchema(tables: readonly SourceTable[]): string {
  const [schema = 'public', ...others] = new Set(tables.map((table) => table.schema))
  return others.length > 0 ? 'public' : schema
}

function chosenTable({ exclude = [], ...table }: SourceTable, found: CatalogueTable): ChosenTable {
  const columns = found.columns.filter(
    ({ name, isReadable }) => isReadable && !exclude.includes(name),
  )
  const secrets = columns
    .filter((column) => looksSecret(column) && !table.key.includes(column.name))
    .map(({ name }) => name)
  // A row that is its values needs one that is left.
  const canGo = secrets.length < columns.length
  return { table, found, columns, secrets: canGo ? secrets : [] }
}

/** Where a table is in the source, as a pattern that matches only it. */
export function placeInSource({
  schema = '',
  relation = '',
}: Pick<SourceTable, 'schema' | 'relation'>): string {
  return patternOf(schema, relation)
}

/** The chosen tables without their columns that look like secrets. */
export function withoutSecrets(chosen: ChosenTables): ChosenTables {
  const tables = chosen.tables.map((each) => ({
    ...each,
    columns: each.columns.filter(({ name }) => !each.secrets.includes(name)),
  }))
  return { ...chosen, tables }
}
