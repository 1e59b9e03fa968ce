import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createDatabase, type TestDatabase } from '../../../../test/support/database.ts'
import { fillTotesys } from './fill.ts'
import type { LivingEvents } from './living.ts'
import { startLiving, type RunningLiving, type StartLivingOptions } from './start.ts'

const seed = 5
const until = new Date('2024-08-23T18:00:00Z')

type Seen = LivingEvents & { simulatedTime: Date }

/** Runs until a condition on what was reported holds, on a real clock moved to `from`. */
async function liveUntil(
  options: Omit<StartLivingOptions, 'seed' | 'onEvents'>,
  isEnough: (seen: Seen[], errors: unknown[]) => boolean,
): Promise<{ seen: Seen[]; errors: unknown[] }> {
  const seen: Seen[] = []
  const errors: unknown[] = []
  let running: RunningLiving | undefined
  await new Promise<void>((resolve) => {
    const check = (): void => void (isEnough(seen, errors) && resolve())
    running = startLiving({
      tickMs: 1,
      ...options,
      seed,
      onEvents: (events) => {
        seen.push(events)
        check()
      },
      onError: (error) => {
        errors.push(error)
        options.onError?.(error)
        check()
      },
    })
  })
  await running!.stop()
  await running!.stop()
  return { seen, errors }
}

const clockAt = (moment: string): (() => Date) => {
  const shift = new Date(moment).getTime() - Date.now()
  return () => new Date(Date.now() + shift)
}

describe('startLiving()', () => {
  let database: TestDatabase
  beforeAll(async () => {
    database = await createDatabase()
    await fillTotesys(await database.client(), { seed, salesOrders: 100, until })
  })
  afterAll(() => database.drop())

  it('skips the weekend, and goes on from where the data ends', async () => {
    const now = clockAt('2024-11-20T12:00:00Z')
    const { seen, errors } = await liveUntil(
      { url: database.url, now, speed: 600_000 },
      (events) => (events.at(-1)?.simulatedTime ?? until) > new Date('2024-08-28'),
    )
    expect(errors).toEqual([])
    expect(seen.some(({ created }) => created > 0)).toBe(true)
    expect(seen.some(({ changed }) => changed > 5)).toBe(true)
    const times = seen.map(({ simulatedTime }) => simulatedTime.getTime())
    expect(times).toEqual(times.toSorted((a, b) => a - b))
    const [row] = await database.query(
      `select count(*)::int as weekend from transaction where extract(isodow from created_at) > 5`,
    )
    expect(row).toEqual({ weekend: 0 })
  })

  it('goes on after an error, with a new connection', async () => {
    const now = clockAt('2024-11-20T12:00:00Z')
    let broken = false
    const { seen, errors } = await liveUntil(
      {
        url: database.url,
        now,
        speed: 60_000,
        onError: () => void database.query(`alter table hidden rename to purchase_order`),
      },
      (events, caught) => {
        if (!broken && events.length > 0) {
          broken = true
          void database.query(`alter table purchase_order rename to hidden`)
        }
        return caught.length > 0 && events.length > 20
      },
    )
    expect(String(errors[0])).toContain('purchase_order')
    expect(seen.length).toBeGreaterThan(20)
  })

  it('goes on when the server ends its connection between two ticks', async () => {
    const admin = await database.client()
    const { seen, errors } = await liveUntil(
      { url: database.url, now: clockAt('2024-11-20T12:00:00Z'), speed: 60_000, tickMs: 20 },
      (events, caught) => {
        // Its last query, which identifies it, varies. So this repeats until it matches.
        if (events.length > 0 && caught.length === 0) {
          void admin.query(`select pg_terminate_backend(pid) from pg_stat_activity
            where datname = current_database() and query like '%design_id%'
              and pid <> pg_backend_pid()`)
        }
        return caught.length > 0 && events.length > 20
      },
    )
    expect(errors.length).toBeGreaterThan(0)
    expect(seen.length).toBeGreaterThan(20)
  })

  it('reports a source it cannot reach, and keeps trying', async () => {
    const { errors } = await liveUntil(
      { url: 'postgres://nobody@127.0.0.1:1/none' },
      (_, caught) => caught.length > 2,
    )
    expect(errors).toHaveLength(3)
  })

  it('reports a database that is not Totesys', async () => {
    await using empty = await createDatabase({ template: 'empty' })
    const { errors } = await liveUntil({ url: empty.url }, (_, caught) => caught.length > 0)
    expect(String(errors[0])).toContain('sales_order')
  })

  it('can be stopped without any callback', async () => {
    await expect(startLiving({ url: database.url, seed }).stop()).resolves.toBeUndefined()
  })
})
