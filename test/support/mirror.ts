import { expect } from 'vitest'
import { verify } from '../../src/platform/inspect/verify.ts'
import { isDifferent, type VerifiedTable } from '../../src/platform/inspect/verified-table.ts'
import { identifier } from '../../src/platform/io/sql.ts'
import type { MirrorSettings } from '../../src/platform/project/mirror-settings.ts'
import { shortName } from '../../src/platform/project/names.ts'
import type { Project } from '../../src/platform/project/project.ts'
import { createSystem, type TestSystem } from './system.ts'

/** A mirror with these settings, as a run without a project has it. */
export function mirror(settings: MirrorSettings = {}): Project {
  return {
    name: 'mirror',
    title: 'the source',
    source: { schema: 'public', tables: [] },
    models: [],
    mirror: settings,
  }
}

/**
 * A system that mirrors an empty database, after `schema` was run in it. `encoding` is that of the
 * source's database.
 */
export async function createMirror(
  schema: string,
  settings: MirrorSettings = {},
  { encoding = 'UTF8' }: { encoding?: string } = {},
): Promise<TestSystem> {
  const system = await createSystem({ template: 'empty', project: mirror(settings), encoding })
  await system.sql.query(schema)
  return system
}

/** One run, after which everything must be equal, see `expectEqual`. */
export async function runEqual(system: TestSystem): Promise<void> {
  await system.run()
  await expectEqual(system)
}

/**
 * Expects that `verify` finds source, lake, warehouse and history equal, and that each table's current
 * rows are those of the source, by another way: compared as text by the warehouse's server.
 */
export async function expectEqual(system: TestSystem): Promise<void> {
  const { tables, faults } = await verify(system.deps)
  expect(new Set(tables.map(({ where }) => where))).toContain('history')
  const isWrong = (table: VerifiedTable) => isDifferent(table) || table.held !== undefined
  expect([...tables.filter(isWrong), ...faults]).toEqual([])
  const captured = (await system.records()).at(-1)?.tables ?? {}
  const listed = await listTables(system)
  for (const table of listed.filter(({ name }) => captured[name] !== undefined)) {
    expect(await compareRows(system, table), table.name).toEqual([])
  }
}

interface ListedTable {
  /** In the source, quoted. */
  readonly relation: string
  /** In the warehouse. */
  readonly name: string
  /** With the types that both servers have. */
  readonly columns: readonly { readonly name: string; readonly type: string }[]
  readonly isKeyed: boolean
}

/** The tables of the source that hold rows of their own or of partitions. */
async function listTables({ source }: TestSystem): Promise<ListedTable[]> {
  const rows = await source.query<ListedTable>(`
    select c.oid::regclass::text as relation,
      case when n.nspname = 'public' then c.relname else n.nspname || '_' || c.relname end as name,
      array(
        select jsonb_build_object('name', attname, 'type', case
          when t.typnamespace = 'pg_catalog'::regnamespace then format_type(atttypid, atttypmod) else 'text' end)
        from pg_attribute join pg_type as t on t.oid = atttypid
        where attrelid = c.oid and attnum > 0 and not attisdropped order by attnum
      ) as columns,
      exists (select from pg_index where indrelid = c.oid and indisprimary) as "isKeyed"
    from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p') and not c.relispartition and n.nspname !~ '^(pg_|information_schema)'`)
  return rows.filter(({ columns }) => columns.length > 0)
}

/** The rows that only one of the source and the warehouse has, as text. */
async function compareRows(
  system: TestSystem,
  { relation, name, columns, isKeyed }: ListedTable,
): Promise<unknown[]> {
  const values = columns.map(({ name: column, type }) => `${identifier(column)}::${type}::text`)
  const text = `row(${values.join(', ')})::text`
  const source = await system.source.query<{ row: string }>(
    `select ${text} as row from ${relation}`,
  )
  const copies = isKeyed ? '' : ', generate_series(1, row_count)'
  const current = `select ${text} as row from ${identifier(shortName(name, '_current'))}${copies}`
  return await system.query(
    `with wanted as (select row from unnest($1::text[]) as row), found as (${current})
     (select 'missing' as what, row from (select row from wanted except all select row from found) as m)
     union all
     (select 'extra', row from (select row from found except all select row from wanted) as e)`,
    [source.map(({ row }) => row)],
  )
}

/**
 * Every version of a table in the order in which they were captured, such as `insert 1,x`: the
 * operation and the values of the columns, `∅` for null. Without `columns`, all that the source has had.
 */
export async function versionsOf(
  system: TestSystem,
  table: string,
  columns?: readonly string[],
): Promise<string[]> {
  const names = columns ?? (await columnsOf(system, table))
  const values = names.map((column) => `coalesce(${identifier(column)}::text, '∅')`)
  const rows = await system.query<{ version: string }>(`
    select record_operation || ' ' || concat_ws(',', ${values.join(', ')}) as version
    from ${identifier(shortName(table, '_history'))} order by record_id`)
  return rows.map(({ version }) => version)
}

const HISTORY = ['record_id', 'record_operation', 'recorded_at', 'batch_id', 'row_hash']

async function columnsOf(system: TestSystem, table: string): Promise<string[]> {
  const rows = await system.query<{ name: string }>(
    `select attname as name from pg_attribute
     where attrelid = $1::regclass and attnum > 0 and not attname = any($2) order by attnum`,
    [identifier(table), HISTORY],
  )
  return rows.map(({ name }) => name)
}
