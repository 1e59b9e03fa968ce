import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { seedTotesys } from '../../../test/support/small-totesys.ts'
import { createSystem, type TestSystem } from '../../../test/support/system.ts'
import { TOTESYS_PROJECT } from '../../../test/support/totesys-project.ts'
import { defineProject, type LogEvent, open, type OpenOptions } from './package.ts'

describe('open()', () => {
  let system: TestSystem
  const events: LogEvent[] = []
  const options = (settings: Record<string, string> = {}): OpenOptions => ({
    project: TOTESYS_PROJECT,
    log: (event) => events.push(event),
    settings: {
      TIDEMARK_SOURCE_URL: system.source.readerUrl,
      TIDEMARK_WAREHOUSE_URL: system.warehouse.url,
      TIDEMARK_HOME: system.folder,
      ...settings,
    },
  })
  beforeAll(async () => {
    system = await createSystem()
    await seedTotesys(system.sql)
  })
  afterAll(() => system[Symbol.asyncDispose]())

  it('runs, and tells what a run did, how fresh the warehouse is, and every version', async () => {
    await using tidemark = await open(options())
    expect(tidemark.project).toBe('totesys')
    expect(await tidemark.status()).toMatchObject({
      isFresh: false,
      completeTo: undefined,
      batches: { ingestion: 0, processed: 0, warehouse: 0 },
      tables: [],
    })
    expect(await tidemark.run()).toMatchObject({
      ok: true,
      batch: 1,
      errors: [],
      deleted: 0,
      held: [],
    })
    expect(events.some(({ event }) => event === 'batch_loaded')).toBe(true)

    await system.sql.query(`
      update sales_order set units_sold = 11 where sales_order_id = 1;
      delete from sales_order where sales_order_id = 3`)
    const second = await tidemark.run()
    expect(second).toMatchObject({ ok: true, batch: 2, inserted: 0, updated: 1, deleted: 1 })
    const unchanged = await tidemark.run()
    expect(unchanged).toMatchObject({ ok: true, batch: 2, inserted: 0, updated: 0, deleted: 0 })

    const status = await tidemark.status()
    expect(status.isFresh).toBe(true)
    expect(status.tables).toContainEqual({ table: 'sales_order', rows: 2 })
    expect(Date.parse(status.completeTo ?? '')).toBeGreaterThanOrEqual(
      Date.parse(second.completeTo ?? ''),
    )

    const { table, key, versions } = await tidemark.history('sales_order', 1)
    expect([table, key]).toEqual(['sales_order', ['1']])
    expect(versions.map(({ operation, values }) => `${operation} ${values['units_sold']}`)).toEqual(
      ['insert 10', 'update 11'],
    )
    expect(versions[1]).toMatchObject({
      version: 2,
      batch: 2,
      changed: ['units_sold'],
      validTo: undefined,
    })
    expect((await tidemark.history('sales_order', ['999'])).versions).toEqual([])
  })

  it('verifies one table or all, and returns what differs', async () => {
    await using tidemark = await open(options())
    const proof = await tidemark.verify()
    expect(proof).toMatchObject({ isEqual: true, faults: [] })
    expect(proof.tables.length).toBeGreaterThan(11)
    await system.warehouse.query(
      'update fact_sales_order_current set units_sold = 99 where sales_order_id = 1',
    )
    const { isEqual, tables } = await tidemark.verify({ table: 'fact_sales_order' })
    expect(isEqual).toBe(false)
    expect(tables.filter(({ different }) => different > 0)).not.toEqual([])
  })

  it('mirrors a source into a lake alone, and reads every version from there', async () => {
    const { settings = {} } = options({ TIDEMARK_HOME: join(system.folder, 'lake') })
    const { TIDEMARK_WAREHOUSE_URL: _, ...alone } = settings
    await using tidemark = await open({ settings: alone })
    expect(tidemark.project).toBe('mirror')
    expect((await tidemark.run()).errors).toEqual([])
    await system.sql.query(`update design set design_name = 'Wasp' where design_id = 1`)
    expect(await tidemark.run()).toMatchObject({ ok: true, batch: 2, updated: 1 })
    const { isLakeOnly, tables } = await tidemark.status()
    expect(isLakeOnly).toBe(true)
    expect(tables).toContainEqual({ table: 'design', rows: 1 })
    const { versions } = await tidemark.history('design', 1)
    expect(versions.map(({ values }) => values['design_name'])).toEqual(['Bee', 'Wasp'])
    expect((await tidemark.verify()).isEqual).toBe(true)
  })

  it('does not throw for a stage that fails, and says which error it was', async () => {
    await using tidemark = await open(
      options({ TIDEMARK_SOURCE_URL: 'postgresql://u@127.0.0.1:1/d' }),
    )
    const { ok, errors } = await tidemark.run()
    expect(ok).toBe(false)
    expect(errors).toEqual([
      expect.objectContaining({ code: expect.stringMatching(/^SOURCE_/) as string }),
    ])
  })

  it('throws for what somebody must edit, before it writes anything', async () => {
    await using tidemark = await open(options())
    await expect(tidemark.run({ confirmDeletes: ['nothing'] })).rejects.toMatchObject({
      code: 'UNKNOWN_TABLE',
    })
    await expect(tidemark.history('nothing', 1)).rejects.toMatchObject({ code: 'UNKNOWN_TABLE' })
    await expect(tidemark.history('sales_order', [1, 2])).rejects.toMatchObject({ code: 'BAD_KEY' })
    await expect(open({ ...options(), project: '/nowhere' })).rejects.toMatchObject({
      code: 'PROJECT_NOT_FOUND',
    })
  })

  it('closes once, however often it is asked to', async () => {
    const tidemark = await open(options())
    await tidemark.close()
    await tidemark.close()
    await tidemark[Symbol.asyncDispose]()
    await using again = await open(options())
    expect((await again.status()).batches.warehouse).toBe(2)
  })
})

it('defineProject() returns what it is given', () => {
  const config = { name: 'shop' }
  expect(defineProject(config)).toBe(config)
})
