import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { tidemark, type CommandResult } from '../support/command.ts'
import { createDatabase, type TestDatabase } from '../support/database.ts'
import { seedTotesys } from '../support/small-totesys.ts'
import { TOTESYS_PROJECT } from '../support/totesys-project.ts'

/** `npm start` and what a second terminal does meanwhile: the embedded parts, for real. */
describe('tidemark on embedded parts', () => {
  let home: string
  beforeAll(() => {
    home = mkdtempSync(join(tmpdir(), 'tidemark-local-'))
  })
  afterAll(() => rmSync(home, { recursive: true, force: true }))
  const command = (line: string, world = {}) =>
    tidemark([...line.split(' '), '--home', home], world)

  it('up --once fills the source, does one full cycle and prints the summary', async () => {
    const { code, out, err } = await command('up --once --orders 80')
    expect(err).toMatch(/✓ Postgres \d+\.\d+ started/)
    expect(err).toMatch(/✓ Totesys filled: 11 tables, [\d,]+ rows/)
    expect(err).toContain('warehouse ready: batch 1 loaded')
    const [, line = ''] = /Try: tidemark (history sales_order \d+) · /.exec(err) ?? []
    // Its Postgres has stopped by now, so the summary does not name its address.
    const summary = err.slice(err.indexOf('Kept  '))
    expect(summary).toContain(`Kept        ${home}   lake and databases`)
    expect(summary).toContain('each command starts it when needed')
    expect(summary).toMatch(/Holds {7}fact_sales_order {9}[\d,]+ facts, [\d,]+ versions\n/)
    expect(summary).not.toMatch(/127\.0\.0\.1|Source|psql/)
    expect(out).toMatch(/batch \d+ {2}✓ /)
    expect(code).toBe(0)
    // The order that the summary names is there and has changed.
    const told = await command(line)
    expect(told.code).toBe(0)
    expect(told.out).toMatch(/^ {2}v1 .* created {3}[\d,]+ units × [\d.,]+ = [\d,.]+ [A-Z]{3} · /m)
    expect(told.out).toMatch(/^ {2}v2 .* changed /m)
    expect(err).not.toContain('batch 1 of')
  })

  it('up counts the captures of the past on a terminal, and only there', async () => {
    const other = mkdtempSync(join(tmpdir(), 'tidemark-past-'))
    const world = { isTTY: true, env: { NO_COLOR: '1' } }
    const { err } = await tidemark(['up', '--once', '--orders', '50', '--home', other], world)
    for (const batch of [1, 2, 12, 13]) expect(err).toContain(`\r\u001B[2K  batch ${batch} of 13`)
    expect(err).not.toContain('batch 14 of')
    rmSync(other, { recursive: true, force: true })
  })

  it('a command by itself starts what it needs and stops it again', async () => {
    const { code, events } = await command('history sales_order 42 --json')
    expect(events.find(({ event }) => event === 'history')).toMatchObject({
      versions: [{ version: 1, operation: 'insert' }],
    })
    expect(code).toBe(0)
  })

  it('doctor finds that questions can be saved', async () => {
    const { code, out } = await command('doctor')
    expect(out).toMatch(/✓ questions can be saved +127\.0\.0\.1:\d+, 0 saved\n/)
    expect(code).toBe(0)
  })

  it('up lives: changes arrive by themselves, and other commands attach to it', async () => {
    const stop = new AbortController()
    let arrived = () => {}
    const twoBatches = new Promise<void>((resolve) => {
      arrived = resolve
    })
    const up = command('up --every 200ms --speed 300 --json', {
      signal: stop.signal,
      onOut: (out: string) => {
        if (out.split('"event":"batch_loaded"').length > 2) arrived()
      },
    })
    await Promise.race([twoBatches, up])
    const status = await command('status --json --check')
    expect(status.events.at(-1)).toMatchObject({ event: 'status', isFresh: true })
    expect(status.events.some(({ event }) => event === 'postgres_started')).toBe(false)
    expect(status.code).toBe(0)
    const verified = await command('verify --json')
    expect(verified.events.at(-1)).toMatchObject({ event: 'verified', isEqual: true })

    stop.abort()
    const { code, events } = await up
    expect(code).toBe(130)
    // The run under way when it was told to stop may end early; none may fail.
    expect(events.filter(({ event }) => event === 'failed')).toEqual([])
    expect(events.filter(({ event, ok }) => event === 'run_finished' && ok === true)).not.toEqual(
      [],
    )
  })

  it('a run brings what the company has lived since the last one', async () => {
    const later = new Date(Date.now() + 86_400_000).toISOString()
    const { code, events } = await command('run --json', {
      env: { TIDEMARK_TOTESYS_CLOCK: later },
    })
    expect(events.at(-1)).toMatchObject({ event: 'run_finished', changed: true })
    expect(code).toBe(0)
  })

  describe('beside databases of your own', () => {
    let own: { readonly source: TestDatabase; readonly warehouse: TestDatabase }
    let env: Readonly<Record<string, string>>
    beforeAll(async () => {
      own = {
        source: await createDatabase({ template: 'totesys' }),
        warehouse: await createDatabase({ template: 'empty' }),
      }
      await seedTotesys(await own.source.client())
      env = {
        TIDEMARK_PROJECT: TOTESYS_PROJECT,
        TIDEMARK_SOURCE_URL: own.source.readerUrl,
        TIDEMARK_WAREHOUSE_URL: own.warehouse.url,
      }
    })
    afterAll(async () => {
      await own.source.drop()
      await own.warehouse.drop()
    })
    const objects = (folder: string) =>
      readdirSync(folder, { recursive: true }).filter((name) => !String(name).startsWith('doctor'))
    const codes = ({ events }: CommandResult) =>
      new Set(events.filter(({ event }) => event === 'failed').map(({ code }) => code))

    it('I14 a lake of the simulated Totesys is continued by no other database', async () => {
      await command('up --once --orders 80')
      const before = objects(join(home, 'ingestion'))
      for (const line of ['run --json', 'verify --json', 'status --json', 'lake sweep --json']) {
        const refused = await command(line, { env })
        expect([refused.code, codes(refused)], line).toEqual([2, new Set(['LAKE_SIMULATED'])])
      }
      const examined = await command('doctor --json', { env })
      expect(examined.events).toContainEqual(
        expect.objectContaining({
          ok: false,
          hint: expect.stringContaining('TIDEMARK_HOME=.tidemark-own') as string,
        }),
      )
      expect(objects(join(home, 'ingestion'))).toEqual(before)
      const client = await own.warehouse.client()
      const { rows } = await client.query('select from dim_staff union all select from dim_date')
      expect(rows).toEqual([])
    })

    it('I14 the simulated database does not continue the lake of your own one if the settings are missing', async () => {
      const lake = mkdtempSync(join(tmpdir(), 'tidemark-own-'))
      const at = `--ingestion ${lake}/ingestion --processed ${lake}/processed`
      const elsewhere = { env: { ...env, TIDEMARK_HOME: lake } }
      const first = await tidemark(['run', '--json'], elsewhere)
      expect(codes(first)).toEqual(new Set())
      const before = objects(join(lake, 'ingestion'))
      for (const line of [`run --json ${at}`, `up --once --json ${at}`]) {
        const refused = await command(line)
        expect(codes(refused), line).toContain('LAKE_NOT_SIMULATED')
        expect(refused.code, line).toBe(2)
      }
      expect(objects(join(lake, 'ingestion'))).toEqual(before)
      expect((await tidemark(['run', '--json'], elsewhere)).code).toBe(0)
      rmSync(lake, { recursive: true, force: true })
    })
  })

  it('passwords are in files that only their owner can read, and are never printed', async () => {
    const { out, err } = await command('up --once')
    const passwords = readFileSync(join(home, 'passwords.json'), 'utf8')
    for (const secret of Object.values(JSON.parse(passwords) as Record<string, string>)) {
      expect(out + err).not.toContain(secret)
    }
    for (const file of ['passwords.json', 'pgpass', 'postgres/superuser-password']) {
      expect(statSync(join(home, file)).mode & 0o077, file).toBe(0)
    }
  })
})
