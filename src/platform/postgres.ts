import { randomBytes } from 'node:crypto'
import { open as openFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { ConnectionOptions } from 'node:tls'
import pg from 'pg'
import { from as copyFrom, to as copyTo } from 'pg-copy-streams'
import { withScratchErrors } from './disk-fault.ts'
import { openDrainingFile, type WrittenText } from './draining-file.ts'
import { ConfigError, ContractError, TidemarkError, TransientError } from './errors.ts'
import { isLoopback } from './loopback.ts'
import { type Heard, watchSilence } from './silence.ts'
import { identifier } from './sql.ts'

export type Client = pg.Client

/** A database Tidemark talks to, as people call it and as errors name it. */
export interface Database {
  /** What it is in a sentence: `Totesys` or `the warehouse`. */
  readonly title: string
  /** Prefix of error codes: `SOURCE` or `WAREHOUSE`. */
  readonly code: string
  /** Connection string; never logged. */
  readonly url: string
  /** Connection attempts before giving up, with exponential pauses. Default 4. */
  readonly attempts?: number
  /** First pause between attempts; doubles each time. Default 500. */
  readonly pauseMs?: number
  /** How long a statement may be silent before the server is asked about it. Default 30000. */
  readonly silenceMs?: number
}

export interface PostgresClient extends AsyncDisposable {
  readonly client: Client
  /** The `application_name` of this connection's transactions, and of no others. */
  readonly mark: string
}

const CONNECT_TIMEOUT_MS = 10_000
const SILENCE_MS = 30_000
const KEEP_ALIVE_MS = 10_000
const CLOSE_TIMEOUT_MS = 3000

/**
 * Connects, retrying what may pass by itself (refused, timed out, starting up, too many clients).
 * TLS with a verified certificate is required unless the host is this machine. A statement whose
 * answer is lost on the way fails within about twice `silenceMs`, and closing takes a few seconds
 * at most. Throws `ConfigError` for what someone must edit and `TransientError` when the database
 * is away.
 */
export async function connect(database: Database): Promise<PostgresClient> {
  const attempts = database.attempts ?? 4
  const startedAt = Date.now()
  for (let attempt = 1; ; attempt++) {
    try {
      return await connectOnce(database)
    } catch (error) {
      const mapped = mapPostgresError(error, database)
      if (!(mapped instanceof TransientError)) throw mapped
      if (attempt >= attempts) {
        const seconds = Math.round((Date.now() - startedAt) / 1000)
        const tried = attempt === 1 ? '' : `; tried ${attempt} times in ${seconds} s`
        throw new TransientError(mapped.message + tried, {
          code: mapped.code,
          hint: 'tidemark doctor',
          cause: error,
        })
      }
      const pauseMs = (database.pauseMs ?? 500) * 2 ** (attempt - 1)
      await new Promise((resolve) => setTimeout(resolve, pauseMs))
    }
  }
}

async function connectOnce(database: Database): Promise<PostgresClient> {
  const silenceMs = database.silenceMs ?? SILENCE_MS
  const mark = `tidemark ${randomBytes(6).toString('hex')}`
  const timeoutMs = Math.min(CONNECT_TIMEOUT_MS, silenceMs)
  const options = {
    ...parseUrl(database),
    application_name: 'tidemark',
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
    connectionTimeoutMillis: timeoutMs,
  }
  const client = await open(options)
  await endLost(client, database)
  const watch = watchSilence(client, {
    silenceMs,
    ask: () => askServer(options, { mark, timeoutMs }),
    onCut: () => lost.set(database.url, [...(lost.get(database.url) ?? []), mark]),
  })
  client.once('end', () => watch.end())
  return { client, mark, [Symbol.asyncDispose]: () => close(client) }
}

async function open(options: pg.ClientConfig): Promise<Client> {
  const client = new pg.Client(options)
  // A connection lost between two queries is reported by the next query; without a listener Node would exit.
  client.on('error', () => {})
  await client.connect()
  return client
}

/** Marks of the connections that were cut, by connection string. */
const lost = new Map<string, readonly string[]>()

/**
 * Terminates the server's sessions of our connections that were cut. The server cannot know that
 * nobody will continue them, and would keep their locks.
 */
async function endLost(client: Client, { url }: Database): Promise<void> {
  const marks = lost.get(url)
  if (marks === undefined) return
  const query = {
    text: `select pg_catalog.pg_terminate_backend(pid)
      from pg_catalog.pg_stat_activity where application_name = any($1) and pid <> pg_backend_pid()`,
    values: [marks],
    query_timeout: CONNECT_TIMEOUT_MS,
  }
  try {
    await client.query(query)
    lost.delete(url)
  } catch (error) {
    client.connection.stream.destroy()
    throw error
  }
}

/** Closes a connection, and does not wait long for a server that no longer answers. */
async function close(client: Client): Promise<void> {
  const timer = setTimeout(() => client.connection.stream.destroy(), CLOSE_TIMEOUT_MS)
  await client.end().catch(() => {})
  clearTimeout(timer)
}

/** Asks on a separate connection what the server is doing for the transaction with this mark. */
async function askServer(
  options: pg.ClientConfig,
  { mark, timeoutMs }: { mark: string; timeoutMs: number },
): Promise<Heard> {
  let client: Client
  try {
    client = await open(options)
  } catch (error) {
    // "Too many clients" is an answer too.
    return error instanceof pg.DatabaseError ? 'unknown' : 'away'
  }
  try {
    const query = {
      text: `select
          case
              when state like 'idle%' then 'idle'
              when wait_event = 'ClientRead' then 'wants'
              when wait_event = 'ClientWrite' then 'sends'
              else 'working'
          end as heard
        from pg_catalog.pg_stat_activity where application_name = $1`,
      values: [mark],
      query_timeout: timeoutMs,
    }
    const { rows } = await client.query<{ heard: Heard }>(query)
    return rows[0]?.heard ?? 'idle'
  } catch {
    // For instance, a pooler has no server connection left for this question.
    return 'unknown'
  } finally {
    client.connection.stream.destroy()
  }
}

/** Modes that give up encryption, or the proof that the server is the right one. */
const WEAK_MODES = new Set(['disable', 'allow', 'prefer', 'no-verify', 'false', '0'])

/**
 * The driver's final options for a connection string: host, user and TLS are decided here once, and
 * nothing is parsed again. Beyond this machine TLS is always verified. Throws `ConfigError` if it
 * is not a Postgres URL, or gives up TLS beyond this machine.
 */
export function parseUrl(database: Database): pg.ClientConfig {
  let url: URL
  try {
    url = new URL(database.url)
  } catch {
    throw badUrl(database, 'is not a URL')
  }
  if (url.protocol !== 'postgres:' && url.protocol !== 'postgresql:') {
    throw badUrl(database, `must begin with postgresql://, not ${url.protocol}//`)
  }
  const modes = ['sslmode', 'ssl'].flatMap((name) =>
    url.searchParams.getAll(name).map((value) => ({ name, value })),
  )
  for (const { name, value } of modes) {
    if (name === 'sslmode' && !WEAK_MODES.has(value)) url.searchParams.set(name, 'verify-full')
  }
  const { host, port, user, password, database: name, ssl, ...more } = readOptions(url)
  const isHere = isLocal(host)
  const weak = modes.find(({ value }) => WEAK_MODES.has(value))
  if (!isHere && weak !== undefined) {
    throw badUrl(
      database,
      `has ${weak.name}=${weak.value}, but ${host} is not this machine: TLS must be verified`,
    )
  }
  const verified = {
    ...(typeof ssl === 'object' ? pickCertificates(ssl) : {}),
    rejectUnauthorized: true,
  }
  return {
    host,
    port,
    user,
    database: name,
    ...(password === null ? {} : { password }),
    ...(more.options === undefined ? {} : { options: more.options }),
    ssl: isHere ? ssl : verified,
  }
}

/** The driver's own reading of a URL, completed from the environment (`PGHOST` and the like). */
function readOptions(url: URL): FinalOptions {
  const { connectionParameters } = new pg.Client({
    connectionString: url.href,
  }) as pg.Client & { readonly connectionParameters: FinalOptions }
  return connectionParameters
}

interface FinalOptions {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: string | null
  readonly database: string
  readonly ssl: boolean | ConnectionOptions
  readonly options?: string
}

function pickCertificates({ ca, cert, key }: ConnectionOptions): ConnectionOptions {
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  }
}

