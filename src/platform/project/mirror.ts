import { ConfigError } from '../errors.ts'
import type { CatalogueTable } from './catalogue-table.ts'
import type { MirroredTableSettings, MirrorSettings } from './mirror-settings.ts'
import { findNameClash, type NameClash } from './mirrored-names.ts'
import { shortName } from './names.ts'
import { nearestName } from './nearest-name.ts'
import { parsePattern, patternOf, type SelectedTable, selectTables } from './patterns.ts'
import type { SourceTable } from './source-contract.ts'

/** More would take hours to capture, and nobody reads them. */
export const MAX_MIRRORED_TABLES = 1000

/** The key of a table by content: a hash of the row. */
export const CONTENT_KEY = 'row_hash'
/** How many equal rows a table by content has. */
export const CONTENT_COUNT = 'row_count'

/** A table that a mirror does not keep. */
export interface UnmirroredTable {
  /** Its place in the source, as a pattern that matches it. */
  readonly relation: string
  readonly why: 'not selected' | 'not readable' | 'view' | 'no key'
}

/** The tables that a mirror keeps, and those it does not. */
export interface Mirrored {
  readonly tables: readonly SourceTable[]
  readonly leftOut: readonly UnmirroredTable[]
}

/**
 * The source tables of a mirror, in the order of the catalogue. A table of the default schema keeps its
 * name, another one is called `<schema>_<table>`. A table without a key is kept by content. A view is
 * kept if the settings ask for all views, or declare its key. Pure.
 *
 * Throws `ConfigError` if a pattern is wrong (`selectTables` says how), if settings name a table or a
 * column that the source does not have (`PATTERN_MATCHES_NOTHING`), if two tables need one name
 * (`NAMES_CLASH`), or if there are more tables than a mirror can keep (`TOO_MANY_TABLES`) or none at
 * all (`NO_TABLES`). If `isKnown` says that one of two such tables was captured before, the other
 * one gets a `clash` instead, by which it is held.
 */
export function mirroredTables(
  catalogue: readonly CatalogueTable[],
  settings: MirrorSettings,
  options: { defaultSchema: string; isKnown?: (table: SourceTable) => boolean },
): Mirrored {
  const mirrored = mirrorCandidates(catalogue, settings, options)
  return { ...mirrored, tables: holdClashing(mirrored.tables, options.isKnown) }
}

/** Like `mirroredTables`, for a caller that looks for clashes of names itself. */
export function mirrorCandidates(
  catalogue: readonly CatalogueTable[],
  settings: MirrorSettings,
  { defaultSchema }: { defaultSchema: string },
): Mirrored {
  const declared = declareKeys(catalogue, settings)
  const selected = new Map(
    selectTables(declared.tables, settings).map((each) => [each.table, each]),
  )
  const tables: SourceTable[] = []
  const leftOut: UnmirroredTable[] = []
  for (const table of declared.tables) {
    const kept = selected.get(table)
    const own = declared.settings.get(table) ?? {}
    const why = whyLeftOut(kept, { settings, own })
    const relation = patternOf(table.schema, table.relation)
    if (kept === undefined || why !== undefined) {
      leftOut.push({ relation, why: why ?? 'not selected' })
    } else tables.push(sourceTable(kept, { own, defaultSchema }))
  }
  checkCount(catalogue, tables, leftOut)
  return { tables, leftOut }
}

/** The catalogue with the keys that the settings declare, and the settings of each table. */
interface Declared {
  readonly tables: readonly CatalogueTable[]
  readonly settings: ReadonlyMap<CatalogueTable, MirroredTableSettings>
}

function declareKeys(
  catalogue: readonly CatalogueTable[],
  { tables = {} }: MirrorSettings,
): Declared {
  const places = new Map(catalogue.map((table) => [placeOf(table), table]))
  const byTable = new Map<CatalogueTable, MirroredTableSettings>()
  for (const [place, own] of Object.entries(tables)) {
    const table = places.get(patternOf(...parsePattern(place).parts.map(({ name }) => name)))
    if (table === undefined) {
      throw unknown(`mirror.tables names ${place}, which the source does not have`, {
        written: place,
        names: places.keys(),
      })
    }
    const names = table.columns.map(({ name }) => name)
    const missing = own.key?.find((column) => !names.includes(column))
    if (missing !== undefined) {
      throw unknown(
        `mirror.tables gives ${place} the key column ${missing}, which it does not have`,
        { written: missing, names },
      )
    }
    byTable.set(table, own)
  }
  const settings = new Map<CatalogueTable, MirroredTableSettings>()
  const declared = catalogue.map((table) => {
    const own = byTable.get(table)
    if (own === undefined) return table
    const keyed = { ...table, key: own.key ?? table.key }
    settings.set(keyed, own)
    return keyed
  })
  return { tables: declared, settings }
}

function placeOf({ schema, relation }: CatalogueTable): string {
  return patternOf(schema, relation)
}

/** The error for a name in the settings that the source does not have. */
function unknown(
  message: string,
  { written, names }: { written: string; names: Iterable<string> },
): ConfigError {
  const near = nearestName(written, names, Math.max(2, Math.floor(written.length / 4)))
  return new ConfigError(message, {
    code: 'PATTERN_MATCHES_NOTHING',
    hint: `${near === undefined ? '' : `did you mean ${near}? `}Correct it or remove it; capitals count`,
  })
}

