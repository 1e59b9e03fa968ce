import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { ContractError, TidemarkError } from '../errors.ts'
import type { Database } from './database.ts'
import { mapPostgresError, withPostgresErrors } from './postgres-errors.ts'
import { hostOf, parseUrl } from './postgres-url.ts'
import { connect } from './postgres.ts'

const SECRET = 'hunter2'

const database: Database = {
  title: 'Totesys',
  code: 'SOURCE',
  url: `postgresql://someone:${SECRET}@db.example.com:6543/totesys`,
  attempts: 1,
}

function failure(code: string, message: string): Error {
  return Object.assign(new Error(message), { code })
}

describe('withPostgresErrors()', () => {
  it('I15 does not blame the server for a mistake in our own code', async () => {
    const mistake = new TypeError('undefined is not a function')
    await expect(withPostgresErrors(database, () => Promise.reject(mistake))).rejects.toBe(mistake)
    const badPort = Object.assign(new TypeError('Port should be below 65536'), {
      code: 'ERR_SOCKET_BAD_PORT',
    })
    await expect(withPostgresErrors(database, () => Promise.reject(badPort))).rejects.toMatchObject(
      { code: 'SOURCE_ERROR' },
    )
  })
})

describe('mapPostgresError()', () => {
  it.each([
    ['ECONNREFUSED', 'connect ECONNREFUSED 1.2.3.4:5432', 'TransientError', 'SOURCE_UNREACHABLE'],
    ['ENOTFOUND', 'getaddrinfo', 'TransientError', 'SOURCE_UNREACHABLE'],
    ['EAI_AGAIN', 'getaddrinfo', 'TransientError', 'SOURCE_UNREACHABLE'],
    ['ETIMEDOUT', 'read', 'TransientError', 'SOURCE_UNREACHABLE'],
    ['ECONNRESET', 'read', 'TransientError', 'SOURCE_UNREACHABLE'],
    ['EPIPE', 'write', 'TransientError', 'SOURCE_UNREACHABLE'],
    ['EHOSTUNREACH', 'connect', 'TransientError', 'SOURCE_UNREACHABLE'],
    ['ENETUNREACH', 'connect', 'TransientError', 'SOURCE_UNREACHABLE'],
    ['', 'timeout expired', 'TransientError', 'SOURCE_UNREACHABLE'],
    ['', 'Connection terminated unexpectedly', 'TransientError', 'SOURCE_UNREACHABLE'],
    [
      '',
      'Client has encountered a connection error and is not queryable',
      'TransientError',
      'SOURCE_UNREACHABLE',
    ],
    ['SELF_SIGNED_CERT_IN_CHAIN', 'self-signed', 'ConfigError', 'SOURCE_TLS'],
    ['CERT_HAS_EXPIRED', 'expired', 'ConfigError', 'SOURCE_TLS'],
    ['EPROTO', 'wrong version number', 'ConfigError', 'SOURCE_TLS'],
    ['HOSTNAME_MISMATCH', 'another name', 'ConfigError', 'SOURCE_TLS'],
    ['', 'The server does not support SSL connections', 'ConfigError', 'SOURCE_TLS'],
    [
      '28P01',
      'password authentication failed for user "someone"',
      'ConfigError',
      'SOURCE_PASSWORD',
    ],
    ['28000', 'no pg_hba.conf entry', 'ConfigError', 'SOURCE_PASSWORD'],
    ['3D000', 'database "totesys" does not exist', 'ConfigError', 'SOURCE_DATABASE'],
    ['42501', 'permission denied for table payment', 'ConfigError', 'SOURCE_PERMISSION'],
    ['42P01', 'relation "payment" does not exist', 'ContractError', 'SOURCE_SCHEMA'],
    ['42703', 'column "paid" does not exist', 'ContractError', 'SOURCE_SCHEMA'],
    ['3F000', 'schema "public" does not exist', 'ContractError', 'SOURCE_SCHEMA'],
    ['08006', 'connection failure', 'TransientError', 'SOURCE_BUSY'],
    [
      '08P01',
      'transaction blocks not allowed in statement pooling mode',
      'ConfigError',
      'SOURCE_SETTINGS',
    ],
    ['53300', 'too many clients already', 'TransientError', 'SOURCE_BUSY'],
    [
      '57P01',
      'terminating connection due to administrator command',
      'TransientError',
      'SOURCE_BUSY',
    ],
    ['57014', 'canceling statement due to statement timeout', 'TransientError', 'SOURCE_BUSY'],
    ['58030', 'could not read file', 'TransientError', 'SOURCE_BUSY'],
    ['40001', 'could not serialize access', 'TransientError', 'SOURCE_BUSY'],
    ['40P01', 'deadlock detected', 'TransientError', 'SOURCE_BUSY'],
    [
      '25P03',
      'terminating connection due to idle-in-transaction timeout',
      'TransientError',
      'SOURCE_BUSY',
    ],
    ['55P03', 'canceling statement due to lock timeout', 'TransientError', 'SOURCE_BUSY'],
    ['55006', 'object in use', 'TransientError', 'SOURCE_BUSY'],
    [
      '23505',
      'duplicate key value violates unique constraint "a"',
      'TidemarkError',
      'SOURCE_ERROR',
    ],
    ['', 'something else', 'TidemarkError', 'SOURCE_ERROR'],
  ])('maps %s %s to a %s', (code, message, name, expected) => {
    const cause = failure(code, message)
    const mapped = mapPostgresError(cause, database)
    expect(mapped).toBeInstanceOf(TidemarkError)
    expect(mapped).toMatchObject({ name, code: expected, cause })
    expect(mapped.message).toContain('Totesys at db.example.com:6543')
    expect(mapped.message).toContain(code)
    expect(`${mapped.message} ${mapped.hint}`).not.toContain(SECRET)
    expect(mapped.hint).toBeTruthy()
  })

  it.each([
    ['22P02', 'invalid input syntax for type integer: "a secret"'],
    ['22P02', 'invalid input value for enum mood: "a secret"'],
    ['22008', 'date/time field value out of range: "a secret"'],
    ['22P02', 'invalid input syntax for type json: "a secret\nof two lines"'],
    ['22003', 'value "a secret" is out of range for type integer'],
    ['P0001', 'a trigger that says a secret'],
  ])('does not show the value that %s quotes', (code, message) => {
    expect(mapPostgresError(failure(code, message), database).message).not.toContain('secret')
  })

  it('says how to get room for more locks', () => {
    const error = Object.assign(failure('53200', 'out of shared memory'), {
      hint: 'You might need to increase "max_locks_per_transaction".',
    })
    expect(mapPostgresError(error, database)).toMatchObject({
      name: 'ConfigError',
      code: 'SOURCE_LOCKS',
      hint: expect.stringContaining('set max_locks_per_transaction'),
    })
  })

  it('names the table, column and constraint if the server does', () => {
    const error = Object.assign(failure('23505', 'Key (email)=(a secret) already exists'), {
      table: 'staff',
      constraint: 'staff_email_key',
    })
    const { message } = mapPostgresError(error, database)
    expect(message).toContain('table staff, constraint staff_email_key')
    expect(message).not.toContain('secret')
  })

  it('maps a missing password and a missing certificate file to ConfigError', () => {
    const sasl = failure('', 'SASL: SCRAM-SERVER-FIRST-MESSAGE: client password must be a string')
    expect(mapPostgresError(sasl, database)).toMatchObject({ code: 'SOURCE_PASSWORD' })
    const withFile = { ...database, url: `${database.url}?sslrootcert=/nowhere.pem` }
    expect(mapPostgresError(failure('ENOENT', 'no such file'), withFile)).toMatchObject({
      code: 'SOURCE_TLS',
    })
  })

  it('returns our own errors unchanged', () => {
    const own = new ContractError('ours', { code: 'OURS' })
    expect(mapPostgresError(own, database)).toBe(own)
  })

  it('accepts a thrown value that is not an error', () => {
    expect(mapPostgresError('just a text', database)).toMatchObject({ code: 'SOURCE_ERROR' })
  })

  it('withPostgresErrors() maps errors and returns results of its work', async () => {
    await expect(withPostgresErrors(database, async () => 7)).resolves.toBe(7)
    const failed = withPostgresErrors(database, () => Promise.reject(failure('28P01', 'no')))
    await expect(failed).rejects.toMatchObject({ code: 'SOURCE_PASSWORD' })
  })
})

