import { type ChildProcess, spawn, type StdioOptions } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTestReader, type TestReader } from '../support/reader.ts'
import { seedTotesys } from '../support/small-totesys.ts'
import { createSystem, type TestSystem } from '../support/system.ts'
import { TOTESYS_PROJECT } from '../support/totesys-project.ts'

const program = fileURLToPath(new URL('../../bin/tidemark.js', import.meta.url))

/** The built program as a process of its own, whose output goes nowhere. */
describe('tidemark without output', () => {
  let system: TestSystem
  let role: TestReader
  beforeAll(async () => {
    system = await createSystem()
    role = await createTestReader(system)
    await seedTotesys(system.sql)
  })
  afterAll(async () => {
    await role[Symbol.asyncDispose]()
    await system[Symbol.asyncDispose]()
  })

  const start = (argv: readonly string[], stdio: StdioOptions): ChildProcess =>
    spawn(process.execPath, [program, ...argv], {
      cwd: system.folder,
      env: {
        ...process.env,
        TIDEMARK_PROJECT: TOTESYS_PROJECT,
        TIDEMARK_SOURCE_URL: system.source.readerUrl,
        TIDEMARK_WAREHOUSE_URL: system.warehouse.url,
        TIDEMARK_WAREHOUSE_READER_URL: role.warehouse.url,
        TIDEMARK_HOME: system.folder,
      },
      stdio,
    })
  const exitCode = async (child: ChildProcess): Promise<number> =>
    ((await once(child, 'close')) as [number])[0]
  const unitsLoaded = async (): Promise<number | undefined> =>
    (
      await system.query<{ units: number }>(
        `select units_sold as units from fact_sales_order_current where sales_order_id = 1`,
      )
    )[0]?.units
  /** Changes an order, and waits until a run has loaded the change. */
  const seesChange = async (units: number): Promise<void> => {
    await system.sql.query('update sales_order set units_sold = $1 where sales_order_id = 1', [
      units,
    ])
    await expect.poll(unitsLoaded).toBe(units)
  }

  it('ends with the exit code of its work on a full disk, and says what was lost if it can', async () => {
    const full = openSync('/dev/full', 'w')
    try {
      const run = start(['run'], ['ignore', full, 'pipe'])
      let said = ''
      run.stderr?.setEncoding('utf8').on('data', (text: string) => (said += text))
      expect(await exitCode(run)).toBe(0)
      expect(said).toMatch(/\d+ lines? could not be written to stdout \[ENOSPC\]/)
      expect(await exitCode(start(['run', '--json'], ['ignore', full, full]))).toBe(0)
      expect(await exitCode(start(['status', '--nothing'], ['ignore', full, full]))).toBe(2)
      expect(await exitCode(start(['--help'], ['ignore', full, full]))).toBe(0)
    } finally {
      closeSync(full)
    }
  })

  it('goes on running when both outputs are a full disk', async () => {
    const full = openSync('/dev/full', 'w')
    const child = start(['run', '--every', '200ms', '--json'], ['ignore', full, full])
    closeSync(full)
    await seesChange(101)
    await seesChange(102)
    child.kill('SIGINT')
    expect(await exitCode(child)).toBe(130)
  })

  it('goes on running and serving when the reader of its output is gone', async () => {
    const child = start(['up', '--every', '200ms', '--json'], ['ignore', 'pipe', 'pipe'])
    let out = ''
    await new Promise<void>((resolve) => {
      child.stdout?.setEncoding('utf8').on('data', (text: string) => {
        out += text
        if (out.includes('server_started')) resolve()
      })
    })
    const [, url] = /"url":"([^"]+)"/.exec(out) ?? []
    child.stdout?.destroy()
    child.stderr?.destroy()
    await seesChange(103)
    await seesChange(104)
    expect((await fetch(`${url}/health`)).status).toBe(200)
    child.kill('SIGTERM')
    expect(await exitCode(child)).toBe(130)
  })

  it('ends quietly when its reader has read enough', async () => {
    const child = start(['history', 'sales_order', '1', '--json'], ['ignore', 'pipe', 'pipe'])
    child.stdout?.destroy()
    let said = ''
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (said += text))
    expect(await exitCode(child)).toBe(0)
    expect(said).toBe('')
  })
})
