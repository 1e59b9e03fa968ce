import { readFile, writeFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createDatabase, type TestDatabase } from '../../../test/support/database.ts'
import { migrate } from '../../platform/warehouse/migrate.ts'
import { openWarehouse } from '../../platform/warehouse/warehouse.ts'
import { totesys } from '../totesys.ts'

const golden = new URL('../../../test/golden/warehouse/schema.txt', import.meta.url)

let database: TestDatabase

beforeAll(async () => {
  database = await createDatabase({ template: 'empty' })
  await using warehouse = await openWarehouse({
    title: 'the warehouse',
    code: 'WAREHOUSE',
    url: database.url,
    schema: 'public',
  })
  await migrate(warehouse, totesys, { waitMs: 1000 })
})
afterAll(() => database.drop())

describe('the warehouse', () => {
  it('has the schema of the golden dump (UPDATE_GOLDEN=1 rewrites it)', async () => {
    const found = await dumpSchema()
    if (process.env['UPDATE_GOLDEN'] === '1') await writeFile(golden, found)
    expect(found).toBe(await readFile(golden, 'utf8'))
  })

  it('has both relations and both functions for each fact', async () => {
    for (const model of totesys.models) {
      if (model.kind !== 'fact') continue
      const { table } = model
      for (const relation of [
        `${table}_current`,
        `${table}_history`,
        `${table}_as_of(now())`,
        `${table}_as_of_batch(1)`,
      ]) {
        expect(await database.query(`select * from ${relation}`), relation).toEqual([])
      }
    }
  })
})

/** Everything that makes up the schema, as Postgres itself prints it. */
async function dumpSchema(): Promise<string> {
  const relations = await lines(`
    select case relkind when 'r' then 'table ' else 'view ' end || relname as line
    from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'v')
    order by relname collate "C"`)
  const text: string[] = []
  for (const relation of relations) {
    const name = relation.split(' ')[1] ?? ''
    text.push(relation)
    text.push(
      ...(await lines(
        `select '    ' || attname || ' ' || format_type(atttypid, atttypmod)
           || case when attnotnull then ' not null' else '' end
           || coalesce(' default ' || pg_get_expr(adbin, adrelid), '') as line
         from pg_attribute
         left join pg_attrdef on adrelid = attrelid and adnum = attnum
         where attrelid = $1::regclass and attnum > 0 and not attisdropped
         order by attnum`,
        name,
      )),
      ...(await lines(
        `select '  constraint ' || conname || ' ' || pg_get_constraintdef(oid) as line
         from pg_constraint where conrelid = $1::regclass and contype <> 'n'
         order by conname collate "C"`,
        name,
      )),
      ...(await lines(
        `select '  index ' || pg_get_indexdef(indexrelid) as line
         from pg_index
         where indrelid = $1::regclass
           and not exists (select 1 from pg_constraint where conindid = indexrelid)
         order by 1`,
        name,
      )),
      ...(await lines(
        `select pg_get_viewdef(oid) as line from pg_class where oid = $1::regclass and relkind = 'v'`,
        name,
      )),
      '',
    )
  }
  text.push(
    ...(await lines(
      `select pg_get_functiondef(oid) || E'\\n' as line
       from pg_proc where pronamespace = 'public'::regnamespace
       order by proname collate "C"`,
    )),
  )
  return `${text.join('\n').trimEnd()}\n`
}

async function lines(sql: string, ...params: readonly string[]): Promise<string[]> {
  return (await database.query<{ line: string }>(sql, [...params])).map(({ line }) => line)
}