/** Why a table is not mirrored; undefined if it is. */
function whyLeftOut(
  selected: SelectedTable | undefined,
  { settings, own }: { settings: MirrorSettings; own: MirroredTableSettings },
): UnmirroredTable['why'] | undefined {
  if (selected === undefined) return 'not selected'
  const { table, exclude } = selected
  if (!table.isReadable) return 'not readable'
  const isTable = table.kind === 'table' || table.kind === 'partitioned'
  if (!isTable && settings.views !== true && own.key === undefined) return 'view'
  if (table.key !== undefined) return undefined
  // Nothing tells rows apart that have no column left.
  const isEmpty = !table.columns.some(
    ({ name, isReadable }) => isReadable && !exclude.includes(name),
  )
  return isEmpty || settings.withoutKey === 'leave' ? 'no key' : undefined
}

function sourceTable(
  { table, exclude }: SelectedTable,
  { own, defaultSchema }: { own: MirroredTableSettings; defaultSchema: string },
): SourceTable {
  const { schema, relation, key, comment } = table
  const said = table.columns.flatMap((column): [string, string][] =>
    column.comment === undefined ? [] : [[column.name, column.comment]],
  )
  const usual = schema === defaultSchema ? relation : `${schema}_${relation}`
  return {
    name: shortName(own.name ?? usual),
    schema,
    relation,
    key: key ?? [CONTENT_KEY],
    ...(exclude.length > 0 && { exclude }),
    ...(key === undefined && { isByContent: true }),
    ...(own.key !== undefined && { keyIsUnenforced: true }),
    ...(comment !== undefined && { description: comment }),
    ...(said.length > 0 && { descriptions: Object.fromEntries(said) }),
  }
}

/** Throws if there are too many tables, or none. */
function checkCount(
  catalogue: readonly CatalogueTable[],
  tables: readonly SourceTable[],
  leftOut: readonly UnmirroredTable[],
): void {
  if (tables.length > MAX_MIRRORED_TABLES) {
    throw new ConfigError(
      `The source has ${tables.length} tables to mirror, more than ${MAX_MIRRORED_TABLES}`,
      {
        code: 'TOO_MANY_TABLES',
        hint: "name those you need, such as --select 'sales.*', or leave some out, such as --exclude 'tmp_*'",
      },
    )
  }
  if (tables.length > 0) return
  const { message, hint } = sayNone(catalogue, leftOut)
  throw new ConfigError(message, { code: 'NO_TABLES', hint })
}

/** Why no table at all is mirrored, and what to do. */
function sayNone(
  catalogue: readonly CatalogueTable[],
  leftOut: readonly UnmirroredTable[],
): { message: string; hint: string } {
  if (catalogue.length === 0) {
    return {
      message: 'The database has no table',
      hint: 'check that TIDEMARK_SOURCE_URL names the right database',
    }
  }
  const count = catalogue.length === 1 ? 'the only table' : `any of the ${catalogue.length} tables`
  const forbidden = leftOut.find(({ why }) => why === 'not readable')
  if (forbidden !== undefined && !catalogue.some(({ isReadable }) => isReadable)) {
    const schema = catalogue.find((table) => placeOf(table) === forbidden.relation)?.schema ?? ''
    const name = patternOf(schema)
    return {
      message: `This user may not read ${count} of the database`,
      hint: `as their owner, for each schema: grant usage on schema ${name} to <user>; grant select on all tables in schema ${name} to <user>`,
    }
  }
  const reasons = [...new Set(leftOut.map(({ why }) => why))]
    .map((why) => `${leftOut.filter((each) => each.why === why).length} ${SAID[why]}`)
    .join(', ')
  return {
    message: `The settings keep no table of the database: ${reasons}`,
    hint: 'select more, or change what the settings leave out',
  }
}

/** How many tables … */
const SAID: Readonly<Record<UnmirroredTable['why'], string>> = {
  'not selected': 'not selected',
  'not readable': 'not readable by this user',
  view: 'views or foreign tables, which mirror.views keeps',
  'no key': 'without a key, which mirror.withoutKey keeps',
}

/**
 * The tables, those held that need a name which another table had before. Throws if two tables need one
 * name, or a table needs a name of the platform, and nothing was captured yet.
 */
function holdClashing(
  tables: readonly SourceTable[],
  isKnown: ((table: SourceTable) => boolean) | undefined,
): readonly SourceTable[] {
  const found = findNameClash(tables)
  if (found === undefined) return tables
  const late = [found.table, found.other].find((each) => each !== undefined && !isKnown?.(each))
  if (isKnown === undefined || late === undefined) throw clashError(found)
  const others = holdClashing(
    tables.filter((table) => table !== late),
    isKnown,
  )
  const { message, hint } = clashError(found)
  const isFree = others.every(({ name }) => name.toLowerCase() !== late.name.toLowerCase())
  const name = isFree ? late.name : patternOf(late.schema ?? '', late.relation ?? late.name)
  return [...others, { ...late, name, clash: `${message}: ${hint}` }]
}

function clashError({ table, other, name, proposal }: NameClash): ConfigError {
  const places = [other, table].flatMap((each) =>
    each === undefined ? [] : [patternOf(each.schema ?? '', each.relation ?? each.name)],
  )
  const setting = `mirror: { tables: { '${places.at(-1)}': { name: '${proposal}' } } }`
  return new ConfigError(
    other === undefined
      ? `Table ${places[0]} cannot be called ${table.name}: Tidemark's own tables have such names`
      : `Tables ${places.join(' and ')} both need the name ${name}, in these or other capitals`,
    { code: 'NAMES_CLASH', hint: `give one another name in the project: ${setting}` },
  )
}
