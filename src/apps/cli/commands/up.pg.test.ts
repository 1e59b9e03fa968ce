import { createServer, type Server } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { tidemark } from '../../../../test/support/command.ts'
import { createTestReader, type TestReader } from '../../../../test/support/reader.ts'
import { createSystem, type TestSystem } from '../../../../test/support/system.ts'
import { DEFAULT_PORT } from './serve.ts'

describe('tidemark up', () => {
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
  /** Lets it run until it serves and the overview was asked for. */
  const up = async (port: string, ...argv: string[]) => {
    const stop = new AbortController()
    let asked: Promise<string> | undefined
    const result = await tidemark(['up', '--json', ...argv], {
      env: {
        TIDEMARK_SOURCE_URL: system.source.readerUrl,
        TIDEMARK_WAREHOUSE_URL: system.warehouse.url,
        TIDEMARK_WAREHOUSE_READER_URL: role.warehouse.url,
        TIDEMARK_HOME: system.folder,
        TIDEMARK_PORT: port,
      },
      signal: stop.signal,
      onOut(text) {
        const [, url] = /"url":"([^"]+)"/.exec(text) ?? []
        if (url === undefined || asked !== undefined) return
        asked = fetch(url).then((response) => response.text())
        asked.then(
          () => stop.abort(),
          () => stop.abort(),
        )
      },
    })
    const started = result.events.find(({ event }) => event === 'server_started')
    return { ...result, url: String(started?.['url']), page: await asked }
  }
  /** Something that listens there, ours or somebody else's. */
  const take = async (port: number): Promise<Server> => {
    const server = createServer()
    await new Promise<void>((resolve) => {
      server.once('error', () => resolve())
      server.listen(port, '127.0.0.1', resolve)
    })
    return server
  }

  it('serves the dashboard beside its runs', async () => {
    const { code, page } = await up('0')
    expect(code).toBe(130)
    expect(page).toContain('<h1>Overview</h1>')
  })

  it('takes a free port if the usual one is taken and no other was asked for', async () => {
    const other = await take(DEFAULT_PORT)
    const { url, page } = await up('')
    other.close()
    expect(new URL(url).port).not.toBe(String(DEFAULT_PORT))
    expect(page).toContain('Tidemark')
  })

  it('keeps to the port that was asked for', async () => {
    const other = await take(0)
    const { port } = other.address() as { port: number }
    const { code, out } = await up(String(port))
    other.close()
    expect(code).toBe(2)
    expect(out).toContain('PORT_TAKEN')
  })

  it('names your own databases after one run, because they keep running', async () => {
    const { err } = await tidemark(['up', '--once'], {
      env: {
        TIDEMARK_SOURCE_URL: system.source.readerUrl,
        TIDEMARK_WAREHOUSE_URL: system.warehouse.url,
        TIDEMARK_HOME: system.folder,
      },
    })
    expect(err).toMatch(/Source {6}127\.0\.0\.1:\d+ {3}read with SELECT only/)
    expect(err).toMatch(/Warehouse {3}127\.0\.0\.1:\d+ {3}schema public/)
    expect(err).not.toContain('Kept')
  })

  it('serves nothing if it runs once', async () => {
    const { code, out } = await up('0', '--once')
    expect(code).toBe(0)
    expect(out).not.toContain('server_started')
  })
})
