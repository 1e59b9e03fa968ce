import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'vitest'
import { type Deps, inForce } from '../../src/platform/deps.ts'
import { isDifferent } from '../../src/platform/inspect/verified-table.ts'
import { verify } from '../../src/platform/inspect/verify.ts'
import { createMemory } from '../../src/platform/io/memory.ts'
import { generationOf } from '../../src/platform/project/generation.ts'
import { hashWarehouse } from '../../src/platform/rebuild/hash-warehouse.ts'
import type { RebuildReport } from '../../src/platform/rebuild/rebuild.ts'
import type { TestSystem } from './system.ts'

/** Deps of another process, whose source cannot be reached. */
export function away({ deps }: TestSystem): Deps {
  const url = 'postgres://nobody@127.0.0.1:1/nowhere'
  return { ...deps, memory: createMemory(), source: { ...deps.source, url } }
}

/** Sales that come, change and go, in four batches. */
export async function fill(system: TestSystem, afterEach = async () => {}): Promise<void> {
  const { sql } = system
  for (const change of [
    'select 1',
    `update sale set units = 5 where sale_id = 10; insert into customer values (3, 'C3', 'Chi', 'York')`,
    `delete from sale where sale_id = 11; update customer set city = 'Hull' where customer_id = 1`,
    `insert into sale values (12, 3, 'C3', 4, 1.25, '2027-03-04', null)`,
  ]) {
    await sql.query(change)
    await system.run()
    await afterEach()
  }
}

/** Rows and hash of each table, by its name. */
export const hashesOf = ({ tables }: Pick<RebuildReport, 'tables'>) =>
  Object.fromEntries(tables.map(({ table, rows, hash }) => [table, `${rows} ${hash}`]))

/** The hashes of the warehouse as it is. */
export async function hashesNow({ deps }: TestSystem): Promise<Record<string, string>> {
  return hashesOf(await hashWarehouse(await inForce(deps)))
}

/** Expects that source, lake, warehouse and every version are equal. */
export async function expectVerified(system: TestSystem): Promise<void> {
  const { tables, faults } = await verify(system.deps)
  expect(new Set(tables.map(({ where }) => where))).toContain('history')
  expect([...tables.filter(isDifferent), ...faults]).toEqual([])
}

/** The folder of an edition of the processed zone. */
export const editionOf = ({ folder, deps }: TestSystem, edition = 1) =>
  join(folder, 'processed', generationOf(deps.project) + (edition === 1 ? '' : `.${edition}`))

/** Drops the schema of the warehouse, with all that is in it. */
export const dropSchema = ({ warehouse }: TestSystem) =>
  warehouse.query('drop schema public cascade; create schema public')

/** Cuts the last bytes off an object, and puts others there. */
export async function damage(path: string): Promise<void> {
  const bytes = await readFile(path)
  bytes.write('damaged', bytes.length - 40)
  await rm(path)
  await writeFile(path, bytes)
}

/** The path of a change file of the processed zone. */
export async function aChangeFile(folder: string): Promise<string> {
  const files = await readdir(join(folder, 'fact_sale'), { recursive: true })
  return join(
    folder,
    'fact_sale',
    files.find((name) => name.endsWith('.parquet'))!,
  )
}
