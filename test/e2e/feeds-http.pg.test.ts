import { expect, it } from 'vitest'
import { collect } from '../../src/platform/collect/collect.ts'
import type { Deps } from '../../src/platform/deps.ts'
import { examine } from '../../src/platform/inspect/doctor.ts'
import { ConflictError } from '../../src/platform/errors.ts'
import { run } from '../../src/platform/pipeline.ts'
import type { AnswerFormat } from '../../src/platform/project/source-contract.ts'
import { verify } from '../../src/platform/inspect/verify.ts'
import { readFeedState } from '../support/feeds.ts'
import { startHttpServer, type TestHttpServer } from '../support/http-server.ts'
import { listKeys, once, withHook } from '../support/lake.ts'
import { createShop, type ShopSystem } from '../support/shop.ts'

const MINUTE = 60_000
/** An answer has lines of `item day price`, and nothing else. */
const format: AnswerFormat = {
  feed: 'price',
  path: '/prices?key=hunter2',
  parse: {
    safeParse({ text }) {
      const lines = text.split('\n').filter((line) => line !== '')
      if (!lines.every((line) => /^\d+ \S+ \S+$/.test(line))) return { success: false }
      return {
        success: true,
        data: lines.map((line) => {
          const [item_id = '', day = '', price = ''] = line.split(' ')
          return { item_id, day, price }
        }),
      }
    },
  },
}

interface Asking extends ShopSystem {
  readonly server: TestHttpServer
  /** Runs `minutes` after the last run. Returns the codes of the servers that failed. */
  later(minutes: number, deps?: Deps): Promise<string[]>
  prices(): Promise<string[]>
  outcome(): Promise<unknown>
}

async function createAsking(everyMinutes = 60): Promise<Asking> {
  const shop = await createShop({ hasPrices: true })
  const server = await startHttpServer(format.path)
  let now = Date.parse('2026-11-20T10:00:00Z')
  const deps: Deps = {
    ...shop.deps,
    now: () => new Date(now),
    feeds: { servers: [{ url: server.url, format, everyMs: everyMinutes * MINUTE }] },
  }
  await run(shop.deps)
  return {
    ...shop,
    deps,
    server,
    async later(minutes, its = deps) {
      now += minutes * MINUTE
      const report = await run(its)
      expect(report.failures).toEqual([])
      return report.collected?.failures.map(({ error }) => error.code) ?? ['none']
    },
    async prices() {
      const found = await shop.query<{ version: string }>(
        `select record_operation || ' ' || price as version from fact_price order by price_record_id`,
      )
      return found.map(({ version }) => version)
    },
    outcome: async () => (await readFeedState(deps, 'files'))[0]?.['outcome'],
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]()
      await shop[Symbol.asyncDispose]()
    },
  }
}

it('I7 I9 asks only for new content, and makes a version of each change', async () => {
  await using asking = await createAsking()
  const { server } = asking
  let version = '"1"'
  let price = '9.5'
  server.answer = (response, request) => {
    if (request.headers['if-none-match'] === version) response.writeHead(304).end()
    else response.setHeader('etag', version).end(`1 2026-11-20 ${price}\n`)
  }
  expect(await asking.later(0)).toEqual([])
  expect(await asking.prices()).toEqual(['insert 9.500'])
  const objects = await listKeys(asking.deps.ingestion)
  expect(await asking.later(59)).toEqual([])
  expect(server.requests.length).toBe(1)
  expect(await asking.later(1)).toEqual([])
  expect(server.requests.map((headers) => headers['if-none-match'])).toEqual([undefined, '"1"'])
  expect(await listKeys(asking.deps.ingestion)).toEqual(objects)
  ;[version, price] = ['"2"', '10']
  await asking.later(60)
  expect(await asking.prices()).toEqual(['insert 9.500', 'update 10.000'])
  expect((await verify(asking.deps)).isEqual).toBe(true)
})

it('goes on while a server is away, and asks it again after a minute, not an hour', async () => {
  await using asking = await createAsking()
  const { server } = asking
  server.answer = (response) => response.writeHead(404).end()
  await asking.sql.query(`insert into sale values (1, 1, 5, 9.99, '2026-11-20')`)
  expect(await asking.later(0)).toEqual(['FEED_REFUSED'])
  expect(await asking.query('select units from fact_sale_current')).toEqual([{ units: 5 }])
  server.answer = (response) => response.end('1 2026-11-20 1\n')
  expect(await asking.later(0.9)).toEqual([])
  expect(server.requests.length).toBe(1)
  expect(await asking.later(0.1)).toEqual([])
  expect(server.requests.length).toBe(2)
  expect(await asking.prices()).toEqual(['insert 1.000'])
  expect(asking.entries.map(({ event }) => event)).toContain('feed_unreachable')
  expect(JSON.stringify(asking.entries)).not.toContain('hunter2')
})

