import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { generationOf } from '../../src/platform/project/generation.ts'
import { type CommandResult, type CommandWorld, tidemark } from '../support/command.ts'
import { createMirror } from '../support/mirror.ts'
import { damage, dropSchema, editionOf } from '../support/rebuilds.ts'
import { insertOrders, seedTotesys } from '../support/small-totesys.ts'
import { createSystem, type TestSystem } from '../support/system.ts'
import { TOTESYS_PROJECT } from '../support/totesys-project.ts'
import { readContent } from '../support/warehouse-content.ts'

/** A source that nobody can reach. */
const AWAY = 'postgres://nobody@127.0.0.1:1/nowhere'

/** The hash of each table that `rebuild --json` wrote. */
const hashesOf = ({ events }: CommandResult) =>
  Object.fromEntries(
    events
      .filter(({ event }) => event === 'table_rebuilt')
      .map(({ table, rows, hash }) => [String(table), `${String(rows)} ${String(hash)}`]),
  )

describe('tidemark rebuild', () => {
  let system: TestSystem
  let env: Record<string, string>
  let before: Awaited<ReturnType<typeof readContent>>
  let hashes: ReturnType<typeof hashesOf>
  const command = (line: string, world: CommandWorld = {}) =>
    tidemark(line.split(' '), { env, ...world })

  beforeAll(async () => {
    system = await createSystem()
    env = {
      TIDEMARK_PROJECT: TOTESYS_PROJECT,
      TIDEMARK_SOURCE_URL: AWAY,
      TIDEMARK_WAREHOUSE_URL: system.warehouse.url,
      TIDEMARK_HOME: system.folder,
    }
    await seedTotesys(system.sql)
    await system.run()
    await system.sql.query(insertOrders([[4, 40]]))
    await system.run()
    await system.sql.query('delete from sales_order where sales_order_id = 2')
    await system.run()
    before = await readContent(system.warehouse)
  })
  afterAll(() => system[Symbol.asyncDispose]())

  it('I8 prints a line and an event for each table, with its hash', async () => {
    const { code, out } = await command('rebuild')
    expect(out).toMatch(/^ +fact_sales_order +5 {2,}[0-9a-f]{32}$/m)
    expect(out).toMatch(/^ +fact_sales_order_current +3 {2,}[0-9a-f]{32}$/m)
    expect(out).toMatch(/^ +dim_staff +1 {2,}[0-9a-f]{32}$/m)
    expect(out).toContain('✓ The warehouse is made again up to batch 3')
    expect(code).toBe(0)
    const again = await command('rebuild --json')
    hashes = hashesOf(again)
    for (const hash of Object.values(hashes)) expect(out).toContain(hash.split(' ')[1])
    expect(Object.keys(hashes)).toHaveLength(again.events.at(-1)?.['tables'] as number)
    expect(again.events.at(-1)).toMatchObject({ event: 'rebuilt', batch: 3, newest: 3, exit: 0 })
    expect(await readContent(system.warehouse)).toEqual(before)
  })

  it('I8 works after the schema was dropped, without naming a source', async () => {
    await dropSchema(system)
    const { TIDEMARK_SOURCE_URL: _, ...unnamed } = env
    const again = await command('rebuild --json', { env: unnamed })
    expect([again.code, hashesOf(again)]).toEqual([0, hashes])
    expect(await readContent(system.warehouse)).toEqual(before)
  })

  it('I8 loads a state of the past into another schema, and leaves the first alone', async () => {
    const { code, out } = await command('rebuild --to 1 --schema then')
    expect(out).toContain('made again up to batch 1')
    expect(out).toContain('The lake ends at batch 3. The next run loads what follows batch 1')
    expect(code).toBe(0)
    const past = await readContent(system.warehouse, 'then')
    expect(past['fact_sales_order_current']).toHaveLength(3)
    expect(await readContent(system.warehouse)).toEqual(before)
    const next = { ...env, TIDEMARK_SOURCE_URL: system.source.readerUrl }
    const { events } = await command('run --schema then --json', { env: next })
    expect(events.at(-1)).toMatchObject({ event: 'run_finished', loaded: [2, 3] })
    expect(await readContent(system.warehouse, 'then')).toEqual(before)
  })

  it.each(['0', '4', 'two', '-1'])(
    '--to %s is wrong usage that names the newest batch',
    async (to) => {
      for (const from of ['processed', 'ingestion']) {
        const { code, events } = await command(`rebuild --from ${from} --to=${to} --json`)
        expect([code, events.at(-1)?.['code']]).toEqual([2, 'USAGE'])
        expect(events.at(-1)?.['message']).toContain('a batch from 1 to 3, the newest one')
      }
    },
  )

  it('--from knows two zones', async () => {
    const { code, err } = await command('rebuild --from warehouse')
    expect([code, err]).toEqual([2, expect.stringContaining('Give processed or ingestion.')])
  })

  it('refuses a damaged processed zone, and names the way out, which works', async () => {
    await damage(join(editionOf(system), 'batch/000000000002.json'))
    const refused = await command('rebuild')
    expect(refused.code).toBe(1)
    expect(refused.err).toContain('tidemark rebuild --from ingestion')
    expect(await readContent(system.warehouse)).toEqual(before)
    const { code, err, out } = await command('rebuild --from ingestion')
    expect(err).toContain(
      `as ${generationOf(system.deps.project)}.2; the one before stays as it is`,
    )
    for (const hash of Object.values(hashes)) expect(out).toContain(hash.split(' ')[1])
    expect(code).toBe(0)
    expect(await readContent(system.warehouse)).toEqual(before)
    const next = { ...env, TIDEMARK_SOURCE_URL: system.source.readerUrl }
    for (const line of [
      'run',
      'verify',
      'status',
      'plan',
      'doctor',
      'catalog',
      'quarantine list',
      'diff 1 3 fact_sales_order',
    ]) {
      const found = await command(line, { env: next })
      expect([line, found.code, found.err]).toEqual([line, 0, expect.any(String)])
    }
  })

  it('is stopped by Ctrl-C with 130, and goes on', async () => {
    const stop = new AbortController()
    const stopped = await command('rebuild --from ingestion', {
      signal: stop.signal,
      isTTY: true,
      onErr: (text) => {
        if (text.includes('making the processed zone again: batch 1 of 3')) stop.abort()
      },
    })
    expect(stopped.code).toBe(130)
    expect(stopped.err).toContain('Stopped. Nothing was half-published.')
    const again = await command('rebuild --from ingestion --json')
    expect([again.code, hashesOf(again)]).toEqual([0, hashes])
    expect(again.events.at(-1)).toMatchObject({
      generation: `${generationOf(system.deps.project)}.3`,
    })
    expect(await readContent(system.warehouse)).toEqual(before)
  })

  it('I8 prints the same for a lake without a warehouse', async () => {
    const { TIDEMARK_WAREHOUSE_URL: _, ...lakeOnly } = env
    const found = await command('rebuild --from ingestion --json', { env: lakeOnly })
    expect([found.code, hashesOf(found)]).toEqual([0, hashes])
    const plain = await command('rebuild --from ingestion', { env: lakeOnly })
    expect(plain.out).toContain('✓ The processed zone is made again up to batch 3')
    const refused = await command('rebuild', { env: lakeOnly })
    expect([refused.code, refused.err]).toEqual([
      2,
      expect.stringContaining('There is only a lake, and no warehouse to rebuild'),
    ])
  })

  it('I8 makes a mirror again whose processed zone is damaged, without naming a source', async () => {
    await using mirrored = await createMirror(
      `create table word (id int primary key, text text); insert into word values (1, 'one')`,
    )
    await mirrored.run()
    await mirrored.sql.query(`insert into word values (2, 'two')`)
    await mirrored.run()
    const content = await readContent(mirrored.warehouse)
    await rm(join(editionOf(mirrored), 'batch'), { recursive: true })
    const mirror = {
      TIDEMARK_WAREHOUSE_URL: mirrored.warehouse.url,
      TIDEMARK_HOME: mirrored.folder,
    }
    const { code, events } = await command('rebuild --from ingestion --json', { env: mirror })
    expect(events.at(-1)).toMatchObject({ event: 'rebuilt', batch: 2 })
    expect(code).toBe(0)
    expect(await readContent(mirrored.warehouse)).toEqual(content)
  })
})
