import pg from 'pg'
import type { ConnectionOptions } from 'tls'
import { ConfigError } from '../errors.ts'
import { type Database, settingOf } from './database.ts'
import { isLoopback } from './loopback.ts'

/** Modes without encryption, or without proof that the server is the right one. */
const WEAK_MODES = new Set(['disable', 'allow', 'prefer', 'no-verify', 'false', '0'])

/**
 * Turns a connection string into the driver's final options. Host, user and TLS are decided here
 * once, and nothing is parsed again. TLS is always verified, except on this machine. Throws
 * `ConfigError` if the string is not a Postgres URL, has special characters that are not encoded, or
 * turns TLS off for another machine.
 */
export function parseUrl(database: Database): pg.ClientConfig {
  let url: URL
  try {
    url = new URL(database.url)
  } catch {
    throw badUrl(database, 'is not a URL', ENCODE)
  }
  if (url.protocol !== 'postgres:' && url.protocol !== 'postgresql:') {
    throw badUrl(database, `must begin with postgresql://, not ${url.protocol}//`)
  }
  // Otherwise a part of the password would be taken for the host, and shown in errors.
  if (url.hash !== '' || url.pathname.includes('@')) {
    throw badUrl(database, 'has a special character that is not percent-encoded', ENCODE)
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

/**
 * Reads a URL as the driver does, and completes it from the environment (`PGHOST` and the like).
 */
export function readOptions(url: URL): FinalOptions {
  const { connectionParameters } = new pg.Client({
    connectionString: url.href,
  }) as pg.Client & { readonly connectionParameters: FinalOptions }
  return connectionParameters
}

/** The driver's options after URL, environment and defaults. */
interface FinalOptions {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: string | null
  readonly database: string
  readonly ssl: boolean | ConnectionOptions
  readonly options?: string
}

/** Keeps the named certificates and nothing that weakens verification. */
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

const ENCODE =
  'in the user, password and database, write @ as %40, / as %2F, : as %3A, # as %23, ? as %3F and % as %25'

function badUrl(database: Database, what: string, more?: string): ConfigError {
  const form = `set ${settingOf(database)}=postgresql://user:password@host:5432/database`
  return new ConfigError(`The connection string for ${database.title} ${what}`, {
    code: `${database.code}_URL`,
    hint: more === undefined ? form : `${form}; ${more}`,
  })
}

/** Host and port of a connection string, the only parts that may be shown. */
export function hostOf(url: string): string {
  try {
    const parsed = new URL(url)
    // Host and port do not depend on the files of certificates, which may be missing.
    for (const name of ['sslcert', 'sslkey', 'sslrootcert', 'sslmode']) {
      parsed.searchParams.delete(name)
    }
    const { host, port } = readOptions(parsed)
    return `${host.includes(':') ? `[${host}]` : host}:${port}`
  } catch {
    return 'an unreadable address'
  }
}