describe('parseUrl()', () => {
  const parse = (url: string) => parseUrl({ ...database, url })
  const verified = { rejectUnauthorized: true }
  afterEach(() => vi.unstubAllEnvs())

  it.each(['localhost', '127.0.0.1', '127.9.9.9', '[::1]'])(
    'asks for no TLS to %s, this machine',
    (host) => {
      const url = `postgresql://u:p@${host}:5432/db`
      const options = { host: host.replace(/[[\]]/g, ''), port: 5432, user: 'u', ssl: false }
      expect(parse(url)).toMatchObject({ ...options, password: 'p', database: 'db' })
      expect(parse(`${url}?sslmode=disable`)).toMatchObject(options)
    },
  )

  it('does not require TLS for a Unix socket', () => {
    for (const url of [
      'postgresql://u@%2Fvar%2Frun%2Fpg/db',
      'postgresql:///db?host=/var/run/pg',
    ]) {
      expect(parse(url)).toMatchObject({ host: '/var/run/pg', database: 'db', ssl: false })
    }
  })

  it.each([
    'postgresql://u:p@ss/w#d@127.0.0.1:5432/db',
    'postgresql://u:pw#d@127.0.0.1/db',
    'postgresql://u:1234/w@127.0.0.1/db',
    'postgresql://u:p/w@127.0.0.1/db',
    'postgresql://u:p?w@127.0.0.1/db',
  ])('refuses a password that is not encoded, and shows no part of it: %s', (url) => {
    const password = /u:(.*)@127/.exec(url)?.[1] ?? ''
    const pieces = password.split(/[@/#?]/).filter((piece) => piece.length > 1)
    let thrown: unknown
    try {
      parse(url)
    } catch (error) {
      thrown = error
    }
    expect(thrown).toMatchObject({ code: 'SOURCE_URL', hint: expect.stringContaining('%40') })
    for (const piece of pieces) expect((thrown as Error).message).not.toContain(piece)
  })

  it.each(['postgresql', 'postgres'])(
    'verifies the certificate of any other host over %s:',
    (scheme) => {
      const queries = ['', 'sslmode=require', 'sslmode=verify-ca', 'sslmode=verify-full']
      for (const query of [...queries, 'uselibpqcompat=true&sslmode=require', 'ssl=true']) {
        expect(parse(`${scheme}://u:p@db.example.com/db?${query}`).ssl).toEqual(verified)
      }
    },
  )

  it('keeps the certificates that the URL names', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'tidemark-test-'))
    await writeFile(join(folder, 'ca.pem'), 'trusted')
    const { ssl } = parse(`postgresql://u:p@db.example.com/db?sslrootcert=${folder}/ca.pem`)
    expect(ssl).toEqual({ ...verified, ca: 'trusted' })
    await rm(folder, { recursive: true })
  })

  it.each([
    'postgresql://u:p@localhost/db?host=db.example.com',
    'postgresql://u:p@127.0.0.1/db?host=db.example.com&port=5432',
    'postgresql://u:p@[::1]/db?host=10.0.0.7',
    'postgresql://u:p@127.example.com/db',
    'postgresql://u:p@127.0.0.1.nip.io/db',
    'postgresql://u:p@localhost.example.com/db',
  ])('requires TLS for the host to which %s really leads', (url) => {
    expect(parse(url).ssl).toEqual(verified)
    expect(() => parse(`${url}${url.includes('?') ? '&' : '?'}sslmode=disable`)).toThrow(
      /is not this machine: TLS must be verified/,
    )
  })

  it('requires TLS for a host from the environment, whatever mode the environment sets', () => {
    vi.stubEnv('PGHOST', 'db.example.com')
    vi.stubEnv('PGSSLMODE', 'no-verify')
    expect(parse('postgresql:///db')).toMatchObject({ host: 'db.example.com', ssl: verified })
    vi.stubEnv('PGSSLMODE', 'disable')
    expect(parse('postgresql://db2.example.com/db')).toMatchObject({ ssl: verified })
  })

  it.each([
    'sslmode=disable',
    'sslmode=no-verify',
    'sslmode=allow',
    'sslmode=prefer',
    'ssl=0',
    'ssl=no-verify',
  ])('refuses %s for another machine', (mode) => {
    expect(() => parse(`postgresql://u:${SECRET}@db.example.com/db?${mode}`)).toThrow(
      expect.objectContaining({
        name: 'ConfigError',
        code: 'SOURCE_URL',
        message: expect.not.stringContaining(SECRET),
      }),
    )
  })

  it.each([
    '',
    `not a url ${SECRET}`,
    `mysql://u:${SECRET}@localhost/db`,
    `host=localhost password=${SECRET}`,
  ])('refuses %j', (url) => {
    expect(() => parse(url)).toThrow(
      expect.objectContaining({
        name: 'ConfigError',
        code: 'SOURCE_URL',
        message: expect.not.stringContaining(SECRET),
      }),
    )
  })
})

