import { ContractError } from '../errors.ts'
import type { SourceTable } from '../project/source-contract.ts'
import { type Column, lakeType, parsedType } from './lake-type.ts'
import type { LakeTable } from './table-state.ts'
import { keyPart, type Zone } from './zone.ts'

/** A source table's shape as archived: what its change files of this fingerprint look like. */
export interface ArchivedSchema {
  readonly table: string
  readonly key: readonly string[]
  readonly fingerprint: string
  readonly columns: readonly ArchivedColumn[]
}

export interface ArchivedColumn {
  readonly name: string
  readonly type: string
  readonly baseType: string
  readonly nullable: boolean
  /** The three below are missing from objects that Tidemark wrote before it kept them. */
  readonly default?: string | null
  readonly generated?: boolean
  readonly labels?: readonly string[] | null
}

function schemaKey(table: string, fingerprint: string): string {
  return `schema/${keyPart(table)}/${fingerprint}.json`
}

/** Archives a shape under its fingerprint; may be repeated. */
export async function prepareSchema(zone: Zone, schema: ArchivedSchema): Promise<void> {
  const { table, key, fingerprint, columns } = schema
  const body = `${JSON.stringify({ table, key, fingerprint, columns }, undefined, 1)}\n`
  await zone.store.putIfAbsent(zone.prefix + schemaKey(table, fingerprint), Buffer.from(body))
}

/** A table as its files of a fingerprint hold it. Throws `ContractError` when the schema is missing. */
export async function readSchema(
  zone: Zone,
  table: string,
  fingerprint: string,
): Promise<LakeTable> {
  return lakeTable(await readArchivedSchema(zone, table, fingerprint))
}

/** A shape as it was archived. Throws `ContractError` when it is missing. */
export async function readArchivedSchema(
  zone: Zone,
  table: string,
  fingerprint: string,
): Promise<ArchivedSchema> {
  const key = zone.prefix + schemaKey(table, fingerprint)
  const body = await zone.store.get(key)
  if (body === undefined) {
    throw new ContractError(`The schema ${key} is missing from ${zone.store.location}`, {
      code: 'LAKE_OBJECT_MISSING',
      hint: 'restore the object from a backup of the zone',
    })
  }
  return JSON.parse(body.toString('utf8')) as ArchivedSchema
}

/** The table with the types that check the text of its values, as a feed's files are read. */
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

/** The table's columns in the lake's types, with the former names its contract knows of. */
export function lakeTable(
  { table, key, columns }: Omit<ArchivedSchema, 'fingerprint'>,
  contract: SourceTable['columns'] = {},
): LakeTable {
  return {
    name: table,
    key,
    columns: columns.map(({ name, baseType }): Column => {
      const wanted = contract[name]
      const formerly = typeof wanted === 'object' ? wanted.formerly : undefined
      return { name, type: lakeType(baseType), ...(formerly === undefined ? {} : { formerly }) }
    }),
  }
}
