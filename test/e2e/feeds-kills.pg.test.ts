import { type ChildProcess, spawn } from 'node:child_process'
import { once as onceEvent } from 'node:events'
import { mkdir, utimes, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { collect } from '../../src/platform/collect/collect.ts'
import type { Deps } from '../../src/platform/deps.ts'
import { run } from '../../src/platform/pipeline.ts'
import { diskDrop } from '../../src/platform/source/drop.ts'
import { verify } from '../../src/platform/inspect/verify.ts'
import { readFeedState } from '../support/feeds.ts'
import { PATIENT_RUN, whileLoadsWait } from '../support/held-loads.ts'
import { listKeys, once, withHook } from '../support/lake.ts'
import { createShop, type ShopSystem } from '../support/shop.ts'
import { createSystem } from '../support/system.ts'
import { TOTESYS_PROJECT } from '../support/totesys-project.ts'

interface Dropping extends ShopSystem {
  drop(name: string, lines: readonly string[]): Promise<void>
  versions(item: number): Promise<string[]>
}

async function createDropping(): Promise<Dropping> {
  const shop = await createShop({ hasPrices: true })
  const folder = join(shop.folder, 'drop')
  await run(shop.deps)
  return {
    ...shop,
    deps: { ...shop.deps, feeds: { drop: diskDrop(folder) } },
    drop: (name, lines) => dropFile(join(folder, name), lines.join('')),
    async versions(item) {
      const found = await shop.query<{ version: string }>(
        `select record_operation || ' ' || price as version from fact_price
         where item_id = $1 order by price_record_id`,
        [item],
      )
      return found.map(({ version }) => version)
    },
  }
}

async function dropFile(path: string, body: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, body)
  const earlier = new Date(Date.now() - 5000)
  await utimes(path, earlier, earlier)
}

const line = (item: number, price: number | string, day = '2026-11-20') =>
  `${JSON.stringify({ item_id: item, day, price })}\n`

describe('a kill', () => {
  it.each(['before', 'after'] as const)(
    'I4 %s any object of a collected batch: the next run ends where an undisturbed one would',
    async (when) => {
      await using dropping = await createDropping()
      let puts = 0
      let rounds = 0
      for (let nth = 1; puts + 1 >= nth; nth++) {
        rounds += 1
        await dropping.drop(`price/${nth}.jsonl`, [line(1, nth), line(2, 'TBC'), line(2, nth)])
        puts = 0
        const killed = breakAt(dropping.deps, () => ++puts === nth, when)
        const before = (await dropping.records()).length
        const error = await collect(killed).then(
          () => undefined,
          (fault: unknown) => fault,
        )
        if (error === undefined) break
        // If only the reply to the commit was lost, the batch exists.
        const isDone = when === 'after' && (await dropping.records()).length > before
        expect(await collect(dropping.deps)).toMatchObject({ committed: !isDone })
        expect(await dropping.records()).toHaveLength(before + 1)
      }
      expect(rounds).toBeGreaterThan(4)
      await run(dropping.deps)
      const [record] = (await dropping.records()).slice(-1)
      expect(record?.tables['price']?.rows).toBe(2)
      const all = Array.from(
        { length: rounds },
        (_, at) => `${at === 0 ? 'insert' : 'update'} ${at + 1}.000`,
      )
      expect(await dropping.versions(1)).toEqual(all)
      expect(await dropping.versions(2)).toEqual(all)
      expect(await readFeedState(dropping.deps, 'open')).toEqual([])
      expect((await readFeedState(dropping.deps, 'files')).length).toBe(rounds)
      expect((await verify(dropping.deps)).isEqual).toBe(true)
    },
  )

  it('I3 before the commit record leaves objects that do not exist for readers', async () => {
    await using dropping = await createDropping()
    await dropping.drop('price/a.jsonl', [line(1, 1)])
    const killed = withHook(dropping.deps, (call, key) => {
      if (call === 'put' && key.startsWith('batch/')) throw new Error('killed')
    })
    await expect(collect(killed)).rejects.toThrow('killed')
    const orphans = (await listKeys(dropping.deps.ingestion)).filter((key) => key.includes('price'))
    expect(orphans.filter((key) => key.startsWith('raw/'))).toHaveLength(1)
    await run(dropping.deps)
    expect(await dropping.versions(1)).toEqual(['insert 1.000'])
    const [record] = (await dropping.records()).slice(-1)
    const named = Object.values(record?.tables ?? {}).flatMap(({ changes }) =>
      changes.map(({ key }) => key),
    )
    expect(named.filter((key) => orphans.includes(key))).toEqual([])
    expect(await listKeys(dropping.deps.ingestion)).toEqual(
      expect.arrayContaining([...orphans, ...named]),
    )
  })

  it('I4 when another run takes the batch number first: its batch stays, and ours follows', async () => {
    await using dropping = await createDropping()
    await dropping.drop('price/a.jsonl', [line(1, 1)])
    const contested = withHook(
      dropping.deps,
      once(
        (call, key) => call === 'put' && key.startsWith('batch/'),
        async () => {
          await dropping.sql.query(`insert into sale values (1, 1, 5, 9.99, '2026-11-20')`)
          const { feeds: _, ...others } = dropping.deps
          await run(others)
        },
      ),
    )
    expect(await collect(contested)).toMatchObject({ committed: true, files: 1 })
    await run(dropping.deps)
    expect(await dropping.versions(1)).toEqual(['insert 1.000'])
    expect(await dropping.query('select units from fact_sale')).toEqual([{ units: 5 }])
    expect((await verify(dropping.deps)).isEqual).toBe(true)
  })

  it('I4 runs of every kind at once, many times, lose nothing and double nothing', async () => {
    await using dropping = await createDropping()
    const rounds = 8
    for (let round = 1; round <= rounds; round++) {
      await dropping.drop(`price/${round}.jsonl`, [line(1, round), line(2, round, '2026-11-21')])
      await dropping.sql.query(`insert into sale values ($1, 1, 5, 9.99, '2026-11-20')`, [round])
      const outcomes = await Promise.allSettled([
        collect(dropping.deps),
        collect(dropping.deps),
        run(dropping.deps),
      ])
      // A run that was overtaken reports that and nothing else.
      const reasons = outcomes.flatMap((outcome) =>
        outcome.status === 'rejected' ? [(outcome.reason as Error).name] : [],
      )
      expect(new Set(['ConflictError', ...reasons])).toEqual(new Set(['ConflictError']))
    }
    await run(dropping.deps)
    const all = Array.from(
      { length: rounds },
      (_, at) => `${at === 0 ? 'insert' : 'update'} ${at + 1}.000`,
    )
    expect(await dropping.versions(1)).toEqual(all)
    expect(await dropping.versions(2)).toEqual(all)
    expect(await dropping.query('select count(*)::int as n from fact_sale')).toEqual([
      { n: rounds },
    ])
    expect((await verify(dropping.deps)).isEqual).toBe(true)
  })
})

