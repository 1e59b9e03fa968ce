import pg from 'pg'
import type { TestDatabase } from './database.ts'

/** Defaults that would change every text, end every wait and refuse every write. */
const HOSTILE: Readonly<Record<string, string>> = {
  intervalstyle: 'iso_8601',
  extra_float_digits: '0',
  bytea_output: 'escape',
  datestyle: 'German, DMY',
  timezone: 'Asia/Kathmandu',
  lc_monetary: 'POSIX',
  quote_all_identifiers: 'on',
  xmlbinary: 'hex',
  standard_conforming_strings: 'off',
  array_nulls: 'off',
  transform_null_equals: 'on',
  client_encoding: 'LATIN1',
  search_path: 'pg_temp',
  row_security: 'off',
  // Longer than one statement of another client takes on a busy machine.
  statement_timeout: '2s',
  idle_in_transaction_session_timeout: '2s',
  transaction_timeout: '2500ms',
}

/** Gives a database the worst defaults that its clients can meet. */
export async function makeHostile({ name, query }: TestDatabase): Promise<void> {
  for (const [setting, value] of Object.entries(HOSTILE)) {
    await query(`alter database ${name} set ${setting} = ${pg.escapeLiteral(value)}`)
  }
}

/** Everything that another client of the pool finds set, prepared, locked or left behind. */
export async function findLeft(url: string): Promise<unknown> {
  const client = new pg.Client(url)
  await client.connect()
  try {
    const all = [
      `select name, setting, source from pg_settings where name <> 'application_name' order by name`,
      'select name from pg_prepared_statements',
      'select name from pg_cursors where name <> $$$$',
      `select locktype, mode from pg_locks where pid = pg_backend_pid() and locktype = 'advisory'`,
      `select relname from pg_class where relpersistence = 't'`,
    ]
    const found: unknown[] = []
    for (const sql of all) found.push((await client.query(sql)).rows)
    return found
  } finally {
    await client.end()
  }
}
