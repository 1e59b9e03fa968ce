import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { PATIENT_RUN, whileLoadsWait } from '../support/held-loads.ts'
import { currentOrders, seedTotesys } from '../support/small-totesys.ts'
import { createSystem, type TestSystem } from '../support/system.ts'
import { TOTESYS_PROJECT } from '../support/totesys-project.ts'

const program = fileURLToPath(new URL('../../bin/tidemark.js', import.meta.url))

let system: TestSystem
let scratch: string
beforeEach(async () => {
  system = await createSystem()
  await seedTotesys(system.sql)
  scratch = join(system.folder, 'small')
  await mkdir(scratch)
  // 3 MB; the files of all other tables have a few kB.
  await system.sql.query(`
    insert into design (design_id, design_name, file_location, file_name, last_updated)
    select i, md5(i::text), repeat(md5(i::text), 30), i || '.json', now()
    from generate_series(1001, 4000) as i`)
})
afterEach(() => system[Symbol.asyncDispose]())

interface Run {
  /** `null` if it was killed. */
  readonly code: number | null
  readonly events: { readonly event: string; readonly [field: string]: unknown }[]
}

/** The built program, started by a shell line that sets its limits and then execs it. */
async function run(
  [file, ...args]: readonly [string, ...string[]],
  { limit, warehouseUrl, killAt }: { limit: string; warehouseUrl?: string; killAt?: string },
): Promise<Run> {
  const command = `${limit} && exec "$0" "$@"`
  const child = spawn(
    file,
    [...args, '-c', command, process.execPath, program, 'run', '--json', '--home', system.folder],
    {
      env: {
        ...process.env,
        ...PATIENT_RUN,
        TIDEMARK_PROJECT: TOTESYS_PROJECT,
        TIDEMARK_SOURCE_URL: system.source.readerUrl,
        TIDEMARK_WAREHOUSE_URL: warehouseUrl ?? system.warehouse.url,
        TIDEMARK_SCRATCH: scratch,
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  let out = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text
    if (killAt !== undefined && out.includes(`"event":"${killAt}"`)) child.kill('SIGKILL')
  })
  const [code] = (await once(child, 'close')) as [number | null]
  const events = out
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Run['events'][number])
  return { code, events }
}

/** `design` is held for the scratch folder, by name; everything else is captured and loaded. */
async function expectDesignHeld({ events }: Run, why: string): Promise<void> {
  expect(events.filter(({ event }) => event === 'table_failed')).toMatchObject([
    { table: 'design', code: 'SCRATCH_FULL', message: expect.stringContaining(why) },
  ])
  expect(events.find(({ event }) => event === 'table_failed')?.['message']).toContain(scratch)
  expect(events.filter(({ event }) => event === 'table_held')).toMatchObject([
    { table: 'design', reason: 'scratch_full' },
  ])
  expect(JSON.stringify(events)).not.toMatch(/answered with|Cannot reach/)
  expect(await currentOrders(system)).toEqual({ 1: 10, 2: 20, 3: 30 })
  // Nothing is left behind, and with room enough the table comes in.
  expect(await readdir(scratch)).toEqual([])
  const again = await run(['bash'], { limit: 'true' })
  expect(again.code).toBe(0)
  expect(again.events.find(({ event }) => event === 'table_released')).toMatchObject({
    table: 'design',
  })
}

it('I15 a table larger than a file may be is held alone, and the scratch folder is named', async () => {
  const held = await run(['bash'], { limit: 'ulimit -f 1024' })
  expect(held.code).toBe(4)
  await expectDesignHeld(held, 'is full [EFBIG]')
})

// If the system allows it, any user can mount a disk in a namespace of their own.
const obstacle = spawnSync('unshare', ['--map-root-user', '--mount', 'true']).status !== 0
if (obstacle)
  process.stderr.write('A full disk is not tried: unshare --mount is not allowed here\n')

it.skipIf(obstacle)('I15 a table too large for the disk is held alone', async () => {
  const limit = `mount -t tmpfs -o size=1m tmpfs ${scratch}`
  const unshare = ['unshare', '--map-root-user', '--mount', 'bash'] as const
  const held = await run(unshare, { limit })
  expect(held.code).toBe(4)
  await expectDesignHeld(held, 'is full [ENOSPC]')
})

it.skipIf(obstacle)('I15 a zone on a full disk is named, and nothing else', async () => {
  const zone = join(system.folder, 'ingestion')
  await mkdir(zone)
  const limit = `mount -t tmpfs -o size=64k tmpfs ${zone}`
  const { code, events } = await run(['unshare', '--map-root-user', '--mount', 'bash'], { limit })
  expect(code).toBe(2)
  const failed = events.filter(({ event }) => event === 'failed')
  expect(failed).toMatchObject([
    { code: 'LAKE_FULL', message: `No space left for the zone ${zone} [ENOSPC]` },
  ])
  expect((await run(['bash'], { limit: 'true' })).code).toBe(0)
})

it('I15 a load needs no room on the disk', async () => {
  // Or the run that loads would read design again, which needs room.
  await system.source.settle()
  const away = new URL(system.warehouse.url)
  away.port = '1'
  const before = await run(['bash'], { limit: 'true', warehouseUrl: away.href })
  const failed = before.events.filter(({ event }) => event === 'failed')
  expect(failed).toMatchObject([{ code: 'WAREHOUSE_UNREACHABLE' }])
  expect((await run(['bash'], { limit: 'ulimit -f 64' })).code).toBe(0)
  expect(await system.query('select count(*)::int as n from dim_design')).toMatchObject([
    { n: expect.any(Number) },
  ])
})

it('I15 a scratch folder that cannot be made is named before anything is done', async () => {
  await writeFile(join(system.folder, 'file'), '')
  scratch = join(system.folder, 'file', 'scratch')
  const { code, events } = await run(['bash'], { limit: 'true' })
  expect(code).toBe(2)
  expect(events).toMatchObject([{ event: 'failed', code: expect.stringMatching(/^SCRATCH_/) }])
})

it('I15 what a killed run leaves in the scratch folder is gone after the next command', async () => {
  const killed = await whileLoadsWait(system.warehouse, () =>
    run(['bash'], { limit: 'true', killAt: 'rows_read' }),
  )
  expect(killed.code).toBe(null)
  const left = await readdir(scratch)
  expect(left).toHaveLength(2)
  const again = await run(['bash'], { limit: 'true' })
  expect(again.code).toBe(0)
  expect(again.events).toContainEqual(
    expect.objectContaining({ event: 'scratch_swept', folders: 1 }),
  )
  expect(await readdir(scratch)).toEqual([])
})
