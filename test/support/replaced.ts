import { expect } from 'vitest'
import { verify } from '../../src/platform/inspect/verify.ts'
import { isDifferent } from '../../src/platform/inspect/verified-table.ts'
import { processedZone } from '../../src/platform/deps.ts'
import type { Deps } from '../../src/platform/deps.ts'
import { readLastCommit } from '../../src/platform/lake/batch-log.ts'
import { load } from '../../src/platform/load/load.ts'
import { type ReplaceOutcome, replaceContent } from '../../src/platform/load/replace-content.ts'
import { generationOf } from '../../src/platform/project/generation.ts'
import type { Project } from '../../src/platform/project/project.ts'
import { readLoaded } from '../../src/platform/warehouse/ledger.ts'
import { openWarehouse, type WarehouseClient } from '../../src/platform/warehouse/warehouse.ts'
import type { TestSystem } from './system.ts'

/** Every row of every listed relation of a schema as text, in a fixed order, without the ledger. */
export async function contentOf(
  { query }: Pick<TestSystem, 'query'>,
  schema = 'public',
): Promise<Record<string, readonly string[]>> {
  const relations = await query<{ name: string }>(
    `select name from "${schema}".tidemark_relation
     where name not in ('tidemark_ledger', 'tidemark_confirmation', 'tidemark_migration',
       'tidemark_status', 'tidemark_batches') order by name`,
  )
  const content: Record<string, readonly string[]> = {}
  for (const { name } of relations) {
    const rows = await query<{ row: string }>(
      `select to_jsonb(t)::text as row from "${schema}"."${name}" as t order by 1`,
    )
    content[name] = rows.map(({ row }) => row)
  }
  return content
}

/** Expects a warehouse with the content of a first load into an empty schema, and that verify agrees. */
export async function expectAsFresh(system: TestSystem, deps: Deps): Promise<void> {
  await system.query('drop schema if exists fresh cascade')
  await load({ ...deps, warehouse: { ...deps.warehouse, schema: 'fresh' } })
  const fresh = await contentOf(system, 'fresh')
  expect(Object.keys(fresh).length).toBeGreaterThan(5)
  const content = await contentOf(system)
  for (const [name, rows] of Object.entries(fresh)) {
    // A retired table is in the platform's lists too.
    const isList = name.startsWith('tidemark_')
    expect(content[name], name).toEqual(isList ? expect.arrayContaining([...rows]) : rows)
  }
  const { tables, faults } = await verify(deps)
  expect([...tables.filter(isDifferent), ...faults]).toEqual([])
  await system.query('drop schema fresh cascade')
}

/** The same system with models that make another generation, for which the lake is caught up. */
export function withModel(
  deps: Deps,
  table: string,
  change: (model: Project['models'][number]) => Project['models'][number],
): Deps {
  const models = deps.project.models.map((model) => (model.table === table ? change(model) : model))
  return { ...deps, project: { ...deps.project, models } }
}

/** Called before each statement, with its number from 1 and its text, if it is one. */
export type Hook = (statement: number, text: string) => Promise<void>

/**
 * Makes the warehouse hold the batches up to `to`, or else all, of the project's generation. If `hook`
 * throws, the connection is dead from then on, as after a kill.
 */
export async function rebuild(
  deps: Deps,
  { to, hook }: { to?: number; hook?: Hook } = {},
): Promise<ReplaceOutcome> {
  await using opened = await openWarehouse(deps.warehouse)
  const warehouse = hook === undefined ? opened : hooked(opened, hook)
  const generation = generationOf(deps.project)
  const zone = processedZone(deps, generation)
  const lastBatch = to ?? (await readLastCommit(zone))?.batch ?? 0
  const head = await readLoaded(warehouse)
  return await replaceContent(deps, warehouse, { zone, generation, lastBatch, head })
}

function hooked(warehouse: WarehouseClient, hook: Hook): WarehouseClient {
  let statements = 0
  let death: unknown
  const query = async (text: unknown, ...others: unknown[]): Promise<unknown> => {
    if (death !== undefined) throw death
    try {
      await hook(++statements, typeof text === 'string' ? text : '')
    } catch (error) {
      death = error
      await warehouse.client.end()
      throw error
    }
    return await (Reflect.apply(warehouse.client.query, warehouse.client, [
      text,
      ...others,
    ]) as Promise<unknown>)
  }
  const client = new Proxy(warehouse.client, {
    get(target, name) {
      // A COPY is a stream, which `query` returns at once.
      if (name === 'query') {
        return (text: unknown, ...others: unknown[]): unknown =>
          typeof (text as { submit?: unknown }).submit === 'function'
            ? Reflect.apply(target.query, target, [text, ...others])
            : query(text, ...others)
      }
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  return { ...warehouse, client }
}

/** Why content was replaced in place, as logged so far. */
export function inPlace({ entries }: Pick<TestSystem, 'entries'>): string[] {
  return entries.flatMap((entry) => (entry.event === 'replaced_in_place' ? [entry.why] : []))
}

/** The schemas of the warehouse's database that Tidemark made beside others. */
export async function besides({ query }: Pick<TestSystem, 'query'>): Promise<string[]> {
  const rows = await query<{ name: string }>(
    `select nspname as name from pg_namespace where nspname like '% next' or nspname like 'tidemark ref%'`,
  )
  return rows.map(({ name }) => name)
}
