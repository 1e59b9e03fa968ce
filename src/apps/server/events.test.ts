import { afterEach, describe, expect, it, vi } from 'vitest'
import { TransientError } from '../../platform/errors.ts'
import type { Freshness } from '../../platform/presentation/freshness.ts'
import {
  createLedgerWatch,
  type LedgerWatch,
  type News,
  openEventStream,
  tellOnce,
} from './events.ts'

const head = (batch: number, more: Partial<Freshness> = {}): Freshness => ({
  batch,
  generation: 'g',
  completeTo: '2024-01-01T00:00:00.000000Z',
  lagMs: 1500,
  promiseMs: 60_000,
  isFresh: true,
  ...more,
})

/** Collects this many pieces of news. */
function gather(watch: LedgerWatch, count: number): Promise<News[]> {
  return new Promise((resolve) => {
    const all: News[] = []
    const stop = watch.subscribe((news) => {
      all.push(news)
      if (all.length < count) return
      stop()
      resolve(all)
    })
  })
}

afterEach(() => void vi.useRealTimers())

describe('createLedgerWatch()', () => {
  it('tells every change and nothing else, also that the warehouse is gone and back', async () => {
    const states: (() => Freshness)[] = [
      () => head(1),
      () => head(1, { lagMs: 9 }),
      () => head(2),
      () => head(2, { completeTo: '2024-01-01T00:00:05.000000Z' }),
      () => {
        throw new TransientError('away', { code: 'WAREHOUSE_UNREACHABLE' })
      },
      () => {
        throw new TransientError('away', { code: 'WAREHOUSE_UNREACHABLE' })
      },
      () => {
        throw new TypeError('a fault')
      },
      () => head(2, { isFresh: false }),
    ]
    let asked = 0
    const watch = createLedgerWatch(async () => (states[asked++] ?? states.at(-1)!)(), {
      everyMs: 1,
    })
    const news = await gather(watch, 6)
    expect(
      news.map((one) =>
        one.event === 'head' ? [one.freshness.batch, one.freshness.isFresh] : one.code,
      ),
    ).toEqual([[1, true], [2, true], [2, true], 'WAREHOUSE_UNREACHABLE', 'UNEXPECTED', [2, false]])
  })

  it('asks once for all listeners, and again for the next ones', async () => {
    let asked = 0
    const watch = createLedgerWatch(async () => head((asked += 1)), { everyMs: 1 })
    const both = await Promise.all([gather(watch, 3), gather(watch, 3)])
    expect(both[0]).toEqual(both[1])
    expect(await gather(watch, 1)).toHaveLength(1)
  })

  it('asks twice a second while somebody listens, so that a batch is known within one', async () => {
    vi.useFakeTimers()
    let asked = 0
    const watch = createLedgerWatch(async () => head((asked += 1)))
    const stop = watch.subscribe(() => {})
    await vi.advanceTimersByTimeAsync(5000)
    expect(asked).toBe(11)
    stop()
    await vi.advanceTimersByTimeAsync(5000)
    expect(asked).toBe(11)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('tells a later listener at once what is known', async () => {
    const watch = createLedgerWatch(async () => head(1), { everyMs: 60_000 })
    const stop = watch.subscribe(() => {})
    await gather(watch, 1)
    const told: News[] = []
    watch.subscribe((news) => told.push(news))()
    expect(told).toHaveLength(1)
    stop()
  })
})

describe('openEventStream()', () => {
  const silent: LedgerWatch = { subscribe: () => () => {} }

  it('writes news as events, with heartbeats in between', async () => {
    vi.useFakeTimers()
    let tell: (news: News) => void = () => {}
    const stop = new AbortController()
    const body = openEventStream(
      { subscribe: (listener) => ((tell = listener), () => {}) },
      { signals: [stop.signal], expiresAt: undefined, onEnd: () => {} },
    )
    const read = new Response(body).text()
    tell({ event: 'head', freshness: head(7) })
    tell({ event: 'away', code: 'X' })
    await vi.advanceTimersByTimeAsync(15_000)
    stop.abort()
    const text = await read
    expect(text).toContain(
      'event: head\nid: 7\ndata: {"batch":7,"generation":"g","completeTo":"2024-01-01T00:00:00.000000Z",' +
        '"lagSeconds":1.5,"promiseSeconds":60,"isFresh":true}\n\n',
    )
    expect(text).toContain('event: away\ndata: {"code":"X"}\n\n')
    expect(text).toContain(': still here\n\n')
  })

  it('ends once: when the server stops, the client leaves, the login expires or the client lags', async () => {
    let ended = 0
    const open = (more: { signals?: AbortSignal[]; expiresAt?: number }, watch = silent) =>
      openEventStream(watch, {
        signals: [],
        expiresAt: undefined,
        ...more,
        onEnd: () => (ended += 1),
      })
    await new Response(open({ signals: [AbortSignal.abort()] })).text()
    expect(ended).toBe(1)
    await new Response(open({ expiresAt: Date.now() + 5 })).text()
    expect(ended).toBe(2)
    await open({}).cancel()
    expect(ended).toBe(3)
    open(
      {},
      {
        subscribe(listener) {
          for (let n = 0; n < 200; n++) listener({ event: 'head', freshness: head(n) })
          return () => {}
        },
      },
    )
    expect(ended).toBe(4)
  })
})

describe('tellOnce()', () => {
  it('tells the newest batch, when to ask again, and that it ends on purpose', async () => {
    const text = await tellOnce(async () => head(7))
    expect(text).toMatch(
      /^retry: 15000\n\nevent: head\nid: 7\ndata: \{"batch":7,.*\}\n\nevent: end\ndata: \{\}\n\n$/,
    )
  })

  it('tells that the warehouse is out of reach', async () => {
    const away = async () => {
      throw new TransientError('away', { code: 'WAREHOUSE_UNREACHABLE' })
    }
    expect(await tellOnce(away)).toContain(
      'event: away\ndata: {"code":"WAREHOUSE_UNREACHABLE"}\n\nevent: end\n',
    )
  })
})
