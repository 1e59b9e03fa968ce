import { readdir, writeFile, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { verify } from '../../src/platform/inspect/verify.ts'
import { createFunctions, type Functions } from '../support/functions.ts'
import { type FaultyProxy, startFaultyProxy } from '../support/faulty-proxy.ts'
import { isS3Missing, type S3Server, startS3Server } from '../support/s3-server.ts'
import { createSystemOnS3 } from '../support/s3-system.ts'
import {
  currentOrders,
  expectFaithful,
  insertOrders,
  orderHistory,
  seedTotesys,
} from '../support/small-totesys.ts'
import { context, execute, RUNBOOK } from '../support/state-machine.ts'

describe.skipIf(isS3Missing)(
  'the state machine, its functions, a source, a bucket and a warehouse',
  () => {
    let server: S3Server
    let proxy: FaultyProxy
    beforeAll(async () => {
      server = await startS3Server()
      proxy = await startFaultyProxy(server.endpoint)
    })
    afterAll(async () => {
      await proxy?.[Symbol.asyncDispose]()
      await server?.[Symbol.asyncDispose]()
    })

    it('I4 I9 carries changes, and takes three steps if nothing changed', async () => {
      await using system = await createSystemOnS3(server)
      await using functions = await createFunctions(system, { server })
      await seedTotesys(system.sql)
      const first = await execute(functions)
      expect(first.states).toEqual(['Extract', 'AnythingPending', 'Transform', 'Load'])
      expect(first).toMatchObject({ error: undefined, alerts: [] })
      await expectFaithful(system)

      await system.sql.query('update sales_order set units_sold = 11 where sales_order_id = 1')
      await system.sql.query('delete from sales_order where sales_order_id = 2')
      await execute(functions)
      expect(await currentOrders(system)).toEqual({ 1: 11, 3: 30 })

      const objects = (await system.records()).length
      const quiet = await execute(functions)
      expect(quiet.states).toEqual(['Extract', 'AnythingPending', 'Load'])
      expect(quiet.output).toMatchObject({
        extracted: { batch: 2, committed: false, isPending: false, held: 0, isCutShort: false },
        loaded: { batches: 0, lastBatch: 2 },
      })
      expect((await system.records()).length).toBe(objects)
      // Confirmed: the warehouse is as fresh as the last look, not as the last change.
      const { completeTo } = (quiet.output as { loaded: { completeTo: string } }).loaded
      const { unchanged } = (quiet.output as { extracted: { unchanged: { takenAt: string } } })
        .extracted
      expect(completeTo).toBe(unchanged.takenAt)
      expect((await verify(system.deps)).isEqual).toBe(true)

      expect(functions.metric('FreshnessSeconds')).toHaveLength(3)
      expect(functions.metric('RowsChanged').slice(1)).toEqual([2, 0])
      expect(functions.metric('TablesHeld')).toEqual([0, 0, 0, 0, 0])
      for (const percent of functions.metric('MemoryUsedPercent'))
        expect(percent).toBeGreaterThan(0)
      expect(await readdir(functions.scratch)).toEqual([])
      // One run is one run id everywhere.
      const runs = await system.query<{ run_id: string }>('select run_id from tidemark_ledger')
      const logged = new Set(functions.lines().map(({ runId }) => runId))
      for (const { run_id: runId } of runs) expect(logged).toContain(runId)
      expect((await system.records()).map(({ writer }) => writer.runId)).toEqual(
        runs.map(({ run_id: runId }) => runId),
      )
    })

    it('I13 tries again after errors that may pass, and after no others', async () => {
      await using system = await createSystemOnS3(server)
      await using functions = await createFunctions(system, { server })
      await seedTotesys(system.sql)
      functions.secrets.failures = 4 // the SDK tries three times, then the machine
      const passed = await execute(functions)
      expect(passed.states).toEqual(['Extract', 'Extract', 'AnythingPending', 'Transform', 'Load'])
      expect(passed.error).toBeUndefined()

      await system.sql.query(`alter role ${readerOf(system.source.readerUrl)} password 'another'`)
      const failed = await execute(functions)
      expect(failed.error).toBe('ConfigError')
      expect(failed.states).toEqual([
        'Extract',
        'TransformAnyway',
        'LoadAnyway',
        'IsFailureKnown',
        'OnlyNews',
        'Alert',
        'Failed',
      ])
      expect(failed.alerts).toHaveLength(1)
      expect(failed.alerts[0]).toContain('ConfigError')
      expect(failed.alerts[0]).toContain('SOURCE_PASSWORD')
      expect(failed.alerts[0]).toContain(`${RUNBOOK}#executions-failed`)
      // A known failure is not mailed every minute.
      const known = await execute({ ...functions, alarm: 'ALARM' })
      expect(known).toMatchObject({ error: 'ConfigError', alerts: [] })

      // The secret is rotated too: no deployment, no restart.
      functions.secrets.secrets.set(
        'tidemark/source',
        system.source.readerUrl.replace(/:[^:@]+@/, ':another@'),
      )
      expect((await execute(functions)).error).toBeUndefined()
      for (const line of functions.lines()) {
        expect(JSON.stringify(line)).not.toContain('another')
        expect(JSON.stringify(line)).not.toContain('postgresql://')
      }
    })

    it('a source that is away stops neither transform nor load', async () => {
      await using system = await createSystemOnS3(server)
      await using functions = await createFunctions(system, { server })
      await seedTotesys(system.sql)
      // Another session holds a lock, so the load has to wait.
      await execute(functions)
      const other = await system.warehouse.client()
      await other.query('begin')
      await other.query('lock table tidemark_ledger in access exclusive mode')
      await system.sql.query(insertOrders([[4, 40]]))
      const late = await execute({ ...functions, timeouts: { Load: 1 } })
      expect(late.error).toBe('States.Timeout')
      expect(late.states.slice(0, 4)).toEqual(['Extract', 'AnythingPending', 'Transform', 'Load'])
      await other.query('rollback')

      await forgetSecrets()
      functions.secrets.failures = 15 // three times each time that extract is tried
      const away = await execute(functions)
      expect(away.error).toBe('TransientError')
      expect(away.states.filter((state) => state === 'Extract')).toHaveLength(5)
      expect(away.states.slice(5)).toEqual([
        'TransformAnyway',
        'LoadAnyway',
        'IsFailureKnown',
        'OnlyNews',
        'Alert',
        'Failed',
      ])
      expect(await currentOrders(system)).toMatchObject({ 4: 40 })
    })

    it('I4 two executions at once, and one that was given up but goes on, lose and double nothing', async () => {
      await using system = await createSystemOnS3(server)
      await using functions = await createFunctions(system, { server })
      await seedTotesys(system.sql)
      // The one that finds the warehouse locked tries again until the other has loaded.
      const patient = { ...functions, retryMs: 2000 }
      const both = await Promise.all([execute(patient), execute(patient)])
      for (const { error } of both) expect(error).toBeUndefined()
      await expectFaithful(system)

      const blocker = await system.source.client()
      await blocker.query('begin')
      await blocker.query('lock table design in access exclusive mode')
      await system.sql.query('update sales_order set units_sold = 12 where sales_order_id = 1')
      const stuck: Promise<unknown>[] = []
      const extract: Functions['extract'] = (...given) => {
        const running = functions.extract(...given)
        stuck.push(running)
        return running
      }
      const givenUp = await execute({ ...functions, extract, timeouts: { Extract: 1 } })
      expect(givenUp.error).toBe('States.Timeout')
      await blocker.query('rollback')
      await Promise.allSettled(stuck)
      await execute(functions)
      expect(await orderHistory(system, 1)).toEqual(['insert 10', 'update 12'])
      await expectFaithful(system)
      expect((await verify(system.deps)).isEqual).toBe(true)
    })

    it('I1 a function short of time or memory stops at a safe point, and the next goes on', async () => {
      await using system = await createSystemOnS3(server)
      await using functions = await createFunctions(system, { server })
      await seedTotesys(system.sql)
      await execute(functions)
      await system.sql.query(`update address set city = 'York' where address_id = 1`)
      await system.sql.query('update sales_order set units_sold = 11 where sales_order_id = 1')
      // While a transaction of another test is open, every table may have changed again.
      await system.source.settle()
      const short = { ...context(0), memoryLimitInMB: '1' }
      const first = await functions.extract({}, short)
      expect(first).toMatchObject({ committed: true, isPending: true, isCutShort: true })
      expect(first.held).toBeGreaterThan(0)
      // Waiting for its turn does not break a table's contract.
      expect(new Set(functions.metric('TablesHeld'))).toEqual(new Set([0]))
      expect(functions.lines().map(({ message }) => message)).toContain('memory_short')
      for (let calls = 0; (await functions.extract({}, short)).isCutShort; calls++) {
        expect(calls).toBeLessThan(20)
      }
      expect(await functions.transform({}, short)).toMatchObject({ batches: 1, isCutShort: true })
      while ((await functions.transform({}, short)).isCutShort);
      expect(await functions.load({}, short)).toMatchObject({ batches: 1, isCutShort: true })
      while ((await functions.load({}, short)).isCutShort);
      await expectFaithful(system)
      expect((await verify(system.deps)).isEqual).toBe(true)
    })

    it('I4 collects what was dropped beside the runs, and the next run loads it', async () => {
      await using system = await createSystemOnS3(server)
      await using functions = await createFunctions(system, { server })
      await seedTotesys(system.sql)
      // Until there is a snapshot of the database, feeds wait.
      await server.putObject(system.bucket, 'drop/exchange_rate/rates.csv', RATES)
      expect(await functions.collect({}, context())).toMatchObject({ batch: 0, files: 0 })
      await execute(functions)
      const both = await Promise.all([
        functions.collect({}, context()),
        functions.collect({}, context()),
      ])
      expect(both.map(({ files }) => files).toSorted((a, b) => a - b)).toEqual([0, 1])
      const next = await execute(functions)
      expect(next.states).toEqual(['Extract', 'AnythingPending', 'Transform', 'Load'])
      expect(
        await system.query('select base_currency, rate from fact_exchange_rate_current'),
      ).toEqual([{ base_currency: 'EUR', rate: '0.8600000000' }])
      expect((await execute(functions)).states).toEqual(['Extract', 'AnythingPending', 'Load'])
      expect(new Set(functions.metric('FeedsUnreachable'))).toEqual(new Set([0]))
      expect((await verify(system.deps)).isEqual).toBe(true)
    })

    it('refuses invalid input before it does anything', async () => {
      await using system = await createSystemOnS3(server)
      await using functions = await createFunctions(system, { server })
      await expect(functions.extract({ confirmDeletes: 'all' }, context())).rejects.toThrow(
        /confirmDeletes.*INPUT_INVALID/,
      )
      await expect(
        functions.load({ unchanged: { batch: 0, takenAt: 'now' } }, context()),
      ).rejects.toMatchObject({ name: 'ConfigError' })
      expect(await system.records()).toEqual([])
    })

    it('removes the files of a killed invocation, and shows no message of a driver', async () => {
      await using system = await createSystemOnS3(server)
      await using functions = await createFunctions(system, { server, endpoint: proxy.endpoint })
      await seedTotesys(system.sql)
      await mkdir(join(functions.scratch, 'left'), { recursive: true })
      await writeFile(join(functions.scratch, 'left', 'over.parquet'), 'x')
      proxy.onRequest = () => ({ status: 403, code: 'AccessDenied' })
      const failed = await functions
        .extract({}, context())
        .catch((error: unknown) => error as Error)
      expect(failed).toMatchObject({ name: 'ConfigError' })
      expect(Object.keys(failed)).not.toContain('cause')
      proxy.onRequest = () => undefined
      expect(await readdir(functions.scratch)).toEqual([])
      expect(await functions.extract({}, context())).toMatchObject({ batch: 1, committed: true })
    })
  },
)

const RATES = 'base,quote,rate_date,rate,source\nEUR,GBP,2026-11-20,0.86,Bank\n'

function readerOf(url: string): string {
  return new URL(url).username
}

/** As five minutes later: the functions read their secrets again. */
async function forgetSecrets(): Promise<void> {
  const secrets = await import('../../src/apps/aws/secrets.ts')
  secrets.forgetSecrets()
}
