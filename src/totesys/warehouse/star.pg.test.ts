import { readFile } from 'node:fs/promises'
import { DuckDBInstance, type DuckDBConnection } from '@duckdb/node-api'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createDatabase, type TestDatabase } from '../../../test/support/database.ts'
import { readSql } from '../../platform/project/generation.ts'
import { totesys } from '../totesys.ts'

interface Column {
  readonly name: string
  readonly type: string
  readonly nullable: boolean
}

let warehouse: TestDatabase
let source: TestDatabase
let duckDb: DuckDBConnection

beforeAll(async () => {
  warehouse = await createDatabase({ template: 'empty' })
  source = await createDatabase({ template: 'totesys' })
  await warehouse.query(await starSql())
  duckDb = await (await DuckDBInstance.create(':memory:')).connect()
  await duckDb.run(`create view named_date as select null::date as date_id where false`)
  for (const { name } of totesys.source.tables) await mirror(name)
  for (const { name, columns } of totesys.source.feeds ?? []) {
    await mirrorColumns(
      name,
      Object.entries(columns).map(([column, type]) => ({ name: column, type })),
    )
  }
})
afterAll(async () => {
  duckDb.closeSync()
  await Promise.all([warehouse.drop(), source.drop()])
})

/** Makes the two empty views a model may read of a source table, in the types they arrive in. */
async function mirror(table: string): Promise<void> {
  await mirrorColumns(table, await columnsOf(source, table))
}