/** Whether a host is this machine: by its address, or because it is the folder of a socket. */
function isLocal(host: string): boolean {
  return host.startsWith('/') || isLoopback(host)
}

function badUrl(database: Database, what: string): ConfigError {
  return new ConfigError(`The connection string of ${database.title} ${what}`, {
    code: `${database.code}_URL`,
    hint: `set TIDEMARK_${database.code}_URL=postgresql://user:password@host:5432/database`,
  })
}

/** Host and port that a connection string leads to, the only parts that may be shown. */
export function hostOf(url: string): string {
  try {
    const parsed = new URL(url)
    // The certificates' files are not needed to say where the string leads.
    for (const name of ['sslcert', 'sslkey', 'sslrootcert', 'sslmode']) {
      parsed.searchParams.delete(name)
    }
    const { host, port } = readOptions(parsed)
    return `${host.includes(':') ? `[${host}]` : host}:${port}`
  } catch {
    return 'an unreadable address'
  }
}

const NETWORK: Record<string, string> = {
  ECONNREFUSED: 'name found, connection refused',
  ENOTFOUND: 'no such host name',
  EAI_AGAIN: 'the host name could not be looked up just now',
  ETIMEDOUT: 'no answer in time',
  ECONNRESET: 'the connection was cut',
  EPIPE: 'the connection was cut',
  EHOSTUNREACH: 'no route to the host',
  ENETUNREACH: 'no route to the network',
}

