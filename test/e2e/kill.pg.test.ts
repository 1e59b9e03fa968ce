import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fillTotesys } from '../support/totesys-source/fill.ts'
import { verify } from '../../src/platform/inspect/verify.ts'
import { PATIENT_RUN, whileLoadsWait } from '../support/held-loads.ts'
import { createSystem, type TestSystem } from '../support/system.ts'
import { TOTESYS_PROJECT } from '../support/totesys-project.ts'

const program = fileURLToPath(new URL('../../bin/tidemark.js', import.meta.url))

/** The built program as a process of its own, killed without a chance to clean up. */
describe('kill -9', () => {
  let system: TestSystem
  beforeAll(async () => {
    system = await createSystem()
    await fillTotesys(system.sql, {
      seed: 3,
      salesOrders: 200,
      until: new Date('2026-10-30T12:00:00Z'),
    })
  })
  afterAll(() => system[Symbol.asyncDispose]())

  const start = () =>
    spawn(process.execPath, [program, 'run', '--json', '--home', system.folder], {
      env: {
        ...process.env,
        ...PATIENT_RUN,
        TIDEMARK_PROJECT: TOTESYS_PROJECT,
        TIDEMARK_SOURCE_URL: system.source.readerUrl,
        TIDEMARK_WAREHOUSE_URL: system.warehouse.url,
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    })

  /** Kills the process when it writes an event. Returns how it ended. */
  async function killAt(child: ChildProcess, event: string): Promise<NodeJS.Signals | null> {
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      if (text.includes(`"event":"${event}"`)) child.kill('SIGKILL')
    })
    const [, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null]
    return signal
  }

  // While loads wait, even a late kill comes before the run has ended. After the last event the kill
  // may come too late, and then the run has succeeded.
  it.each([
    { event: 'rows_read', ends: ['SIGKILL'] },
    { event: 'table_captured', ends: ['SIGKILL'] },
    { event: 'batch_transformed', ends: ['SIGKILL'] },
    { event: 'batch_loaded', ends: ['SIGKILL', null] },
  ])('I4 at $event loses nothing and doubles nothing', async ({ event, ends }) => {
    await system.sql.query('update sales_order set units_sold = units_sold + 1')
    const kill = () => killAt(start(), event)
    const isLast = event === 'batch_loaded'
    expect(ends).toContain(isLast ? await kill() : await whileLoadsWait(system.warehouse, kill))

    const [code] = (await once(start(), 'exit')) as [number]
    expect(code).toBe(0)
    const { isEqual } = await verify(system.deps)
    expect(isEqual).toBe(true)
    const [doubled] = await system.query<{ n: number }>(`
        select count(*)::int as n from (
            select sales_order_id, batch_id from fact_sales_order
            group by sales_order_id, batch_id having count(*) > 1
        ) as d`)
    expect(doubled?.n).toBe(0)
  })

  it('I4 every update is one version', async () => {
    const versions = await system.query<{ versions: number; orders: number }>(`
      select count(*)::int as versions, count(distinct sales_order_id)::int as orders
      from fact_sales_order`)
    const batches = (await system.records()).length
    expect(versions).toEqual([{ versions: 200 * batches, orders: 200 }])
  })
})
