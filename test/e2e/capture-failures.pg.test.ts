import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Deps } from '../../src/platform/deps.ts'
import { TidemarkError } from '../../src/platform/errors.ts'
import { run, type RunReport, type Stage } from '../../src/platform/pipeline.ts'
import type { Database } from '../../src/platform/io/database.ts'
import { once, withHook } from '../support/lake.ts'
import {
  currentOrders,
  expectFaithful,
  insertOrders,
  lastChanges,
  orderHistory,
  seedTotesys,
} from '../support/small-totesys.ts'
import { prepareSystem, type TestSystem } from '../support/system.ts'

const SECRET = 'not-the-password'
const VALUE = 'Row value that nobody may see'

const prepared = prepareSystem(async (system) => {
  await seedTotesys(system.sql)
  await system.sql.query(`update design set design_name = '${VALUE}'`)
  await system.run()
  await system.sql.query(insertOrders([[4, 40]]))
})
let system: TestSystem
beforeEach(async () => {
  system = await prepared.open()
})
afterEach(() => system[Symbol.asyncDispose]())
afterAll(() => prepared[Symbol.asyncDispose]())

const withSource = (url: string): Deps => ({
  ...system.deps,
  source: { ...system.deps.source, url },
})
const withWarehouse = (change: Partial<Database>): Deps => ({
  ...system.deps,
  warehouse: { ...system.deps.warehouse, ...change },
})

/** The only failure in a report. Its message holds no secret and no value. */
function failureOf({ failures, completeTo, durationMs }: RunReport): {
  stage: Stage
  name: string
  code: string
} {
  expect(failures).toHaveLength(1)
  // The freshness that a failed run reports was true before the run began.
  const begun = Date.now() - durationMs
  expect(completeTo === undefined || Date.parse(completeTo) <= begun).toBe(true)
  const [failure] = failures
  const error = failure?.error
  if (!(error instanceof TidemarkError) || failure === undefined) throw error
  const said = JSON.stringify([error.message, error.hint, error.stack, system.entries])
  const { password } = new URL(system.deps.source.url)
  for (const secret of [password, SECRET, VALUE, 'postgresql://', 'postgres://']) {
    expect(said).not.toContain(secret)
  }
  return { stage: failure.stage, name: error.name, code: error.code }
}

/** The next run catches up, with the same result as if nothing had failed. */
async function expectCaughtUp(orders: Record<number, number> = { 1: 10, 2: 20, 3: 30, 4: 40 }) {
  const report = await system.run()
  expect(report.failures).toEqual([])
  expect(await currentOrders(system)).toEqual(orders)
  expect(await orderHistory(system, 4)).toEqual(['insert 40'])
  await expectFaithful(system)
}

function changed(url: string, change: (url: URL) => void): string {
  const made = new URL(url)
  change(made)
  return made.href
}

describe('the source', () => {
  it.each([
    [
      'unreachable',
      'TransientError',
      'SOURCE_UNREACHABLE',
      (url: URL) => {
        url.port = '1'
      },
    ],
    [
      'refusing the password',
      'ConfigError',
      'SOURCE_PASSWORD',
      (url: URL) => {
        url.password = SECRET
      },
    ],
    [
      'of another name',
      'ConfigError',
      'SOURCE_DATABASE',
      (url: URL) => {
        url.pathname = '/no_such_database'
      },
    ],
  ])('%s: nothing is captured, the next run catches up', async (_, name, code, change) => {
    const url = changed(system.deps.source.url, change)
    expect(failureOf(await run(withSource(url)))).toEqual({ stage: 'extract', name, code })
    expect(await system.records()).toHaveLength(1)
    await expectCaughtUp()
  })

  it('down: what was captured before is still transformed and loaded', async () => {
    const { warehouse } = system.deps
    await run(
      withWarehouse({
        url: changed(warehouse.url, (url) => {
          url.port = '1'
        }),
      }),
    )
    const source = changed(system.deps.source.url, (url) => {
      url.port = '1'
    })
    const report = await run(withSource(source))
    expect(failureOf(report).stage).toBe('extract')
    expect(report.loaded?.batches).toEqual([2])
    expect(await orderHistory(system, 4)).toEqual(['insert 40'])
  })

  it.each([
    [
      'the right to read anything revoked',
      (reader: string) => `revoke usage on schema public from public, ${reader}`,
      (reader: string) => `grant usage on schema public to ${reader}`,
      'ConfigError',
      'SOURCE_FORBIDDEN',
    ],
    [
      'without any table of the contract',
      () => 'alter schema public rename to hidden',
      () => 'alter schema hidden rename to public',
      'ContractError',
      'SOURCE_TABLE_MISSING',
    ],
  ])('with %s: no batch at all, and the next run catches up', async (_, harm, mend, name, code) => {
    const reader = new URL(system.deps.source.url).username
    await system.sql.query(harm(reader))
    const report = await run(system.deps)
    expect(failureOf(report)).toEqual({ stage: 'extract', name, code })
    expect(await system.records()).toHaveLength(1)
    await system.sql.query(mend(reader))
    await expectCaughtUp()
  })

  it('cutting the connection that holds the snapshot: nothing is half-published', async () => {
    await system.sql.query(`update payment set paid = true`)
    const reader = new URL(system.deps.source.url).username
    const cut = once(
      (call, key) => call === 'upload' && key.startsWith('sales_order/'),
      () =>
        system.sql.query(
          `select pg_terminate_backend(pid) from pg_stat_activity where usename = '${reader}'`,
        ),
    )
    const failure = failureOf(await run(withHook(system.deps, cut)))
    expect(failure).toMatchObject({ stage: 'extract', name: 'TransientError' })
    expect(await system.records()).toHaveLength(1)
    await expectCaughtUp()
    expect(await lastChanges(system)).toEqual({
      sales_order: { inserted: 1 },
      payment: { updated: 1 },
    })
  })
})

describe('the warehouse', () => {
  it.each([
    [
      'unreachable',
      'TransientError',
      'WAREHOUSE_UNREACHABLE',
      (url: URL) => {
        url.port = '1'
      },
    ],
    [
      'refusing the password',
      'ConfigError',
      'WAREHOUSE_PASSWORD',
      (url: URL) => {
        url.username = SECRET
      },
    ],
  ])(
    '%s: changes are captured and transformed, and loaded by the next run',
    async (_, name, code, change) => {
      const url = changed(system.deps.warehouse.url, change)
      const report = await run(withWarehouse({ url }))
      expect(failureOf(report)).toEqual({ stage: 'load', name, code })
      expect(await system.records('processed')).toHaveLength(2)
      await system.sql.query(`update sales_order set units_sold = 31 where sales_order_id = 3`)
      await run(withWarehouse({ url }))
      expect(await system.records('processed')).toHaveLength(3)
      const next = await run(system.deps)
      expect(next.loaded?.batches).toEqual([2, 3])
      expect(await orderHistory(system, 3)).toEqual(['insert 30', 'update 31'])
      await expectCaughtUp({ 1: 10, 2: 20, 3: 31, 4: 40 })
    },
  )

  it('I5 refusing a row: the whole batch is left out', async () => {
    await system.warehouse.query(
      `alter table fact_sales_order add constraint no check (units_sold < 40)`,
    )
    const report = await run(system.deps)
    expect(failureOf(report)).toMatchObject({ stage: 'load', code: 'WAREHOUSE_ERROR' })
    expect(await orderHistory(system, 4)).toEqual([])
    await system.warehouse.query(`alter table fact_sales_order drop constraint no`)
    await expectCaughtUp()
  })
})
