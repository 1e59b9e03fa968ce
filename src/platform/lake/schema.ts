import type { SourceTable } from '../project/source-contract.ts'
import { type Column, hasManyTexts, lakeType, parsedType } from './lake-type.ts'
import { readSchemaObject } from './schema-object.ts'
import type { LakeTable } from './table-state.ts'
import { keyPart, type Zone } from './zone.ts'
import { own } from '../project/named-record.ts'

/** A source table's schema as archived: the schema of its change files with this fingerprint. */
export interface ArchivedSchema {
  readonly table: string
  readonly key: readonly string[]
  readonly fingerprint: string
  readonly columns: readonly ArchivedColumn[]
  /** Place in the source, and the rest of what the contract says. Missing in older lakes. */
  readonly schema?: string
  readonly relation?: string
  readonly isByContent?: boolean
  readonly description?: string
}

/**
 * A column of a source table, with its type as `format_type` prints it. `baseType` is the type
 * behind a domain.
 */
export interface ArchivedColumn {
  readonly name: string
  readonly type: string
  readonly baseType: string
  readonly nullable: boolean
  /** The next three fields are missing from objects that older versions of Tidemark wrote. */
  readonly default?: string | null
  readonly generated?: boolean
  readonly labels?: readonly string[] | null
  /** The comment of the column in the source. */
  readonly description?: string
}

function schemaKey(table: string, fingerprint: string): string {
  return `schema/${keyPart(table)}/${fingerprint}.json`
}

/** Archives a schema under its fingerprint. May be repeated. */
export async function prepareSchema(zone: Zone, schema: ArchivedSchema): Promise<void> {
  const { table, key, fingerprint, columns, ...place } = schema
  const content = { table, key, fingerprint, columns, ...place }
  const body = `${JSON.stringify(content, undefined, 1)}\n`
  await zone.store.putIfAbsent(zone.prefix + schemaKey(table, fingerprint), Buffer.from(body))
}

/**
 * The table in the columns and types of its files with a fingerprint. Throws `ContractError`
 * (`LAKE_OBJECT_MISSING`) if the archived schema is missing.
 */
export async function readSchema(
  zone: Zone,
  table: string,
  fingerprint: string,
): Promise<LakeTable> {
  return lakeTable(await readArchivedSchema(zone, table, fingerprint))
}

/** An archived schema. Throws `ContractError` (`LAKE_OBJECT_MISSING`) if it is missing. */
export async function readArchivedSchema(
  zone: Zone,
  table: string,
  fingerprint: string,
): Promise<ArchivedSchema> {
  const key = zone.prefix + schemaKey(table, fingerprint)
  return (await readSchemaObject(zone, key)) as ArchivedSchema
}

/** The table in the types that check the text of its values; a feed's files are read in these. */
export function parsedTable({
  table,
  key,
  columns,
}: Omit<ArchivedSchema, 'fingerprint'>): LakeTable {
  return {
    name: table,
    key,
    columns: columns.map(({ name, baseType }) => ({ name, type: parsedType(baseType) })),
  }
}

/** The table in the lake's types, with the former names that its contract knows. */
export function lakeTable(
  { table, key, columns }: Omit<ArchivedSchema, 'fingerprint'>,
  contract: SourceTable['columns'] = {},
): LakeTable {
  return {
    name: table,
    key,
    columns: columns.map(({ name, baseType }): Column => {
      const wanted = own(contract, name)
      const formerly = typeof wanted === 'object' ? wanted.formerly : undefined
      return {
        name,
        type: lakeType(baseType),
        ...(formerly !== undefined && { formerly }),
        ...(key.includes(name) && hasManyTexts(baseType) && { hasManyTexts: true }),
      }
    }),
  }
}
