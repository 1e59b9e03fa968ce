import { ConfigError } from '../errors.ts'
import type { Project } from './project.ts'
import { capturedTables } from './source-contract.ts'

/** Tables that a person may name, and what they are called. */
export interface NamedTables {
  readonly what: string
  readonly names: readonly string[]
}

/** The tables of the source, and the feeds beside them. */
export function sourceTables({ source }: Project): NamedTables {
  return { what: 'source table', names: capturedTables(source).map(({ name }) => name) }
}

/** The tables of the database: what feeds bring is never deleted. */
export function databaseTables({ source }: Project): NamedTables {
  return { what: 'table of the database', names: source.tables.map(({ name }) => name) }
}

/** Like `sourceTables`, with the tables of the star schema. */
export function sourceAndStarTables(project: Project): NamedTables {
  const stars = project.models.map(({ table }) => table)
  return { what: 'source or star table', names: [...sourceTables(project).names, ...stars] }
}

/**
 * The tables that a verification compares: those of the database, and the star schema. Files and
 * answers of feeds cannot be read again, so there is nothing to compare a feed with.
 */
export function comparedTables({ source, models }: Project): NamedTables {
  const names = [...source.tables.map(({ name }) => name), ...models.map(({ table }) => table)]
  return { what: 'table to compare', names }
}

/** Throws `ConfigError` (`UNKNOWN_TABLE`), with all names in the hint, for any other name. */
export function checkKnown(table: string, { what, names }: NamedTables): void {
  if (names.includes(table)) return
  throw new ConfigError(`There is no ${what} called ${table}`, {
    code: 'UNKNOWN_TABLE',
    hint: `one of: ${names.join(', ')}`,
  })
}
