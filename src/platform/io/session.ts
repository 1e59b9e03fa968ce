import { ConfigError } from '../errors.ts'
import type { Database } from './database.ts'
import { hostOf } from './postgres-url.ts'
import type { PostgresClient } from './postgres.ts'

/** Server settings by name. Each value is written as the server prints it. */
export type Settings = Readonly<Record<string, string>>

/** Fixes how the server prints and reads every value, whatever its defaults are. */
export const TEXT_SETTINGS: Settings = {
  datestyle: 'ISO, YMD',
  timezone: 'UTC',
  intervalstyle: 'postgres',
  extra_float_digits: '3',
  bytea_output: 'hex',
  client_encoding: 'UTF8',
  lc_monetary: 'C',
  xmlbinary: 'base64',
  xmloption: 'content',
  quote_all_identifiers: 'off',
  standard_conforming_strings: 'on',
  backslash_quote: 'safe_encoding',
  array_nulls: 'on',
  transform_null_equals: 'off',
  row_security: 'on',
  jit: 'off',
}

/**
 * Lifts the time limits of a role or a database. Our work may take long, and we watch it ourselves.
 */
export const NO_TIME_LIMITS: Settings = {
  statement_timeout: '0',
  idle_in_transaction_session_timeout: '0',
  transaction_timeout: '0',
}

/**
 * Makes the server notice within minutes that we have vanished, and release what our transaction
 * holds. By default that takes two hours. A Unix socket has no such settings and reads back 0.
 */
const REACH: Settings = {
  tcp_keepalives_idle: '30',
  tcp_keepalives_interval: '10',
  tcp_keepalives_count: '3',
  tcp_user_timeout: '60000',
}

export interface BeginOptions {
  readonly database: Database
  /** The text after `begin`, such as `isolation level repeatable read read only`. */
  readonly mode: string
  readonly settings: Settings
  /** A snapshot that another transaction has exported. */
  readonly snapshot?: string
  /** Fails if the server has not begun by then, in ms. Default: no limit. */
  readonly timeoutMs?: number
}

/**
 * Begins a transaction with these settings, in one round trip. The settings end with the
 * transaction, so a pooler may give each transaction another server connection, and its next client
 * finds nothing changed. A setting that the server does not know is left out. Throws `ConfigError`
 * if the server reads another value back, and what `pg` throws.
 */
export async function begin(connection: PostgresClient, options: BeginOptions): Promise<void> {
  await beginAnd(connection, options, [])
}

/**
 * Begins like `begin` and runs statements without parameters, all in one round trip. Returns the
 * rows of each statement. Throws what `begin` throws, and the transaction may then have failed.
 */
export async function beginAndRun(
  connection: PostgresClient,
  options: BeginOptions,
  ...statements: readonly string[]
): Promise<readonly (readonly unknown[])[]> {
  return await beginAnd(connection, options, statements)
}

/**
 * Runs statements without parameters in a transaction with these settings, all in one round trip.
 * Returns the rows of the last statement. Throws what `begin` throws, and the transaction is then
 * over.
 */
export async function runOnce<Row>(
  connection: PostgresClient,
  options: BeginOptions,
  ...statements: readonly string[]
): Promise<readonly Row[]> {
  try {
    const rows = await beginAnd(connection, options, [...statements, 'commit'])
    return rows[statements.length - 1] as readonly Row[]
  } catch (error) {
    await connection.client.query('rollback').catch(() => {}) // the connection may be what failed
    throw error
  }
}

/** Begins, runs the statements that follow, and returns the rows of each. */
async function beginAnd(
  { client, mark }: PostgresClient,
  { database, mode, settings, snapshot, timeoutMs }: BeginOptions,
  statements: readonly string[],
): Promise<(readonly unknown[])[]> {
  const wanted = { ...settings, application_name: mark }
  const values = Object.entries({ ...REACH, ...wanted }).map(
    ([name, value]) => `(${asciiLiteral(name)}, ${asciiLiteral(value)})`,
  )
  const text = `begin ${mode};
    ${snapshot === undefined ? '' : `set transaction snapshot ${asciiLiteral(snapshot)};`}
    select w.name, pg_catalog.set_config(w.name, w.value, true) as value
    from (values ${values.join(', ')}) as w (name, value)
    where pg_catalog.current_setting(w.name, true) is not null
    ${statements.map((statement) => `; ${statement}`).join('')}`
  // Several statements give several results, which the driver's types do not know.
  const query = { text, query_timeout: timeoutMs }
  const results: unknown = await client.query(query)
  const rows = (results as readonly { readonly rows: unknown[] }[]).map((result) => result.rows)
  const [found, ...others] = rows.slice(-1 - statements.length)
  checkSettings(database, { wanted, found: (found ?? []) as Setting[] })
  return others
}

interface Setting {
  readonly name: string
  readonly value: string
}

/** Throws `ConfigError` unless the server has taken every setting that it knows. */
function checkSettings(
  database: Database,
  { wanted, found }: { wanted: Settings; found: readonly Setting[] },
): void {
  const other = found.find(({ name, value }) => name in wanted && wanted[name] !== value)
  if (found.length > 0 && other === undefined) return
  const what =
    other === undefined
      ? 'has not taken any setting'
      : `has ${other.name} = ${other.value}, although ${wanted[other.name]} was set`
  throw new ConfigError(`${database.title} at ${hostOf(database.url)} ${what}`, {
    code: `${database.code}_SETTINGS`,
    hint: 'if there is a pooler in between, set it to transaction or session mode, not statement mode',
  })
}

/**
 * A string literal in plain ASCII, which the server reads in the same way under every encoding and
 * setting.
 */
export function asciiLiteral(text: string): string {
  const escaped = text.replace(
    /[^ -~]|['\\]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
  return `E'${escaped}'`
}

/** SQL of an array of text literals. */
export function textArray(texts: readonly string[]): string {
  return `array[${texts.map(asciiLiteral).join(', ')}]::text[]`
}