/** The same deps, except that the zone's call that `isTheOne` names fails, before or after it is done. */
function breakAt(deps: Deps, isTheOne: () => boolean, when: 'before' | 'after'): Deps {
  const store = deps.ingestion
  const around = async <T>(work: () => Promise<T>): Promise<T> => {
    const isHit = isTheOne()
    if (isHit && when === 'before') throw new Error('killed')
    const result = await work()
    if (isHit) throw new Error('killed')
    return result
  }
  return {
    ...deps,
    ingestion: {
      location: store.location,
      get: (key) => store.get(key),
      download: (key, cacheDir) => store.download(key, cacheDir),
      remove: (key) => store.remove(key),
      list: (prefix) => store.list(prefix),
      putIfAbsent: (key, body) => around(() => store.putIfAbsent(key, body)),
      uploadIfAbsent: (key, path) => around(() => store.uploadIfAbsent(key, path)),
    },
  }
}

const program = fileURLToPath(new URL('../../bin/tidemark.js', import.meta.url))

describe('kill -9', () => {
  it.each(['feed_captured', 'batch_transformed'])(
    'I4 of the built program at %s takes each rate once',
    async (event) => {
      await using system = await createSystem()
      const start = (): ChildProcess =>
        spawn(process.execPath, [program, 'run', '--json', '--home', system.folder], {
          env: {
            ...process.env,
            ...PATIENT_RUN,
            TIDEMARK_PROJECT: TOTESYS_PROJECT,
            TIDEMARK_SOURCE_URL: system.source.readerUrl,
            TIDEMARK_WAREHOUSE_URL: system.warehouse.url,
            TIDEMARK_DROP: join(system.folder, 'drop'),
          },
          stdio: ['ignore', 'pipe', 'inherit'],
        })
      const ended = async (child: ChildProcess) =>
        (await onceEvent(child, 'exit')) as [number | null, NodeJS.Signals | null]
      await ended(start())
      const days = Array.from(
        { length: 28 },
        (_, day) => `2026-02-${String(day + 1).padStart(2, '0')}`,
      )
      for (const [at, base] of ['GBP', 'EUR'].entries()) {
        const rows = days.map((day) => `${base},USD,${day},1.${at}5,test\n`)
        await dropFile(
          join(system.folder, `drop/exchange_rate/${base}.csv`),
          `base,quote,rate_date,rate,source\n${rows.join('')}`,
        )
      }
      const ending = await whileLoadsWait(system.warehouse, async () => {
        const child = start()
        child.stdout?.setEncoding('utf8').on('data', (text: string) => {
          if (text.includes(`"event":"${event}`)) child.kill('SIGKILL')
        })
        return await ended(child)
      })
      expect(ending[1]).toBe('SIGKILL')
      const [code] = await ended(start())
      expect(code).toBe(0)
      expect(
        await system.query(
          'select count(*)::int as n, count(distinct (base_currency, rate_date))::int as keys from fact_exchange_rate',
        ),
      ).toEqual([{ n: 56, keys: 56 }])
      expect((await verify(system.deps)).isEqual).toBe(true)
    },
  )
})