const CERTIFICATE =
  /^(SELF_SIGNED|DEPTH_ZERO|UNABLE_TO_|CERT_|ERR_TLS|HOSTNAME_MISMATCH|INVALID_CA|ERR_SSL)/

/**
 * What `pg` or the network said, as one of our errors: named after the database, without the
 * statement, a value or a credential. The original is kept as `cause` for debugging only.
 * Codes: SQLSTATE, manual appendix A.
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
  const variable = `TIDEMARK_${database.code}_URL`

  if (
    NETWORK[code] !== undefined ||
    /timeout expired|read timeout|Connection terminated|not queryable|ended unexpectedly/.test(
      message,
    )
  ) {
    const why = NETWORK[code] ?? 'the connection was lost or not answered in time'
    return new TransientError(
      `Cannot reach ${at}: ${why}${code ? ` [${code}]` : ''}`,
      detail('UNREACHABLE', 'tidemark doctor'),
    )
  }
  if (
    CERTIFICATE.test(code) ||
    message.includes('does not support SSL') ||
    (code === 'ENOENT' && database.url.includes('sslrootcert'))
  ) {
    return new ConfigError(
      `No trusted TLS connection to ${at} [${code || 'no TLS'}]`,
      detail('TLS', `add sslrootcert=/path/to/ca.pem to ${variable}`),
    )
  }
  if (code.startsWith('28') || message.startsWith('SASL')) {
    return new ConfigError(
      `${at} refused the user or password [${code || 'no password given'}]`,
      detail('PASSWORD', `check ${variable}`),
    )
  }
  if (code === '3D000') {
    return new ConfigError(
      `${at} has no database of that name [${code}]`,
      detail('DATABASE', `check ${variable}`),
    )
  }
  if (code === '42501') {
    return new ConfigError(
      `${at} does not permit this: ${message} [${code}]`,
      detail('PERMISSION', fixConnect(error, database) ?? 'tidemark doctor'),
    )
  }
  if (code === '42P01' || code === '42703' || code === '3F000') {
    return new ContractError(
      `${at} is not as expected: ${message} [${code}]`,
      detail('SCHEMA', 'tidemark doctor'),
    )
  }
  if (code === '08P01' && message.includes('statement pooling')) {
    return new ConfigError(
      `${at} is a pooler in statement mode, and a batch is one transaction [${code}]`,
      detail('SETTINGS', 'let the pooler pool transactions or sessions (PgBouncer: pool_mode)'),
    )
  }
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

/** The statement for a user who may not even connect, as an English server says it. */
function fixConnect(error: unknown, { url }: Database): string | undefined {
  const { message = '', detail = '' } = error as { message?: string; detail?: string }
  const [, name] = /^permission denied for database "(.+)"$/.exec(message) ?? []
  if (name === undefined || !detail.includes('CONNECT')) return undefined
  const { user } = readOptions(new URL(url))
  return `grant connect on database ${identifier(name)} to ${identifier(user)};`
}

