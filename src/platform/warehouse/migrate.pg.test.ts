import { readFile, writeFile } from 'node:fs/promises'
import pg from 'pg'
import { describe, expect, it } from 'vitest'
import { createShop, type ShopSystem } from '../../../test/support/shop.ts'
import { ConfigError } from '../errors.ts'
import type { Project } from '../project/project.ts'
import { migrate } from './migrate.ts'
import { openWarehouse, type Warehouse } from './warehouse.ts'

async function migrateWith(
  warehouse: Warehouse,
  project: Project,
  { waitMs = 10_000 } = {},
): Promise<void> {
  await using client = await openWarehouse(warehouse)
  await migrate(client, project, { waitMs })
}

/** Creates a login role, which is dropped with the shop's warehouse. */
async function createReader(shop: ShopSystem): Promise<{ role: string; url: string }> {
  const role = `${shop.warehouse.name}_reader`
  return { role, url: shop.warehouse.readerUrl }
}

describe('migrate()', () => {
  it('applies each migration once, and may be repeated and run twice at once', async () => {
    await using shop = await createShop()
    const { warehouse } = shop.deps
    await Promise.all([migrateWith(warehouse, shop.project), migrateWith(warehouse, shop.project)])
    const applied = () => shop.query(`select name, xmin::text from tidemark_migration order by 1`)
    const first = await applied()
    expect(first.map(({ name }) => name)).toEqual([
      'platform/001_ledger.sql',
      'platform/002_batches.sql',
      'platform/003_origin.sql',
      'platform/004_delay.sql',
      'platform/005_sums.sql',
      'platform/006_simulated.sql',
      'platform/007_tables.sql',
      'shop/001_star.sql',
    ])
    await migrateWith(warehouse, shop.project)
    expect(await applied()).toEqual(first)
  })

  it('refuses a migration that was edited after it was applied', async () => {
    await using shop = await createShop()
    await migrateWith(shop.deps.warehouse, shop.project)
    const file = new URL('001_star.sql', shop.project.warehouse?.migrations)
    await writeFile(file, `${await readFile(file, 'utf8')}-- edited`)
    const error: unknown = await migrateWith(shop.deps.warehouse, shop.project).catch(
      (thrown: unknown) => thrown,
    )
    expect(error).toBeInstanceOf(ConfigError)
    expect(error).toMatchObject({
      code: 'MIGRATION_EDITED',
      message: 'Migration shop/001_star.sql was edited after it had been applied',
    })
  })

  it('makes the indexes that a project asks for, also in a warehouse that is up to date', async () => {
    await using shop = await createShop()
    const { warehouse } = shop.deps
    const indexes = () =>
      shop.query(`select indexname as name from pg_indexes
        where tablename in ('fact_sale_current', 'dim_item') and indexname like '%_idx' order by 1`)
    await migrateWith(warehouse, shop.project)
    expect(await indexes()).toEqual([])
    const models = shop.project.models.map((model) =>
      model.kind === 'calendar' ? model : { ...model, sought: model.key },
    )
    await migrateWith(warehouse, { ...shop.project, models })
    const made = [{ name: 'dim_item_item_id_idx' }, { name: 'fact_sale_current_sale_id_idx' }]
    expect(await indexes()).toEqual(made)
    await migrateWith(warehouse, { ...shop.project, models })
    expect(await indexes()).toEqual(made)
  })

  it('refuses a fact with a column that its history adds itself', async () => {
    await using shop = await createShop()
    const clashing = await shop.changed({
      migrations: { '002_version.sql': 'alter table fact_sale add column version int' },
    })
    await expect(migrateWith(shop.deps.warehouse, clashing)).rejects.toMatchObject({
      name: 'ConfigError',
      code: 'WAREHOUSE_COLUMN_NAME',
      message: 'fact_sale has a column version, but its history needs this name',
    })
  })

  it('refuses a warehouse that a newer version has migrated', async () => {
    await using shop = await createShop()
    const newer = await shop.changed({
      migrations: { '002_more.sql': 'create table more (id int)' },
    })
    await migrateWith(shop.deps.warehouse, newer)
    await expect(migrateWith(shop.deps.warehouse, shop.project)).rejects.toMatchObject({
      code: 'WAREHOUSE_NEWER',
      message: 'The warehouse has migration shop/002_more.sql, which this version does not know',
    })
  })

  it('adds a new column of a fact to its current rows, its history and its functions', async () => {
    await using shop = await createShop()
    await shop.sql.query(`insert into stock values (1, 1, 5)`)
    await shop.run()
    const project = await shop.changed({
      migrations: { '002_shelf.sql': 'alter table fact_stock add column shelf text default null' },
      models: {
        fact_stock: `select stock_id, item_id, counted, 'A1' as shelf, _operation, _captured_at,
          _ordinal from change_stock`,
      },
      nullable: {},
    })
    await migrateWith(shop.deps.warehouse, project)
    for (const relation of [
      'fact_stock_current',
      'fact_stock_history',
      'fact_stock_as_of(now())',
      'fact_stock_as_of_batch(1)',
    ]) {
      expect(await shop.query(`select stock_id, shelf from ${relation}`), relation).toEqual([
        { stock_id: 1, shelf: null },
      ])
    }
  })

  it('leaves nothing behind if a migration fails', async () => {
    await using shop = await createShop({
      migrations: { '002_wrong.sql': 'create table half (id int); select 1 / 0' },
    })
    await expect(migrateWith(shop.deps.warehouse, shop.project)).rejects.toMatchObject({
      code: 'WAREHOUSE_ERROR',
    })
    expect(
      await shop.query(`select to_regclass('half') as half, to_regclass('dim_item') as star`),
    ).toEqual([{ half: null, star: null }])
  })

  it('adopts a warehouse prepared with the standard tables, filled dimensions included', async () => {
    await using shop = await createShop()
    await shop.query(`
      create table dim_item (item_id int primary key, item_name varchar not null,
        label varchar not null, note varchar);
      insert into dim_item values (1, 'old', 'old', null), (9, 'kept', 'kept', null);
      create table fact_stock (stock_record_id serial primary key, stock_id int not null,
        item_id int not null references dim_item, counted int)`)
    await shop.sql.query(`insert into stock values (1, 1, 5)`)
    await shop.run()
    expect(await shop.query(`select item_id, item_name from dim_item order by 1`)).toEqual([
      { item_id: 1, item_name: 'tote' },
      { item_id: 2, item_name: 'bowler' },
      { item_id: 9, item_name: 'kept' },
    ])
    expect(
      await shop.query(`select stock_record_id, record_operation, batch_id from fact_stock`),
    ).toEqual([{ stock_record_id: 1, record_operation: 'insert', batch_id: '1' }])
  })

  it('refuses facts that Tidemark did not load, and leaves them alone', async () => {
    await using shop = await createShop()
    await shop.query(`
      create table fact_stock (stock_record_id int primary key, stock_id int not null, item_id int, counted int);
      insert into fact_stock values (1, 1, 1, 1)`)
    const error: unknown = await migrateWith(shop.deps.warehouse, shop.project).catch(
      (thrown: unknown) => thrown,
    )
    expect(error).toBeInstanceOf(ConfigError)
    expect(error).toMatchObject({ code: 'WAREHOUSE_NOT_EMPTY' })
    expect(await shop.query(`select * from fact_stock`)).toEqual([
      { stock_record_id: 1, stock_id: 1, item_id: 1, counted: 1 },
    ])
  })

  it.each(['star', 'My "Schema"', 'select; drop'])(
    'makes and fills the schema %s',
    async (schema) => {
      await using shop = await createShop()
      const { role, url } = await createReader(shop)
      const deps = { ...shop.deps, warehouse: { ...shop.deps.warehouse, schema, readerRole: role } }
      Object.assign(shop.deps, deps)
      await shop.sql.query(`insert into stock values (1, 1, 5)`)
      await shop.run()
      await shop.sql.query(`update stock set counted = 6`)
      await shop.run()
      const quoted = pg.escapeIdentifier(schema)
      expect(await shop.query(`select counted from ${quoted}.fact_stock_current`)).toEqual([
        { counted: 6 },
      ])
      expect(await shop.query(`select counted from ${quoted}.fact_stock_as_of_batch(1)`)).toEqual([
        { counted: 5 },
      ])
      const [strays] = await shop.query<{ rows: number }>(
        `select count(*)::int as rows from pg_class where relnamespace = 'public'::regnamespace`,
      )
      expect(strays).toEqual({ rows: 0 })
      const reader = new pg.Client(url)
      reader.on('error', () => {}) // a test that fails drops the database first
      await reader.connect()
      const { rows } = await reader.query(`select batch_id from ${quoted}.tidemark_status`)
      await reader.end()
      expect(rows).toEqual([{ batch_id: '2' }])
    },
  )

  it('says that another run holds the lock', async () => {
    await using shop = await createShop()
    const other = await shop.warehouse.client()
    await other.query('create table tidemark_lock ()')
    await other.query('begin; lock table tidemark_lock in exclusive mode')
    await expect(
      migrateWith(shop.deps.warehouse, shop.project, { waitMs: 20 }),
    ).rejects.toMatchObject({ code: 'RUN_LOCKED' })
  })
})