async function mirrorColumns(
  table: string,
  found: readonly Pick<Column, 'name' | 'type'>[],
): Promise<void> {
  const columns = found.map(({ name, type }) => {
    const arriving = type.startsWith('timestamp')
      ? 'timestamp'
      : type.replace(/^"?[A-Z].*/, 'varchar')
    return `null::${arriving} as "${name}"`
  })
  const history = [
    'null::varchar as _operation',
    'null::bigint as _batch',
    'null::timestamptz as _captured_at',
    'null::bigint as _ordinal',
  ]
  await duckDb.run(`create view "${table}" as select ${columns.join(', ')} where false`)
  await duckDb.run(
    `create view "change_${table}" as select ${[...columns, ...history].join(', ')} where false`,
  )
}

describe('the migrations', () => {
  it('make the tables of the project, each with the columns of its model in order and type', async () => {
    const tables = await warehouse.query<{
      name: string
    }>(`select relname::text as name from pg_class
      where relkind = 'r' and relnamespace = 'public'::regnamespace order by 1`)
    expect(tables.map(({ name }) => name)).toEqual(
      // The platform makes the other facts' current tables, and this one whole.
      [...totesys.models.map(({ table }) => table), 'fact_exchange_rate_current'].toSorted(),
    )

    for (const { table, ...model } of totesys.models) {
      const selected = await outputOf(model.sql)
      const expected =
        model.kind === 'fact'
          ? [
              { name: model.recordId, type: 'bigint' },
              ...selected.slice(0, -3),
              { name: '_operation', type: 'character varying' },
              { name: '_captured_at', type: 'timestamp with time zone' },
              { name: '_ordinal', type: 'bigint' },
            ]
          : selected
      const passed = model.kind === 'fact' ? selected.slice(-3) : []
      const columns = await columnsOf(warehouse, table)
      const made = columns.map(({ name, type }) => ({ name, type }))
      expect([...made, ...passed], table).toEqual(expected)
    }
  })

  it('allow null where the project says so and nowhere else', async () => {
    for (const { table, nullable = [] } of totesys.models) {
      const columns = await columnsOf(warehouse, table)
      const optional = columns.filter((column) => column.nullable).map(({ name }) => name)
      expect(optional, table).toEqual(nullable)
    }
  })

  it('have the keys and foreign keys that the project declares, by name (I11)', async () => {
    for (const model of totesys.models) {
      const constraints = await warehouse.query<{ name: string; definition: string }>(
        `select conname::text as name, pg_get_constraintdef(oid) as definition from pg_constraint
         where conrelid = $1::regclass and contype in ('p', 'f')`,
        [model.table],
      )
      const primary = model.kind === 'fact' ? model.recordId : model.key.join(', ')
      const expected = [
        { name: `${model.table}_pkey`, definition: `PRIMARY KEY (${primary})` },
        ...(model.kind === 'fact' ? model.references : []).map(({ columns, dimension }) => {
          const key = totesys.models.find(({ table }) => table === dimension)?.key ?? []
          return {
            name: `${model.table}_${columns.join('_')}_fkey`,
            definition: `FOREIGN KEY (${columns.join(', ')}) REFERENCES ${dimension}(${key.join(', ')})`,
          }
        }),
      ]
      expect(constraints.toSorted(byName), model.table).toEqual(expected.toSorted(byName))
    }
  })

  it('answer to the name of the published diagram too, with the standard columns only', async () => {
    await warehouse.query(`alter table fact_purchase_orders add column batch_id bigint`)
    const view = await columnsOf(warehouse, 'fact_purchase_order')
    const table = await columnsOf(warehouse, 'fact_purchase_orders')
    expect(view.map(({ name }) => name)).toEqual(table.slice(0, -1).map(({ name }) => name))
    await warehouse.query(`alter table fact_purchase_orders drop column batch_id`)
  })

  it('leave tables that are there already as they are, in any schema of the search_path', async () => {
    await using prepared = await createDatabase({ template: 'empty' })
    const client = await prepared.client()
    await client.query(`create schema star`)
    await client.query(`set search_path to star`)
    await client.query(`create table dim_currency
      (currency_id int primary key, currency_code text not null, currency_name text not null)`)
    await client.query(`insert into dim_currency values (1, 'GBP', 'Sterling')`)
    await client.query(await starSql())
    await client.query(await starSql())
    const { rows } = await client.query(`select * from star.dim_currency`)
    expect(rows).toEqual([{ currency_id: 1, currency_code: 'GBP', currency_name: 'Sterling' }])
    const { rows: elsewhere } = await client.query(
      `select relname from pg_class where relnamespace = 'public'::regnamespace`,
    )
    expect(elsewhere).toEqual([])
  })
})

async function starSql(): Promise<string> {
  const folder = totesys.warehouse?.migrations
  const files = ['001_star.sql', '002_exchange_rate.sql']
  const texts = await Promise.all(files.map((file) => readFile(new URL(file, folder), 'utf8')))
  return texts.join('\n')
}

/** Names and (Postgres) types of what a model selects. */
async function outputOf(model: URL | string): Promise<Pick<Column, 'name' | 'type'>[]> {
  const reader = await duckDb.runAndReadAll(`describe ${readSql(model)}`)
  const rows = reader.getRowObjectsJson() as { column_name: string; column_type: string }[]
  return rows.map((row) => ({ name: row.column_name, type: postgresType(row.column_type) }))
}

async function columnsOf(database: TestDatabase, relation: string): Promise<Column[]> {
  return database.query<{ name: string; type: string; nullable: boolean }>(
    `select attname::text as name, format_type(atttypid, atttypmod) as type, not attnotnull as nullable
     from pg_attribute where attrelid = quote_ident($1)::regclass and attnum > 0 and not attisdropped
     order by attnum`,
    [relation],
  )
}

/** How Postgres spells a DuckDB type of a model's column. */
function postgresType(duckType: string): string {
  const names: Record<string, string> = {
    VARCHAR: 'character varying',
    TIME: 'time without time zone',
    'TIMESTAMP WITH TIME ZONE': 'timestamp with time zone',
  }
  return names[duckType] ?? duckType.toLowerCase().replace('decimal', 'numeric')
}

function byName(a: { name: string }, b: { name: string }): number {
  return a.name < b.name ? -1 : 1
}
