import { ConfigError, ContractError, TidemarkError, TransientError } from '../errors.ts'
import { type Database, settingOf } from './database.ts'
import { describeNetworkError, isTlsError } from './network-errors.ts'
import { hostOf, readOptions } from './postgres-url.ts'
import { identifier } from './sql.ts'
import { SQL_STATE } from './sql-states.ts'

/** A table, column or schema is missing. */
const NOT_AS_EXPECTED: ReadonlySet<string> = new Set([
  SQL_STATE.undefinedTable,
  SQL_STATE.undefinedColumn,
  SQL_STATE.invalidSchemaName,
])

/**
 * Turns an error from `pg` or the network into one of our errors. The message names the database,
 * but no statement, value or credential. The original is kept as `cause`, for debugging only.
 */
export function mapPostgresError(error: unknown, database: Database): TidemarkError {
  if (error instanceof TidemarkError) return error
  const { code = '', message = String(error) } = error as { code?: string; message?: string }
  const at = `${database.title} at ${hostOf(database.url)}`
  const detail = (suffix: string, hint: string) => ({
    code: `${database.code}_${suffix}`,
    hint,
    cause: error,
  })
  const variable = settingOf(database)

  const network = describeNetworkError(code)
  if (
    network !== undefined ||
    /timeout expired|read timeout|Connection terminated|not queryable|ended unexpectedly/.test(
      message,
    )
  ) {
    const why = network ?? 'the connection was lost or not answered in time'
    return new TransientError(
      `Cannot reach ${at}: ${why}${code ? ` [${code}]` : ''}`,
      detail('UNREACHABLE', 'tidemark doctor'),
    )
  }
  if (message.includes('does not support SSL')) {
    return new ConfigError(
      `${at} offers no TLS [no TLS]`,
      detail(
        'TLS',
        `turn on TLS at the server (ssl = on); if it runs on this machine, remove sslmode from ${variable}`,
      ),
    )
  }
  if (isTlsError(code) || (code === 'ENOENT' && database.url.includes('sslrootcert'))) {
    return new ConfigError(
      `No trusted TLS connection to ${at} [${code}]`,
      detail('TLS', `add sslrootcert=/path/to/ca.pem to ${variable}`),
    )
  }
  if (code.startsWith('28') || message.startsWith('SASL')) {
    return new ConfigError(
      `${at} refused the user or password [${code || 'no password given'}]`,
      detail('PASSWORD', `check ${variable}`),
    )
  }
  if (code === SQL_STATE.invalidCatalogName) {
    return new ConfigError(
      `${at} has no database called ${readOptions(new URL(database.url)).database} [${code}]`,
      detail('DATABASE', `check ${variable}`),
    )
  }
  if (code === SQL_STATE.insufficientPrivilege) {
    return new ConfigError(
      `${at} does not permit this: ${message} [${code}]`,
      detail('PERMISSION', fixConnect(error, database) ?? 'tidemark doctor'),
    )
  }
  if (NOT_AS_EXPECTED.has(code)) {
    return new ContractError(
      `${at} is not as expected: ${message} [${code}]`,
      detail('SCHEMA', 'tidemark doctor'),
    )
  }
  const setUp = mapServerSetting(error, database)
  if (setUp !== undefined) return setUp
  if (/^(08|53|57|58|40|25P0|55P03|55006)/.test(code)) {
    return new TransientError(
      `${at} could not do it just now: ${message} [${code}]`,
      detail('BUSY', 'run it again; nothing was half-published'),
    )
  }
  return new TidemarkError(
    `${at} answered with an error${code ? ` [${code}]` : ''}: ${describeFault(error, { code, message })}`,
    detail('ERROR', 'tidemark doctor'),
  )
}

/** The error if a setting of the server or of a pooler must be another. */
function mapServerSetting(error: unknown, database: Database): ConfigError | undefined {
  const { code, message = '', hint = '' } = error as Partial<Record<string, string>>
  const at = `${database.title} at ${hostOf(database.url)}`
  if (code === SQL_STATE.protocolViolation && message.includes('statement pooling')) {
    return new ConfigError(
      `${at} is a pooler in statement mode, but a batch needs a whole transaction [${code}]`,
      {
        code: `${database.code}_SETTINGS`,
        hint: 'set the pooler to transaction or session mode (PgBouncer: pool_mode)',
        cause: error,
      },
    )
  }
  if (code === SQL_STATE.outOfMemory && hint.includes('max_locks_per_transaction')) {
    return new ConfigError(
      `${at} has too few locks for one transaction on so many tables [${code}]`,
      {
        code: `${database.code}_LOCKS`,
        hint: 'nothing was half-published; set max_locks_per_transaction there to 256 (64 is the default), restart the server, and run again',
        cause: error,
      },
    )
  }
  return undefined
}

/** The statement that lets a user connect, if an English server says that this right is missing. */
function fixConnect(error: unknown, { url }: Database): string | undefined {
  const { message = '', detail = '' } = error as { message?: string; detail?: string }
  const [, name] = /^permission denied for database "(.+)"$/.exec(message) ?? []
  if (name === undefined || !detail.includes('CONNECT')) return undefined
  const { user } = readOptions(new URL(url))
  return `grant connect on database ${identifier(name)} to ${identifier(user)};`
}

/**
 * The part of an error that may be shown. Messages of classes 42 and 0A only name things. Messages
 * about data, constraints and triggers (22, 23, P0 …) may hold values, so only the names that the
 * server gives are shown.
 */
function describeFault(
  error: unknown,
  { code, message }: { code: string; message: string },
): string {
  if (code === '' || /^(42|0A)/.test(code)) return message
  const names = error as Partial<Record<'table' | 'column' | 'constraint', string>>
  const known = (['table', 'column', 'constraint'] as const)
    .filter((kind) => names[kind] !== undefined)
    .map((kind) => `${kind} ${names[kind]}`)
  return known.length > 0 ? known.join(', ') : 'see the log of the server'
}

/**
 * Runs `work` and turns errors from Postgres into ours. Throws a mistake in our own code unchanged,
 * so that the server is not blamed for it (I15).
 */
export async function withPostgresErrors<T>(
  database: Database,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw isMistake(error) ? error : mapPostgresError(error, database)
  }
}

/**
 * Whether JavaScript itself threw the error. Errors that Node throws about bad input have a code.
 */
function isMistake(error: unknown): boolean {
  const isOwn = error instanceof TypeError || error instanceof ReferenceError
  return isOwn && !('code' in error)
}
