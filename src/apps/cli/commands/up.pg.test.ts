import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type CommandResult, tidemark } from '../../../../test/support/command.ts'
import { createTestReader, type TestReader } from '../../../../test/support/reader.ts'
import { createSystem, type TestSystem } from '../../../../test/support/system.ts'
import { DEFAULT_PORT } from '../../server/open-server.ts'
import { TOTESYS_PROJECT } from '../../../../test/support/totesys-project.ts'

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
        TIDEMARK_PROJECT: TOTESYS_PROJECT,
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

  it.each([['up'], ['serve']])(
    '%s finds a taken port before anything is started, and names an option that it has',
    async (name) => {
      const other = await take(0)
      const { port } = other.address() as { port: number }
      const home = join(tmpdir(), `tidemark-unopened-${randomUUID()}`)
      const { code, err } = await tidemark([name, '--port', String(port), '--home', home])
      other.close()
      expect(code).toBe(2)
      expect(err).toContain('PORT_TAKEN')
      expect(existsSync(home)).toBe(false)
      const [, option = ''] = /Next: choose another one: (--[a-z]+) \d+/.exec(err) ?? []
      expect((await tidemark([name, '--help'])).out).toContain(`${option} <`)
    },
  )

  it('refuses a second up in its home, whatever its options, with the address of the first', async () => {
    const stop = new AbortController()
    const env = {
      TIDEMARK_PROJECT: TOTESYS_PROJECT,
      TIDEMARK_SOURCE_URL: system.source.readerUrl,
      TIDEMARK_WAREHOUSE_URL: system.warehouse.url,
      TIDEMARK_WAREHOUSE_READER_URL: role.warehouse.url,
      TIDEMARK_HOME: system.folder,
    }
    let first: Promise<CommandResult> | undefined
    const url = await new Promise<string>((resolve) => {
      first = tidemark(['up', '--json', '--port', '0'], {
        env,
        signal: stop.signal,
        onOut(text) {
          const [, found] = /"url":"([^"]+)"/.exec(text) ?? []
          if (found !== undefined) resolve(found)
        },
      })
    })
    for (const options of [[], ['--once'], ['--port', new URL(url).port]]) {
      const second = await tidemark(['up', ...options], { env })
      expect([second.code, second.out]).toEqual([6, ''])
      expect(second.err).toMatch(/✕ tidemark up already runs in .*UP_RUNNING\n/)
      expect(second.err).toContain(`at ${url} `)
      expect(second.err).toContain(`Next: open ${url}`)
    }
    // Other commands may run beside it.
    expect((await tidemark(['run'], { env })).code).toBe(0)
    expect((await fetch(`${url}/health`)).status).toBe(200)
    stop.abort()
    expect((await first)?.code).toBe(130)
    expect((await tidemark(['up', '--once'], { env })).code).toBe(0)
  })

  it('names your own databases after one run, because they keep running', async () => {
    const { err } = await tidemark(['up', '--once'], {
      env: {
        TIDEMARK_PROJECT: TOTESYS_PROJECT,
        TIDEMARK_SOURCE_URL: system.source.readerUrl,
        TIDEMARK_WAREHOUSE_URL: system.warehouse.url,
        TIDEMARK_HOME: system.folder,
      },
    })
    expect(err).toMatch(/Source {6}127\.0\.0\.1:\d+ {3}read with SELECT only/)
    expect(err).toMatch(/Warehouse {3}127\.0\.0\.1:\d+ {3}schema public/)
    expect(err).not.toContain('Kept')
  })

  it('ends once with a final object that says what the warehouse holds', async () => {
    const { events, code } = await up('0', '--once')
    expect(events.at(-1)).toMatchObject({
      event: 'up_finished',
      exit: code,
      ok: true,
      facts: expect.any(Number) as number,
      versions: expect.any(Number) as number,
    })
    const { tables } = events.at(-1) as unknown as { tables: { table: string }[] }
    expect(tables.map(({ table }) => table)).toContain('fact_sales_order')
  })

  it('serves nothing if it runs once', async () => {
    const { code, out } = await up('0', '--once')
    expect(code).toBe(0)
    expect(out).not.toContain('server_started')
  })
})
