import type pg from 'pg'
import { identifier } from '../src/platform/io/sql.ts'
import { migrate } from '../src/platform/warehouse/migrate.ts'
import { openWarehouse } from '../src/platform/warehouse/warehouse.ts'
import { beforeName } from '../src/platform/warehouse/revisions.ts'
import { totesys } from '../src/totesys/totesys.ts'
import { depsAt, type Place } from './deps.ts'
import { connectTo, type KeysAndIndexes, readKeysAndIndexes, readTables } from './star-catalogue.ts'

/** A schema that our migrations have just made, empty. */
async function makeStarSchema(place: Place): Promise<void> {
  const deps = depsAt(place)
  await using warehouse = await openWarehouse(deps.warehouse)
  await migrate(warehouse, deps.project, { waitMs: 10_000 })
}

/**
 * A schema as our migrations make it, without its keys and indexes. Returns their definitions, to be
 * put back when the tables are filled.
 */
export async function makeBareStar(place: Place): Promise<KeysAndIndexes> {
  await makeStarSchema(place)
  const client = await connectTo(place)
  try {
    const all = await readKeysAndIndexes(client, await readTables(client))
    for (const { table, name } of [...all.foreignKeys, ...all.keys]) {
      await client.query(`alter table ${identifier(table)} drop constraint ${identifier(name)}`)
    }
    for (const { name } of all.indexes) await client.query(`drop index ${identifier(name)}`)
    return all
  } finally {
    await client.end()
  }
}

/** What one table holds, whatever the order of its rows and the numbers of its records. */
export interface Content {
  readonly rows: number
  readonly hash: string
}

/** What a star schema holds: every table's content, and its keys and indexes as SQL. */
export interface StarState {
  readonly tables: Readonly<Record<string, Content>>
  readonly definitions: readonly string[]
}

/** Given once for each capture, so equal only within one warehouse. */
const MOMENT = 'recorded_at'

/**
 * Reads the whole of a star schema. Tables without rows count too. A current relation that is a
 * view is read as if it were a table.
 */
export async function readStar(place: Place): Promise<StarState> {
  const client = await connectTo(place)
  try {
    const recordIds = new Map(
      totesys.models.flatMap((model) =>
        model.kind === 'fact' ? [[model.table, model.recordId] as const] : [],
      ),
    )
    const tables = await readTables(client)
    const names = new Set([...tables, ...[...recordIds.keys()].map((fact) => `${fact}_current`)])
    const contents: Record<string, Content> = {}
    for (const table of [...names].toSorted()) {
      const recordId = recordIds.get(table.replace(/_(current|revisions)$/, '')) ?? ''
      const ignored = [MOMENT, recordId].flatMap((name) => [name, beforeName(name)])
      contents[table] = await readContent(client, table, ignored)
    }
    const { keys, foreignKeys, indexes } = await readKeysAndIndexes(client, tables)
    const schema = identifier(place.schema)
    const definitions = [...keys, ...foreignKeys, ...indexes].map(
      ({ table, name, definition }) =>
        `${table}: ${name} ${definition.replaceAll(`${schema}.`, '').replaceAll(`${place.schema}.`, '')}`,
    )
    return { tables: contents, definitions }
  } finally {
    await client.end()
  }
}

async function readContent(
  client: pg.Client,
  table: string,
  ignored: readonly string[],
): Promise<Content> {
  const { rows: columns } = await client.query<{ name: string }>(
    `select attname::text as name from pg_attribute
     where attrelid = to_regclass($1) and attnum > 0 and not attisdropped and attname <> all($2)
     order by attname`,
    [identifier(table), ignored],
  )
  const row = `row(${columns.map(({ name }) => identifier(name)).join(', ')})`
  const { rows } = await client.query<{ rows: string; hash: string }>(
    `select count(*) as rows, coalesce(sum(hashtextextended(${row}::text, 0)::numeric), 0) as hash
     from ${identifier(table)}`,
  )
  return { rows: Number(rows[0]?.rows), hash: rows[0]?.hash ?? '' }
}

/** Throws unless two star schemas hold the same, and have the same keys and indexes. */
export function checkSameStar(ours: StarState, raw: StarState): void {
  const tables = new Set([...Object.keys(ours.tables), ...Object.keys(raw.tables)])
  const different = [...tables].flatMap((table) => {
    const [a, b] = [ours.tables[table], raw.tables[table]]
    if (a?.rows === b?.rows && a?.hash === b?.hash) return []
    return [`${table} (${a?.rows ?? 'no'} rows and ${b?.rows ?? 'no'} rows)`]
  })
  const definitions = [
    ...ours.definitions.filter((one) => !raw.definitions.includes(one)),
    ...raw.definitions.filter((one) => !ours.definitions.includes(one)),
  ]
  if (different.length + definitions.length === 0) return
  throw new Error(
    `the end states of Tidemark and of the raw copy differ: ${[...different, ...definitions].join('; ')}`,
  )
}

/**
 * Throws unless a schema that somebody else filled has as many rows as ours in every table of the
 * star; current tables, which only we keep, aside.
 */
export async function checkSameRows(place: Place, { tables }: StarState): Promise<void> {
  const client = await connectTo(place)
  try {
    for (const { table } of totesys.models) {
      const expected = tables[table]?.rows ?? 0
      if (expected === 0) continue
      const { rows } = await client.query<{ rows: string }>(
        `select count(*) as rows from ${identifier(table)}`,
      )
      const found = Number(rows[0]?.rows)
      if (found !== expected) throw new Error(`${table} has ${found} rows, not ${expected}`)
    }
  } finally {
    await client.end()
  }
}
