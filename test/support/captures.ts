import { createReadStream, existsSync } from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { fileURLToPath } from 'node:url'
import { createGunzip } from 'node:zlib'
import pg from 'pg'
import { from as copyFrom } from 'pg-copy-streams'
import { totesys } from '../../src/totesys/totesys.ts'

/** A day the real source was captured on, whole. */
export type CaptureDay = '2023-03-31' | '2024-08-22'

export interface RowCounts {
  readonly inserted: number
  readonly updated: number
  readonly deleted: number
}

/** The folder of real captures. Undefined if it is missing; then skip the test. */
export function capturesDir(): string | undefined {
  const dir = fileURLToPath(new URL('../../../shared/captures', import.meta.url))
  return existsSync(dir) ? dir : undefined
}

/**
 * Fills an empty Totesys schema with a day's eleven tables, in one transaction, in key order, and
 * sets the sequences behind the last key. Empty and unquoted means null.
 */
export async function loadCapture(client: pg.Client, day: CaptureDay): Promise<void> {
  await inTransaction(client, async () => {
    for (const table of tables()) {
      await copy(client, { day, table, into: table.name })
      await setSequence(client, table)
    }
  })
}

/**
 * Turns what the database holds into the day, in place and in one transaction: inserts the new
 * rows, updates only rows that differ and of them only the columns that differ, deletes rows that
 * are gone, touches nothing else. May be repeated: the second time all counts are 0.
 */
export async function turnInto(
  client: pg.Client,
  day: CaptureDay,
): Promise<Readonly<Record<string, RowCounts>>> {
  const counts: Record<string, RowCounts> = {}
  await inTransaction(client, async () => {
    // Rows come before the rows that refer to them, and go after them.
    for (const table of tables()) {
      await client.query(
        `create temp table ${capture(table)} (like ${quoted(table)}) on commit drop`,
      )
      await copy(client, { day, table, into: captureName(table) })
      const updated = await updateChanged(client, table)
      const inserted = await insertNew(client, table)
      await setSequence(client, table)
      counts[table.name] = { inserted, updated, deleted: 0 }
    }
    for (const table of tables().toReversed()) {
      const { inserted = 0, updated = 0 } = counts[table.name] ?? {}
      counts[table.name] = { inserted, updated, deleted: await deleteGone(client, table) }
    }
  })
  return counts
}

interface Table {
  readonly name: string
  /** Name of its one key column. */
  readonly key: string
}

/** The captured tables, each after the tables it refers to. */
function tables(): readonly Table[] {
  return totesys.source.tables.map(({ name, key: [key = ''] }) => ({ name, key }))
}

async function updateChanged(client: pg.Client, table: Table): Promise<number> {
  const key = pg.escapeIdentifier(table.key)
  const { rows: columns } = await client.query<{ name: string }>(
    `select attname as name from pg_attribute
     where attrelid = $1::regclass and attnum > 0 and not attisdropped and attname <> $2
     order by attnum`,
    [quoted(table), table.key],
  )
  const changes = columns.map(({ name }) => {
    const column = pg.escapeIdentifier(name)
    return `case when present.${column} is distinct from wanted.${column} then ${pg.escapeLiteral(name)} end`
  })
  const { rows: groups } = await client.query<{ changed: string[]; keys: number[] }>(
    `with compared as (
         select ${key} as key, array_remove(array[${changes.join(', ')}], null) as changed
         from ${quoted(table)} as present
         join ${capture(table)} as wanted using (${key})
     )
     select changed, array_agg(key) as keys from compared where changed <> '{}' group by changed`,
  )
  let updated = 0
  for (const { changed, keys } of groups) {
    const assignments = changed.map((name) => {
      const column = pg.escapeIdentifier(name)
      return `${column} = wanted.${column}`
    })
    const { rowCount } = await client.query(
      `update ${quoted(table)} as present set ${assignments.join(', ')}
       from ${capture(table)} as wanted
       where wanted.${key} = present.${key} and present.${key} = any($1::integer[])`,
      [keys],
    )
    updated += rowCount ?? 0
  }
  return updated
}

async function insertNew(client: pg.Client, table: Table): Promise<number> {
  const key = pg.escapeIdentifier(table.key)
  const { rowCount } = await client.query(
    `insert into ${quoted(table)}
     select wanted.* from ${capture(table)} as wanted
     where not exists (select from ${quoted(table)} as present where present.${key} = wanted.${key})
     order by wanted.${key}`,
  )
  return rowCount ?? 0
}

async function deleteGone(client: pg.Client, table: Table): Promise<number> {
  const key = pg.escapeIdentifier(table.key)
  const { rowCount } = await client.query(
    `delete from ${quoted(table)} as present
     where not exists (select from ${capture(table)} as wanted where wanted.${key} = present.${key})`,
  )
  return rowCount ?? 0
}

async function copy(
  client: pg.Client,
  { day, table, into }: { day: CaptureDay; table: Table; into: string },
): Promise<void> {
  const dir = capturesDir()
  if (dir === undefined) throw new Error('the captures are not here: ask capturesDir() first')
  // `header match` fails unless the file's columns are the table's, in order.
  const copying = copyFrom(
    `copy ${pg.escapeIdentifier(into)} from stdin with (format csv, header match)`,
  )
  await pipeline(
    createReadStream(join(dir, day, `${table.name}.csv.gz`)),
    createGunzip(),
    client.query(copying),
  )
}

async function setSequence(client: pg.Client, table: Table): Promise<void> {
  const key = pg.escapeIdentifier(table.key)
  await client.query(
    `select setval(pg_get_serial_sequence($1, $2), coalesce(max(${key}), 1), count(*) > 0)
     from ${quoted(table)}`,
    [quoted(table), table.key],
  )
}

async function inTransaction(client: pg.Client, work: () => Promise<void>): Promise<void> {
  await client.query('begin')
  try {
    await work()
    await client.query('commit')
  } catch (error) {
    await client.query('rollback')
    throw error
  }
}

function quoted(table: Table): string {
  return pg.escapeIdentifier(table.name)
}

function capture(table: Table): string {
  return pg.escapeIdentifier(captureName(table))
}

function captureName(table: Table): string {
  return `capture_${table.name}`
}
