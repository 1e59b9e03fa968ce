import { readFileSync } from 'node:fs'
import { codeOf, ConfigError } from '../errors.ts'
import { withPostgresErrors } from '../io/postgres-errors.ts'
import { identifier } from '../io/sql.ts'
import { SQL_STATE } from '../io/sql-states.ts'
import {
  currentTable,
  historyColumns,
  historyView,
  storedHistory,
  viewedHistory,
} from '../project/fact-names.ts'
import type { Fact } from '../project/model.ts'
import { namedRecord } from '../project/named-record.ts'
import type { Project } from '../project/project.ts'
import { inSnapshot, type WarehouseClient } from '../warehouse/warehouse.ts'

/** How a version came about. A row leaves if the fact's model no longer selects it. */
export type VersionOperation = 'insert' | 'update' | 'delete' | 'leave'

/** Whether a version is the end of a row, whose last values it carries. */
export function isEnd({ operation }: Pick<FactVersion, 'operation'>): boolean {
  return operation === 'delete' || operation === 'leave'
}

/** One version of a fact. */
export interface FactVersion {
  readonly version: number
  /** The version's surrogate key, as text. */
  readonly recordId: string
  readonly operation: VersionOperation
  /** ISO 8601 UTC with microseconds. `validTo` is undefined for the newest version. */
  readonly validFrom: string
  readonly validTo: string | undefined
  readonly batch: number
  /** Every column of the fact itself as Postgres prints it, in the table's order; undefined for null. */
  readonly values: Readonly<Record<string, string | undefined>>
  /** Names of the columns that differ from the version before. */
  readonly changed: readonly string[]
}

/** All versions of one fact. */
export interface FactHistory {
  readonly table: string
  readonly key: readonly string[]
  /** The fact in the domain's words; undefined if the domain has none for it. */
  readonly headline: string | undefined
  readonly versions: readonly FactVersion[]
}

/**
 * The versions that were captured up to a moment (ISO 8601 UTC with microseconds). The last of them is
 * the state at that moment. Pure.
 */
export function upTo({ versions, ...history }: FactHistory, moment: string): FactHistory {
  return { ...history, versions: versions.filter(({ validFrom }) => validFrom <= moment) }
}

/**
 * The fact that people mean by the name of a source or warehouse table, in singular or plural. The
 * name may have the schema of the source table: `hr.shift`.
 * Throws `ConfigError` (`UNKNOWN_TABLE`), with all facts in the hint, if no fact fits.
 */
export function findFact(project: Project, name: string): Fact {
  const facts = project.models.filter((model) => model.kind === 'fact')
  const bare = (table: string) =>
    table
      .toLowerCase()
      .replace(/^fact_/, '')
      .replace(/s$/, '')
  const { schema: usual, tables } = project.source
  const relations = new Map(
    tables.map(({ name: own, schema = usual, relation = own }) => [own, `${schema}.${relation}`]),
  )
  const found =
    facts.find(({ table, from }) => table === name || from === name) ??
    facts.find(({ from }) => relations.get(from) === name) ??
    facts.find((fact) => bare(fact.table) === bare(name) || bare(fact.from) === bare(name))
  if (found !== undefined) return found
  throw new ConfigError(`No table called ${name} has a history`, {
    code: 'UNKNOWN_TABLE',
    hint: `one of: ${facts.map((fact) => fact.from).join(', ')}`,
  })
}

/**
 * Throws `ConfigError` (`BAD_KEY`) if a fact's key has another number of columns. Whether a value
 * has the column's type, only the warehouse knows.
 */
export function checkFactKey(fact: Fact, key: readonly string[]): void {
  if (key.length === fact.key.length) return
  throw new ConfigError(`The key of ${fact.from} is (${fact.key.join(', ')})`, {
    code: 'BAD_KEY',
    hint: `give ${fact.key.length === 1 ? 'one value' : `${fact.key.length} values, separated by commas`}`,
  })
}

/** Which versions of a fact to read. */
export interface HistoryOptions {
  /** At most this many of the newest versions. Default: every version. */
  readonly newest?: number
}

/**
 * Reads the versions of one fact, oldest first; none for a key that never existed. A key with
 * several columns is given as its values in order. Throws `ConfigError` if the values cannot be a
 * key of this fact (`BAD_KEY`), or if the warehouse has never been loaded (`WAREHOUSE_EMPTY`).
 */
export async function readHistory(
  connection: WarehouseClient,
  fact: Fact,
  key: readonly string[],
  options: HistoryOptions = {},
): Promise<FactHistory> {
  return await withPostgresErrors(connection.warehouse, () =>
    inSnapshot(connection, () => readVersions(connection, fact, { key, ...options })),
  )
}

/** How many of the newest changes are looked at for a fact with a history. */
const NEWEST_CHANGES = 1000

/**
 * The key of an existing fact with many versions, as an example for people: the one with most of the
 * last thousand changes. Without changes: the newest fact. Undefined if there is none. Throws what
 * reading throws.
 */
