import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { type SecretsServer, startSecretsServer } from '../../../test/support/secrets-server.ts'
import { forgetSecrets, readDatabaseUrl } from './secrets.ts'

describe('readDatabaseUrl()', () => {
  let server: SecretsServer
  // The process keeps one client.
  beforeAll(async () => {
    server = await startSecretsServer()
    vi.stubEnv('AWS_ENDPOINT_URL_SECRETS_MANAGER', server.endpoint)
    vi.stubEnv('AWS_REGION', 'eu-west-2')
    vi.stubEnv('AWS_ACCESS_KEY_ID', 'tidemark')
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'none')
  })
  beforeEach(() => forgetSecrets())
  afterAll(async () => {
    vi.unstubAllEnvs()
    vi.useRealTimers()
    await server[Symbol.asyncDispose]()
  })

  const read = async (value: string): Promise<string> => {
    forgetSecrets()
    server.secrets.set('database', value)
    return await readDatabaseUrl('database').catch((error: unknown) => String(error))
  }

  it('takes a connection string, and the JSON that RDS keeps', async () => {
    expect(await read('postgresql://a:b@127.0.0.1:5432/x\n')).toBe(
      'postgresql://a:b@127.0.0.1:5432/x',
    )
    const kept = { host: '127.0.0.1', dbname: 'x y', username: 'a@b', password: 'p:/?#' }
    const url = await read(JSON.stringify({ ...kept, engine: 'postgres' }))
    expect(url).toBe('postgresql://a%40b:p%3A%2F%3F%23@127.0.0.1:5432/x%20y')
    const { username, password } = new URL(url)
    expect([username, password].map(decodeURIComponent)).toEqual(['a@b', 'p:/?#'])
    expect(await read(JSON.stringify({ ...kept, port: '6000' }))).toContain(':6000/')
  })

  it('refuses anything else, without a word of what it holds', async () => {
    for (const value of ['', 'hunter2', '{"password":"hunter2"}', '"hunter2"', 'null', '[1]']) {
      const told = await read(value)
      expect(told, value).toMatch(
        /^ConfigError: The secret database does not hold a database connection/,
      )
      expect(told).not.toContain('hunter2')
    }
  })

  it('says what is missing, denied or away', async () => {
    await expect(readDatabaseUrl('nothing')).rejects.toMatchObject({
      name: 'ConfigError',
      code: 'SECRET_MISSING',
    })
    server.fault = 'AccessDeniedException'
    await expect(readDatabaseUrl('database')).rejects.toMatchObject({ code: 'SECRET_DENIED' })
    server.fault = undefined
    // As often as the SDK tries.
    server.failures = 3
    await expect(readDatabaseUrl('database')).rejects.toMatchObject({
      name: 'TransientError',
      code: 'SECRET_UNREACHABLE',
    })
  })

  it('asks again after five minutes, and when it is told to forget', async () => {
    const asked = server.asked.length
    vi.useFakeTimers({ toFake: ['Date'] })
    server.secrets.set('database', 'postgresql://a:old@127.0.0.1/x')
    await readDatabaseUrl('database')
    server.secrets.set('database', 'postgresql://a:new@127.0.0.1/x')
    vi.setSystemTime(Date.now() + 4 * 60_000)
    expect(await readDatabaseUrl('database')).toContain('old')
    vi.setSystemTime(Date.now() + 2 * 60_000)
    expect(await readDatabaseUrl('database')).toContain('new')
    server.secrets.set('database', 'postgresql://a:newest@127.0.0.1/x')
    forgetSecrets()
    expect(await readDatabaseUrl('database')).toContain('newest')
    expect(server.asked.length - asked).toBe(3)
    vi.useRealTimers()
  })
})
