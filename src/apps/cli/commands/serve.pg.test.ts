import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { tidemark } from '../../../../test/support/command.ts'
import { createTestReader, type TestReader } from '../../../../test/support/reader.ts'
import { createSystem, type TestSystem } from '../../../../test/support/system.ts'
import { TOTESYS_PROJECT } from '../../../../test/support/totesys-project.ts'

describe('tidemark serve', () => {
  let system: TestSystem
  let role: TestReader
  beforeAll(async () => {
    system = await createSystem()
    role = await createTestReader(system)
  })
  afterAll(async () => {
    await role[Symbol.asyncDispose]()
    await system[Symbol.asyncDispose]()
  })
  const env = () => ({
    TIDEMARK_PROJECT: TOTESYS_PROJECT,
    TIDEMARK_SOURCE_URL: system.source.readerUrl,
    TIDEMARK_WAREHOUSE_URL: system.warehouse.url,
    TIDEMARK_WAREHOUSE_READER_URL: role.warehouse.url,
    TIDEMARK_HOME: system.folder,
  })
  /** Serves until a request was answered, and an event was logged. */
  const serve = async (more: Record<string, string> = {}, until = 'server_started') => {
    const stop = new AbortController()
    let asked: Promise<Response> | undefined
    let isAnswered = false
    let isSaid = false
    const end = (): void => {
      if (isAnswered && isSaid) stop.abort()
    }
    const { code, out, events } = await tidemark(['serve', '--port', '0', '--json'], {
      env: { ...env(), ...more },
      signal: stop.signal,
      onOut(text) {
        isSaid = text.includes(until)
        end()
        const [, url] = /"url":"([^"]+)"/.exec(text) ?? []
        if (url === undefined || asked !== undefined) return
        asked = fetch(`${url}/payments/next5`)
        void asked
          .catch(() => {})
          .finally(() => {
            isAnswered = true
            end()
          })
      },
    })
    return { code, out, events, response: await asked }
  }

  it('answers until it is interrupted', async () => {
    await system.run()
    const { code, out, response } = await serve()
    expect(code).toBe(130)
    expect(response?.status).toBe(200)
    expect(await response?.json()).toMatchObject({ payments: [] })
    expect(out).toContain('"event":"payments_read"')
  })

  it('asks for a token on this machine too if a login is set up, and says so', async () => {
    const jwks = join(system.folder, 'keys.json')
    await writeFile(jwks, '{"keys":[]}')
    const { response, out } = await serve({
      TIDEMARK_OIDC_ISSUER: 'https://login.example.org/',
      TIDEMARK_OIDC_AUDIENCE: 'tidemark',
      TIDEMARK_OIDC_JWKS: jwks,
    })
    expect(out).toContain('"login":true')
    expect(response?.status).toBe(401)
    expect(out).not.toContain('payments_read')
  })

  it('says that nothing limits the disk space of a question, and what would', async () => {
    const { events } = await serve({}, 'reader_unbounded')
    expect(events.find(({ event }) => event === 'reader_unbounded')).toMatchObject({
      what: 'nothing limits the disk space that one of its questions may take',
      fix: `alter role ${role.role} set temp_file_limit = '1GB'`,
    })
    await system.query(`alter role ${role.role} set temp_file_limit = '1GB'`)
    const { out } = await serve()
    expect(out).not.toContain('temp_file_limit')
  })

  it.each(['serve --port 0', 'up'])('%s says how to get a role that only reads', async (line) => {
    const own = { ...env(), TIDEMARK_WAREHOUSE_READER_URL: '', TIDEMARK_PORT: '0' }
    const { code, out, err } = await tidemark(line.split(' '), { env: own })
    expect(code).toBe(2)
    expect(err).toMatch(/✕ The dashboard needs a role that can only .* WAREHOUSE_READER_RIGHTS\n/)
    expect(err).toContain('Next: tidemark doctor   prints the SQL that creates the role')
    expect(out + err).not.toContain('Dashboard')
  })

  it('starts while the warehouse is away, and answers that it is', async () => {
    const url = 'postgresql://someone:secret@127.0.0.1:1/away'
    const { code, response, out } = await serve({ TIDEMARK_WAREHOUSE_READER_URL: url })
    expect([code, response?.status]).toEqual([130, 503])
    expect(out).toContain('WAREHOUSE_UNREACHABLE')
  })

  it('starts before the role may read anything, and refuses it once it may write', async () => {
    await system.query(`revoke select on tidemark_status from ${role.role}`)
    expect((await serve()).code).toBe(130)
    await system.query(`grant select on tidemark_status to ${role.role}`)
    await system.query(`grant insert on dim_staff to ${role.role}`)
    const refused = await serve()
    expect(refused.code).toBe(2)
    expect(refused.out).toContain('The role for reading the warehouse may ')
    await system.query(`revoke insert on dim_staff from ${role.role}`)
    expect((await serve()).code).toBe(130)
  })

  it('says what to do when it may not listen', async () => {
    const beyond = await tidemark(['serve', '--host', '0.0.0.0'], { env: env() })
    expect(beyond.code).toBe(2)
    expect(beyond.err).toContain('CONFIG_OIDC')
    expect(beyond.err).toContain('TIDEMARK_OIDC_ISSUER')
    const port = await tidemark(['serve', '--port', '99999'], { env: env() })
    expect(port.code).toBe(2)
    expect(port.err).toContain('TIDEMARK_PORT')
  })
})