describe('hostOf()', () => {
  afterEach(() => vi.unstubAllEnvs())

  it.each([
    [database.url, 'db.example.com:6543'],
    ['postgresql://u:p@db/x', 'db:5432'],
    ['postgresql:///x', 'localhost:5432'],
    ['postgresql://u:p@localhost/x?host=elsewhere&port=99', 'elsewhere:99'],
    ['postgresql://u:p@[::1]/x', '[::1]:5432'],
    ['postgresql:///x?host=/var/run/pg', '/var/run/pg:5432'],
    ['postgresql://u:p@db/x?sslrootcert=/nowhere.pem', 'db:5432'],
    [SECRET, 'an unreadable address'],
  ])('shows %s as %s', (url, shown) => {
    expect(hostOf(url)).toBe(shown)
  })

  it('shows the host from the environment', () => {
    vi.stubEnv('PGHOST', 'db.example.com')
    expect(hostOf('postgresql:///x')).toBe('db.example.com:5432')
  })
})

describe('connect()', () => {
  it('tries again after errors that may pass, and says how many times', async () => {
    const away = { ...database, url: 'postgresql://u:p@127.0.0.1:1/db', attempts: 3, pauseMs: 1 }
    await expect(connect(away)).rejects.toMatchObject({
      name: 'TransientError',
      code: 'SOURCE_UNREACHABLE',
      message: expect.stringMatching(/; tried 3 times in \d+ s$/),
    })
  })

  it('sends no plain text to another machine, wherever the URL seems to lead', async () => {
    const heard: Buffer[] = []
    const server = createServer((socket) => {
      socket.on('data', (chunk) => {
        heard.push(chunk)
        socket.end('N')
      })
    })
    // An address that is not loopback but still reaches this machine.
    server.listen(0, '0.0.0.0')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const url = `postgresql://u:${SECRET}@localhost:${port}/db?host=0.0.0.0`
    const failed = connect({ ...database, url })
    await expect(failed).rejects.toMatchObject({
      code: 'SOURCE_TLS',
      message: expect.stringContaining(`0.0.0.0:${port}`),
    })
    // Only the request for TLS, not a byte more (manual, 54.7).
    expect(Buffer.concat(heard).toString('hex')).toBe('0000000804d2162f')
    server.close()
  })

  it('does not try again if somebody must edit a setting', async () => {
    await expect(connect({ ...database, url: 'nonsense', attempts: 9 })).rejects.toMatchObject({
      name: 'ConfigError',
      code: 'SOURCE_URL',
    })
  })
})