describe('the reader role', () => {
  /** A shop whose reader role has only the rights from migrate(). */
  async function createReadShop(): Promise<{
    shop: ShopSystem
    reader: pg.Client
    warehouse: Warehouse
  }> {
    const shop = await createShop()
    const { role, url } = await createReader(shop)
    // The test databases let their reader see everything; a real one begins with nothing.
    await shop.query(`
      alter default privileges in schema public revoke select on tables from ${role};
      revoke usage on schema public from ${role};
      create table other_people (secret text)`)
    const reader = new pg.Client(url)
    reader.on('error', () => {}) // a test that fails drops the database first
    await reader.connect()
    return { shop, reader, warehouse: { ...shop.deps.warehouse, readerRole: role } }
  }

  it('sees the star schema, its history and the status, and nothing else, and cannot write', async () => {
    const { shop, reader, warehouse } = await createReadShop()
    await using _ = shop
    Object.assign(shop.deps, { warehouse })
    await shop.sql.query(`insert into stock values (1, 1, 5)`)
    await shop.run()
    for (const relation of [
      'dim_item',
      'dim_day',
      'fact_sale',
      'fact_stock',
      'fact_stock_current',
      'fact_stock_history',
      'sale_units',
      'fact_stock_as_of(now())',
      'fact_stock_as_of_batch(1)',
      'tidemark_status',
    ]) {
      await expect(reader.query(`select * from ${relation}`), relation).resolves.toBeDefined()
    }
    for (const refused of [
      'select * from tidemark_ledger',
      'select * from tidemark_migration',
      'select * from tidemark_confirmation',
      'select * from other_people',
      'insert into dim_day values (now())',
      'update fact_stock set counted = 0',
      'delete from fact_stock_current',
      'truncate fact_stock',
      'drop view sale_units',
      'create table mine (id int)',
    ]) {
      await expect(reader.query(refused), refused).rejects.toMatchObject({
        code: '42501',
      })
    }
    await reader.end()
  })

  it('gets its rights from the next run if it is created or configured after the schema', async () => {
    const { shop, reader, warehouse } = await createReadShop()
    await using _ = shop
    await migrateWith({ ...warehouse, readerRole: 'nobody_of_that_name' }, shop.project)
    await expect(reader.query('select * from tidemark_status')).rejects.toMatchObject({
      code: '42501',
    })
    await migrateWith({ ...warehouse, readerRole: 'nobody_of_that_name' }, shop.project)
    await migrateWith(warehouse, shop.project)
    await expect(reader.query('select * from tidemark_status')).resolves.toBeDefined()
    await expect(reader.query('select * from fact_sale')).resolves.toBeDefined()
    await reader.end()
  })
})
