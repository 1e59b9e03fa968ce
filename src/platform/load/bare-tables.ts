import { readFileSync } from 'node:fs'
import { codeOf } from '../errors.ts'
import { type Client, onlyRow } from '../io/postgres.ts'
import { asciiLiteral } from '../io/session.ts'
import { SQL_STATE } from '../io/sql-states.ts'
import { identifier } from '../io/sql.ts'

const ATTACHMENTS = readFileSync(new URL('./attachments.sql', import.meta.url), 'utf8')

/** Tables whose keys, foreign keys and indexes are away until they are filled. */
export interface BareTables {
  /** Puts everything back and checks every row against it. Throws what `pg` throws. */
  restore(): Promise<void>
}

interface Attachment {
  readonly removal: string
  readonly restoration: string
}

/**
 * Takes keys, foreign keys and indexes off empty tables in the open transaction. Filling a table
 * and then building its indexes takes half as long as keeping them up to date row by row; a foreign
 * key is then checked by one join instead of a lookup for each row. If anything fails, the
 * transaction brings everything back. What could not be put back as it was stays where it is
 * (`attachments.sql`).
 *
 * New readers of these tables wait until the transaction ends, but there is nothing to read yet.
 * Taking a foreign key off also locks the table that it names, so foreign keys stay on unless
 * `withForeignKeys`: for the first batch, when all tables are empty.
 *
 * Waits for nobody, because a reader may keep a table for as long as it likes (I15). If somebody
 * reads one of the tables at this moment, everything stays on, and the load only takes longer.
 */
export async function bareTables(
  client: Client,
  tables: readonly string[],
  { withForeignKeys }: { withForeignKeys: boolean },
): Promise<BareTables> {
  if (tables.length === 0) return { restore: async () => {} }
  const { rows: attachments } = await client.query<Attachment>(ATTACHMENTS, [
    tables.map(identifier),
    withForeignKeys,
  ])
  // The last first, because foreign keys depend on the keys that they name.
  const removals = attachments.toReversed().map(({ removal }) => removal)
  if (!(await runAtOnce(client, removals))) return { restore: async () => {} }
  return {
    async restore() {
      for (const { restoration } of attachments) await client.query(restoration)
    },
  }
}

/** Runs all statements, or none of them if one would have to wait for a lock. */
async function runAtOnce(client: Client, statements: readonly string[]): Promise<boolean> {
  const found = await client.query<{ limit: string }>(
    `select current_setting('lock_timeout') as limit`,
  )
  const { limit } = onlyRow(found)
  await client.query(`savepoint at_once; set local lock_timeout = '1ms'`)
  try {
    for (const statement of statements) await client.query(statement)
    await client.query(`
      set local lock_timeout = ${asciiLiteral(limit)};
      release savepoint at_once`)
    return true
  } catch (error) {
    if (codeOf(error) !== SQL_STATE.lockNotAvailable) throw error
    // This also takes back the limit, and releases the locks that were taken.
    await client.query('rollback to savepoint at_once; release savepoint at_once')
    return false
  }
}
