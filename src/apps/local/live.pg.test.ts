import { EventEmitter, once } from 'node:events'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createDatabase, type TestDatabase } from '../../../test/support/database.ts'
import { foundCompany, openCompany } from '../../totesys/living/company.ts'
import { simulatedSource as source } from '../../totesys/living/simulated-source.ts'
import { startLife } from './live.ts'
import type { LivingEvents } from './simulated-source.ts'

const begun = new Date('2026-11-27T16:20:00Z')

describe('startLife()', () => {
  let database: TestDatabase
  let minutes = 0
  /** Every look at this clock is two minutes later than the one before. */
  const clock = { now: () => new Date(begun.getTime() + (minutes += 2) * 60_000) }
  const heard = new EventEmitter()
  const listen = {
    onEvents: (events: LivingEvents) => void heard.emit('events', events),
    onError: (error: unknown) => void heard.emit('failure', error),
  }

  beforeAll(async () => {
    database = await createDatabase()
    const client = await database.client()
    await foundCompany(client, { seed: 5, salesOrders: 500, begun })
    await (await openCompany(client))!.passTime(begun)
  })
  afterAll(() => database.drop())

  it('makes the company live by the clock', async () => {
    await using _ = startLife({ source, url: database.url, clock, tickMs: 1, ...listen })
    const [events] = (await once(heard, 'events')) as [LivingEvents]
    expect(events.created + events.changed + events.deleted).toBeGreaterThan(0)
  })

  it('goes on after an error, with a new connection', async () => {
    await database.query('alter table design rename to hidden')
    await using _ = startLife({ source, url: database.url, clock, tickMs: 1, ...listen })
    const [error] = await once(heard, 'failure')
    expect(String(error)).toContain('design')
    const lives = once(heard, 'events')
    await database.query('alter table hidden rename to design')
    await lives
  })

  it('goes on when the server ends its connection between two ticks', async () => {
    await using _ = startLife({ source, url: database.url, clock, tickMs: 5, ...listen })
    await once(heard, 'events')
    const failed = once(heard, 'failure')
    await database.query(`select pg_terminate_backend(pid) from (
      select pid from pg_stat_activity where datname = current_database()
      order by backend_start desc limit 1) as newest`)
    await failed
    const [events] = (await once(heard, 'events')) as [LivingEvents]
    expect(events.created + events.changed + events.deleted).toBeGreaterThan(0)
  })

  it('reports a Totesys that it cannot reach, and one without a company', async () => {
    {
      await using _ = startLife({
        source,
        url: 'postgres://nobody@127.0.0.1:1/none',
        clock,
        ...listen,
      })
      const [error] = await once(heard, 'failure')
      expect(String(error)).toContain('ECONNREFUSED')
    }
    await using empty = await createDatabase()
    await using _ = startLife({ source, url: empty.url, clock, ...listen })
    const [error] = await once(heard, 'failure')
    expect(String(error)).toContain('no company')
  })

  it('can be stopped without any callback, more than once', async () => {
    const life = startLife({ source, url: database.url, clock })
    await life[Symbol.asyncDispose]()
    await expect(life[Symbol.asyncDispose]()).resolves.toBeUndefined()
  })
})