/**
 * What may be shown of a fault. Messages of class 42 and 0A name things; those of data, constraints
 * and triggers (22, 23, P0 …) may hold values, so of them only the names the server gives are.
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

/** The one row of a query that always has one. */
export function onlyRow<Row>({ rows }: { readonly rows: readonly Row[] }): Row {
  const [row] = rows
  if (row === undefined) throw new TypeError('a query that always has a row had none')
  return row
}

/** A result as Postgres prints it: no cell becomes a number or a date of JavaScript's. */
export interface TextRows {
  readonly columns: readonly { readonly name: string; readonly typeId: number }[]
  readonly rows: readonly (readonly (string | null)[])[]
}

/**
 * Runs one statement through the extended protocol, which refuses a second one (manual, 54.2.3),
 * with text values for `$1`, `$2` and so on. Throws what `pg` throws.
 */
export async function readText(
  client: Client,
  text: string,
  values: readonly (string | null)[] = [],
): Promise<TextRows> {
  const query = {
    text,
    values: [...values],
    rowMode: 'array' as const,
    queryMode: 'extended',
    types: { getTypeParser: () => (cell: string) => cell },
  }
  const { fields, rows } = await client.query<(string | null)[]>(query)
  return { columns: fields.map(({ name, dataTypeID }) => ({ name, typeId: dataTypeID })), rows }
}

export interface ReceivedBytes {
  /** Since the limit was set. */
  readonly sizeBytes: number
  /** The connection was cut for it. */
  readonly isExceeded: boolean
}

/**
 * Counts what the server sends from now on, and cuts the connection beyond `maxBytes`: the only way
 * to be safe of one huge row, which the driver would gather in memory whole.
 */
export function limitReceivedBytes(client: Client, maxBytes: number): ReceivedBytes {
  const { stream } = client.connection
  let sizeBytes = 0
  stream.on('data', (chunk: Buffer) => {
    sizeBytes += chunk.length
    if (sizeBytes > maxBytes) stream.destroy()
  })
  return {
    get sizeBytes() {
      return sizeBytes
    },
    get isExceeded() {
      return sizeBytes > maxBytes
    },
  }
}

/**
 * Runs `work` and turns whatever Postgres throws into one of our errors. A mistake in our own code is
 * thrown as it is: the server must not be blamed for it (I15).
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

/** Whether JavaScript itself threw; what Node throws about bad input has a code. */
function isMistake(error: unknown): boolean {
  const isOwn = error instanceof TypeError || error instanceof ReferenceError
  return isOwn && !('code' in error)
}

/** Rows in COPY's text format in a file. */
export interface CopiedFile extends WrittenText {
  /** What Postgres said it wrote. */
  readonly rows: number
}

/**
 * Streams a select's rows into a file in COPY's text format, each line beginning with a tab. The
 * tab stands for an empty first column: without it a first value's byte order mark would be taken
 * for the file's, and a lone empty value for no line at all. Throws `ConfigError` if the file
 * cannot be written; the connection stays usable.
 */
export async function copyToFile(
  client: Client,
  select: string,
  path: string,
): Promise<CopiedFile> {
  const statement = `copy (select '', r.* from (${select}) as r) to stdout`
  return await copyStatementToFile(client, statement, path)
}

/** As `copyToFile`, for a whole `copy … to stdout` statement. */
export async function copyStatementToFile(
  client: Client,
  statement: string,
  path: string,
): Promise<CopiedFile> {
  await using file = await openDrainingFile(path)
  const stream = client.query(copyTo(statement))
  await pipeline(stream, file.sink)
  return { ...file.check(), rows: stream.rowCount }
}

/** Streams a file in COPY's text format into `target`, a table with its columns; returns the rows stored. */
export async function copyFromFile(client: Client, target: string, path: string): Promise<number> {
  // Opened first: a file that cannot be read must not leave the connection waiting for rows.
  const file = await withScratchErrors(dirname(path), () => openFile(path))
  const stream = client.query(copyFrom(`copy ${target} from stdin`))
  const source = file.createReadStream({ highWaterMark: 1 << 18 })
  await withScratchErrors(dirname(path), () => pipeline(source, stream))
  return stream.rowCount
}