export async function findExample(
  connection: WarehouseClient,
  fact: Fact,
): Promise<readonly string[] | undefined> {
  const names = fact.key.map((column) => identifier(column))
  const same = names.map((name) => `c.${name} = f.${name}`).join(' and ')
  const [table, current] = [identifier(fact.table), identifier(currentTable(fact))]
  const newest = `order by ${identifier(fact.recordId)} desc`
  const { rows } = await withPostgresErrors(connection.warehouse, () =>
    inSnapshot(connection, () =>
      connection.client.query<{ key: readonly string[] }>(
        `with change as (
            select * from ${table} where ${identifier(historyColumns(fact).operation)} <> 'insert' ${newest} limit ${NEWEST_CHANGES}
         ),
         example as (
            (select 1 as choice, count(*) as versions, ${names.map((name) => `f.${name}`).join(', ')}
             from change as f
             where exists (select from ${current} as c where ${same})
             group by ${names.map((name) => `f.${name}`).join(', ')})
            union all
            (select 2, 1, ${names.join(', ')} from ${current} ${newest} limit 1)
         )
         select array[${names.map((name) => `${name}::text`).join(', ')}] as key
         from example order by choice, versions desc, ${names.join(', ')} limit 1`,
      ),
    ),
  )
  return rows[0]?.key
}

async function readVersions(
  { client, warehouse }: WarehouseClient,
  fact: Fact,
  { key, newest }: HistoryOptions & { readonly key: readonly string[] },
): Promise<FactHistory> {
  checkFactKey(fact, key)
  const told = historyColumns(fact)
  const about = new Set([fact.recordId, ...storedHistory(fact), ...viewedHistory(fact)])
  const where = fact.key.map((column, index) => `${identifier(column)} = $${index + 1}`)
  const names = await readViewColumns({ client, warehouse }, fact)
  const { rows } = await withPostgresErrors(warehouse, async () => {
    try {
      return await client.query<
        { texts: readonly (string | null)[] } & Record<'valid_from' | 'valid_to', string | null>
      >(
        `select
            array[${names.map((name) => `h.${identifier(name)}::text`).join(', ')}]::text[] as texts,
            to_char(${identifier(told.validFrom)}, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as valid_from,
            to_char(${identifier(told.validTo)}, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as valid_to
         from (
            select * from ${identifier(historyView(fact))} where ${where.join(' and ')}
            ${newest === undefined ? '' : `order by ${identifier(told.version)} desc limit ${newest}`}
         ) as h
         order by ${identifier(told.version)}`,
        [...key],
      )
    } catch (error) {
      const code = codeOf(error)
      if (code === SQL_STATE.undefinedTable) {
        throw new ConfigError('The warehouse has never been loaded', {
          code: 'WAREHOUSE_EMPTY',
          hint: 'tidemark run',
          cause: error,
        })
      }
      // Class 22: the text is not a value of the key's type.
      if (code.startsWith('22')) {
        throw new ConfigError(`This is not a key of ${fact.from} (${fact.key.join(', ')})`, {
          code: 'BAD_KEY',
          hint: `give ${fact.key.map((name) => `a value of ${name}`).join(', then ')}, as the source shows it`,
          cause: error,
        })
      }
      throw error
    }
  })
  const versions: FactVersion[] = []
  for (const { texts, valid_from, valid_to } of rows) {
    const row = namedRecord(names.map((name, index) => [name, texts[index] ?? undefined] as const))
    const values = namedRecord(Object.entries(row).filter(([name]) => !about.has(name)))
    const before = versions.at(-1)
    versions.push({
      version: Number(row[told.version]),
      recordId: row[fact.recordId] ?? '',
      operation: row[told.operation] as FactVersion['operation'],
      validFrom: valid_from ?? '',
      validTo: valid_to ?? undefined,
      batch: Number(row[told.batch]),
      values,
      changed: before
        ? Object.keys(values).filter((name) => values[name] !== before.values[name])
        : [],
    })
  }
  return {
    table: fact.from,
    key,
    headline: await readHeadline({ client, warehouse }, fact, key),
    versions,
  }
}

/** The columns of a fact's history, in order; none if the warehouse does not have it. */
async function readViewColumns(
  { client, warehouse }: Pick<WarehouseClient, 'client' | 'warehouse'>,
  fact: Fact,
): Promise<string[]> {
  const { rows } = await withPostgresErrors(warehouse, () =>
    client.query<{ name: string }>(
      `select attname::text as name from pg_attribute
       where attrelid = to_regclass($1) and attnum > 0 and not attisdropped order by attnum`,
      [identifier(historyView(fact))],
    ),
  )
  return rows.map(({ name }) => name)
}

async function readHeadline(
  { client, warehouse }: Pick<WarehouseClient, 'client' | 'warehouse'>,
  { headline }: Fact,
  key: readonly string[],
): Promise<string | undefined> {
  if (headline === undefined) return undefined
  const { rows } = await withPostgresErrors(warehouse, () =>
    client.query<{ headline: string | null }>(readFileSync(headline, 'utf8'), [...key]),
  )
  return rows[0]?.headline ?? undefined
}