it('refuses an answer in another format, keeps its bytes in the lake, and takes the next one', async () => {
  await using asking = await createAsking(1)
  const { server } = asking
  server.answer = (response) => response.end('<html>Not now</html>')
  await asking.later(0)
  expect(await asking.prices()).toEqual([])
  expect(await asking.outcome()).toBe('refused')
  expect((await readFeedState(asking.deps, 'open')).map((row) => row['_reason'])).toEqual([
    'not_readable',
  ])
  const raw = (await listKeys(asking.deps.ingestion)).find((key) => key.startsWith('raw/'))
  expect(String(await asking.deps.ingestion.get(raw ?? ''))).toBe('<html>Not now</html>')
  expect(JSON.stringify(await asking.records())).not.toContain('hunter2')
  server.answer = (response) => response.end('1 2026-11-20 1\n1 TBC 2\n')
  await asking.later(1)
  expect(await asking.prices()).toEqual(['insert 1.000'])
  expect((await readFeedState(asking.deps, 'open')).map((row) => row['_reason'])).toEqual([
    'value_not_exact',
  ])
  server.answer = (response) => response.end('1 2026-11-20 1\n')
  await asking.later(1)
  expect(await readFeedState(asking.deps, 'open')).toEqual([])
})

it('I13 an answer without a row is a failure of the server: nothing is kept, and it is asked again soon', async () => {
  await using asking = await createAsking()
  const { server } = asking
  const objects = await listKeys(asking.deps.ingestion)
  server.answer = (response) => response.setHeader('etag', '"none"').end('\n')
  expect(await asking.later(0)).toEqual(['FEED_EMPTY'])
  server.answer = (response) => response.end()
  expect(await asking.later(1)).toEqual(['FEED_EMPTY'])
  server.answer = (response) => response.writeHead(204).end()
  expect(await asking.later(1)).toEqual(['FEED_EMPTY'])
  expect(await listKeys(asking.deps.ingestion)).toEqual(objects)
  server.answer = (response) => response.end('1 2026-11-20 1\n')
  expect(await asking.later(1)).toEqual([])
  expect(await asking.prices()).toEqual(['insert 1.000'])
  // The known rows stay, and the doctor names the problem.
  server.answer = (response) => response.end('')
  expect(await examine(asking.deps)).toContainEqual(
    expect.objectContaining({
      ok: false,
      detail: expect.stringContaining('answered without a single row'),
    }),
  )
  expect(await asking.later(60)).toEqual(['FEED_EMPTY'])
  expect(await asking.prices()).toEqual(['insert 1.000'])
  expect(await asking.outcome()).toBe('taken')
})

it('keeps to its limits, with an endless answer and with one that never begins', async () => {
  await using asking = await createAsking(1)
  const { server } = asking
  server.answer = (response) => {
    const more = (): void => {
      while (!response.destroyed && response.write('1 2026-11-20 1\n'.repeat(10_000)));
      if (!response.destroyed) response.once('drain', more)
    }
    more()
  }
  expect(await asking.later(0)).toEqual(['FEED_TOO_LARGE'])
  server.answer = (response) => response.socket?.destroy()
  expect(await asking.later(1)).toEqual(['FEED_UNREACHABLE'])
  expect(server.requests.length).toBe(4)
  expect(await asking.prices()).toEqual([])
})

it('I3 archives an answer before any object is made from it', async () => {
  await using asking = await createAsking()
  asking.server.answer = (response) => response.end('1 2026-11-20 1\n')
  const calls: string[] = []
  await asking.later(
    0,
    withHook(
      asking.deps,
      (call, key) => void (call === 'get' || calls.push(key.split('/')[0] ?? '')),
    ),
  )
  expect(calls[0]).toBe('raw')
  expect(calls.at(-1)).toBe('batch')
})

it('I4 keeps an answer that lost the race for a batch, and does not ask a second time', async () => {
  await using asking = await createAsking()
  asking.server.answer = (response) => response.end('1 2026-11-20 1\n')
  let attempts = 0
  const contested = withHook(asking.deps, (call, key) => {
    if (call !== 'put' || !key.startsWith('batch/')) return
    attempts += 1
    if (attempts === 1) throw new ConflictError('taken', { code: 'BATCH_TAKEN' })
    if (attempts === 2) throw new Error('the store is away')
  })
  await expect(collect(contested)).rejects.toThrow('the store is away')
  expect(await collect(contested)).toMatchObject({ committed: true, files: 1 })
  expect(asking.server.requests.length).toBe(1)
  expect(await collect(contested)).toMatchObject({ committed: false, files: 0 })
})

it('I4 takes an answer once if the reply to the commit is lost', async () => {
  await using asking = await createAsking()
  asking.server.answer = (response) => response.end('1 2026-11-20 1\n')
  const { ingestion } = asking.deps
  const deaf = withHook(
    asking.deps,
    once(
      (call, key) => call === 'put' && key.startsWith('batch/'),
      async () => {
        // Another call commits it meanwhile.
        await collect({ ...asking.deps, ingestion })
        throw new Error('no answer')
      },
    ),
  )
  await expect(collect(deaf)).rejects.toThrow('no answer')
  expect(await collect(asking.deps)).toMatchObject({ committed: false })
  await asking.later(0)
  expect(await asking.prices()).toEqual(['insert 1.000'])
})
