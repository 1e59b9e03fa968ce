import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import pg from 'pg'
import { from as copyFrom, to as copyTo } from 'pg-copy-streams'
import { identifier, identifiers } from '../src/platform/io/sql.ts'
import { fillSums } from '../src/platform/warehouse/sums.ts'
import { totesys } from '../src/totesys/totesys.ts'
import type { Place } from './deps.ts'
import { repository } from './repository.ts'
import { connectTo, type KeysAndIndexes, readTables } from './star-catalogue.ts'

/**
 * Fills a bare star (`makeBareStar`) as a good engineer would by hand, once: each table is copied
 * straight from the source (`COPY TO` piped into `COPY FROM`, one snapshot there, one transaction
 * here), the current tables are filled from the facts and the sums from the current tables, then keys
 * and indexes are built, then `analyze`. No lake, no proof, and nothing to go on from.
 */
export async function rawLoad(
  { place, rebuild }: { readonly place: Place; readonly rebuild?: KeysAndIndexes },
  { withCurrent = true }: { withCurrent?: boolean } = {},
): Promise<void> {
  if (rebuild === undefined) throw new TypeError('a raw load must know what to put back')
  const source = new pg.Client(place.sourceUrl)
  await source.connect()
  const warehouse = await connectTo(place)
  try {
    await source.query('begin isolation level repeatable read read only')
    // As the manual advises for filling a database.
    await warehouse.query(`set maintenance_work_mem to '256MB'`)
    await warehouse.query('begin')
    for (const { table, kind } of totesys.models) {
      const select = readSelect(table)
      if (select !== undefined && kind !== 'calendar') {
        await copyAcross({ source, warehouse }, { table, select })
      }
    }
    const tables = new Set(await readTables(warehouse))
    for (const model of totesys.models) {
      const { table, kind } = model
      if (kind === 'calendar') {
        await warehouse.query(`insert into ${identifier(table)} ${readSelect(table)}`)
      }
      const current = `${table}_current`
      if (kind === 'fact' && withCurrent && tables.has(current)) {
        await warehouse.query(
          `insert into ${identifier(current)} select * from ${identifier(table)}`,
        )
        await warehouse.query(fillSums(model))
      }
    }
    const { keys, foreignKeys, indexes } = rebuild
    for (const { definition } of indexes) await warehouse.query(definition)
    for (const { table, name, definition } of [...keys, ...foreignKeys]) {
      await warehouse.query(
        `alter table ${identifier(table)} add constraint ${identifier(name)} ${definition}`,
      )
    }
    // Before the commit, as ours does: afterwards it takes longer, see decision 4.
    await warehouse.query(`analyze ${identifiers([...tables])}`)
    await warehouse.query('commit')
  } finally {
    await source.end()
    await warehouse.end()
  }
}

/** The select by hand for a table; undefined if nothing in the source fills it. */
export function readSelect(table: string): string | undefined {
  const path = join(repository, 'bench/raw', `${table}.sql`)
  return existsSync(path) ? readFileSync(path, 'utf8').trim() : undefined
}

interface Ends {
  readonly source: pg.Client
  readonly warehouse: pg.Client
}

/** Copies the rows of a select on the source straight into a table. */
export async function copyAcross(
  { source, warehouse }: Ends,
  { table, select }: { table: string; select: string },
): Promise<void> {
  const { fields } = await source.query(`select * from (${select}) as s limit 0`)
  const columns = identifiers(fields.map(({ name }) => name))
  await pipeline(
    source.query(copyTo(`copy (${select}) to stdout`)),
    warehouse.query(copyFrom(`copy ${identifier(table)} (${columns}) from stdin`)),
  )
}
