import { readFileSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { processedZone } from '../../src/platform/deps.ts'
import { extract } from '../../src/platform/extract/extract.ts'
import { readLastCommit } from '../../src/platform/lake/batch-log.ts'
import { qualified } from '../../src/platform/io/sql.ts'
import { generationOf } from '../../src/platform/project/generation.ts'
import type { Project } from '../../src/platform/project/project.ts'
import { transform } from '../../src/platform/transform/transform.ts'
import { tidemark } from '../support/command.ts'
import { createSystem, type TestSystem } from '../support/system.ts'
import { fillTotesys } from '../support/totesys-source/fill.ts'
import { loadWritten, readWritten } from '../support/written-project.ts'

const SHOP = new URL('./shop.sql', import.meta.url)

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidemark-init-'))
})
afterAll(() => rm(folder, { recursive: true }))

async function grantAll({ source, sql }: TestSystem): Promise<void> {
  const { rows } = await sql.query<{ schemas: string }>(
    `select string_agg(quote_ident(nspname), ', ') as schemas from pg_namespace
     where nspname !~ '^pg_' and nspname <> 'information_schema'`,
  )
  await sql.query(`
    grant usage on schema ${rows[0]?.schemas} to ${source.name}_reader;
    grant select on all tables in schema ${rows[0]?.schemas} to ${source.name}_reader;
    analyze`)
}

describe.each(['shop', 'totesys'])('tidemark init for %s', (name) => {
  let system: TestSystem
  beforeAll(async () => {
    system = await createSystem({ template: name === 'totesys' ? 'totesys' : 'empty' })
    if (name === 'shop') await system.sql.query(await readFile(SHOP, 'utf8'))
    await grantAll(system)
  })
  afterAll(() => system[Symbol.asyncDispose]())

  const init = async (as: string, ...options: string[]) => {
    const place = join(folder, name, as)
    const argv = ['init', place, '--name', name, '--source', system.source.readerUrl, ...options]
    return { place, ...(await tidemark(argv)) }
  }

  it.each([
    ['mirror', []],
    ['star', ['--star']],
  ])('writes the %s in its golden file (UPDATE_GOLDEN=1 rewrites it)', async (as, options) => {
    const { place, code, err, out } = await init(as, ...options)
    expect([code, err]).toEqual([0, ''])
    const { host } = new URL(system.source.readerUrl)
    const found = `${out}\n${readWritten(place)}`
      .replaceAll(place, `/${name}`)
      .replaceAll(`${system.source.name}_reader`, 'reader')
      .replaceAll(system.source.name, name)
      .replaceAll(host, 'localhost:5432')
    const golden = new URL(`../golden/init/${name}-${as}.txt`, import.meta.url)
    if (process.env['UPDATE_GOLDEN'] === '1') await writeFile(golden, found)
    expect(found).toBe(await readFile(golden, 'utf8'))
  })

  it('writes a star schema that runs, with every row of the source', async () => {
    if (name === 'totesys') {
      await fillTotesys(system.sql, {
        seed: 1,
        salesOrders: 71,
        until: new Date('2024-06-03T12:00Z'),
      })
    }
    const { place } = await init('running', '--star')
    const project = await loadWritten(place)
    const deps = { ...system.deps, project }
    expect(await extract(deps)).toMatchObject({ held: [], quarantined: 0 })
    expect(await transform(deps)).toMatchObject({ held: [], quarantined: 0, warnings: [] })
    const record = await readLastCommit(processedZone(deps, generationOf(project)))
    for (const { table, sql } of project.models.filter(({ kind }) => kind !== 'calendar')) {
      const made = record?.tables[table]?.counts.accepted
      expect([table, made]).toEqual([table, await countSource(project, sql)])
    }
    expect(Number(record?.tables['dim_date']?.counts.accepted) % 365).toBeLessThan(5)
    expect(project.models.length).toBe(name === 'shop' ? 9 : 11)
  })

  /** Rows of the table that a model begins with. */
  const countSource = async ({ source }: Project, sql: URL | string): Promise<number> => {
    const text = readFileSync(sql, 'utf8')
    const [, quoted = '', plain = quoted] = /^from (?:"(.+?)"|(\S+))/m.exec(text) ?? []
    const table = source.tables.find((each) => each.name === plain.replace(/^change_/, ''))
    const from = qualified(table?.schema ?? source.schema, table?.relation ?? table?.name ?? '')
    const { rows } = await system.sql.query<{ rows: number }>(
      `select count(*)::integer as rows from ${from}`,
    )
    expect(rows[0]?.rows, from).toBeGreaterThan(0)
    return rows[0]?.rows ?? 0
  }
})
