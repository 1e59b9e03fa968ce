import { pipeline } from 'node:stream/promises'
import pg from 'pg'
import { from as copyFrom, to as copyTo } from 'pg-copy-streams'
import { identifier, identifiers } from '../src/platform/io/sql.ts'
import { updateSums } from '../src/platform/load/load-sums.ts'
import { addRevisions } from '../src/platform/warehouse/revisions.ts'
import { totesys } from '../src/totesys/totesys.ts'
import type { Place } from './deps.ts'
import { readSelect } from './raw-load.ts'
import { connectTo, readTables } from './star-catalogue.ts'

const FACT = 'fact_sales_order'
const CURRENT = 'fact_sales_order_current'
const KEY = 'sales_order_id'
const RECORD_ID = 'sales_record_id'

/**
 * Sales orders that were changed since a moment, as a good engineer would carry them by hand: copied
 * out by `last_updated` into a staging table, appended to the fact, added to its sums and its
 * revisions, and upserted into its current table, in one transaction. A deletion, a silent change or
 * a late commit would be lost.
 */
export async function rawChange({
  place,
  since,
}: {
  readonly place: Place
  readonly since?: string
}): Promise<void> {
  const source = new pg.Client(place.sourceUrl)
  await source.connect()
  const warehouse = await connectTo(place)
  try {
    const where = `where last_updated >= ${pg.escapeLiteral(since ?? '')}`
    const select = `${readSelect(FACT)} ${where}`
    const { fields } = await source.query(`${select} limit 0`)
    const columns = identifiers(fields.map(({ name }) => name))
    await warehouse.query('begin')
    await warehouse.query(`create temporary table staged (like ${FACT}) on commit drop`)
    await pipeline(
      source.query(copyTo(`copy (${select}) to stdout`)),
      warehouse.query(copyFrom(`copy staged (${columns}) from stdin`)),
    )
    // The new versions continue the fact's numbers; nothing else of a staged row changes.
    const { rows } = await warehouse.query<{ last: string; batch: string }>(
      `select ${RECORD_ID} as last, batch_id as batch from ${FACT} order by ${RECORD_ID} desc limit 1`,
    )
    const own: Readonly<Record<string, string>> = {
      [RECORD_ID]: `${RECORD_ID} + ${Number(rows[0]?.last)}`,
      record_operation: `'update'`,
      batch_id: String(Number(rows[0]?.batch) + 1),
    }
    const versions = fields
      .map(({ name }) => `${own[name] ?? identifier(name)} as ${identifier(name)}`)
      .join(', ')
    await warehouse.query(`insert into ${FACT} (${columns}) select ${versions} from staged`)
    if ((await readTables(warehouse)).includes(CURRENT)) {
      // As the platform updates them, which is the fastest way we know.
      const fact = totesys.models.find(({ table }) => table === FACT)
      if (fact?.kind === 'fact') {
        await updateSums(warehouse, fact, `(select ${versions} from staged)`)
        const after = Number(rows[0]?.last)
        await addRevisions(warehouse, fact, { after, upTo: Number.MAX_SAFE_INTEGER })
      }
      const set = fields
        .filter(({ name }) => name !== KEY)
        .map(({ name }) => `${identifier(name)} = excluded.${identifier(name)}`)
      await warehouse.query(`
        insert into ${CURRENT} (${columns}) select ${versions} from staged
        on conflict (${KEY}) do update set ${set.join(', ')}`)
    }
    await warehouse.query('commit')
  } finally {
    await source.end()
    await warehouse.end()
  }
}
