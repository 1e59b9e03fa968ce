import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Project } from '../../src/platform/project/project.ts'
import type { Check, Dimension, Fact, Sums } from '../../src/platform/project/model.ts'
import type { Feed, SourceTable } from '../../src/platform/project/source-contract.ts'
import { createSystem, type TestSystem } from './system.ts'

/** The source. It has no foreign keys, so that a fact can name a missing row. */
export const SHOP_SOURCE = `
  create table kind (kind_id int primary key, label text);
  create table item (item_id int primary key, item_name text, kind_id int, note text);
  create table sale (
    sale_id int primary key, item_id int, units int, price numeric(12, 3),
    sold_on text, returned_on date, extra jsonb
  );
  create table stock (stock_id int primary key, item_id int, counted int);`

const STAR = `
  create table if not exists dim_day (day date primary key);
  create table if not exists dim_item (
    item_id int primary key, item_name text not null, label text not null, note text
  );
  create table if not exists fact_sale (
    sale_record_id bigint primary key,
    sale_id int not null,
    item_id int not null references dim_item,
    units int not null,
    price numeric(12, 3) not null,
    sold_on date not null references dim_day,
    returned_on date references dim_day,
    extra jsonb
  );
  create table if not exists fact_stock (
    stock_record_id bigint primary key,
    stock_id int not null,
    item_id int not null references dim_item,
    counted int
  );
  create table if not exists fact_price (
    price_record_id bigint primary key,
    item_id int not null references dim_item,
    day date not null references dim_day,
    price numeric(12, 3) not null
  );
  create or replace view sale_units as select sale_id, units from fact_sale;`

const MODELS: Readonly<Record<string, string>> = {
  dim_item: `
    select item_id, item_name, label, note
    from item join kind using (kind_id)`,
  fact_sale: `
    select
      sale_id, item_id, units, price, try_cast(sold_on as date) as sold_on, returned_on, extra,
      _operation, _captured_at, _ordinal
    from change_sale`,
  fact_stock: `
    select stock_id, item_id, counted, _operation, _captured_at, _ordinal from change_stock`,
  fact_price: `
    select item_id, day, price, _operation, _captured_at, _ordinal from change_price`,
  dim_day: `
    select distinct unnest(range(
      make_date(year(date_id), 1, 1)::timestamp,
      make_date(year(date_id) + 1, 1, 1)::timestamp,
      interval 1 day
    ))::date as day
    from named_date`,
}

export interface ShopOptions {
  /** SQL that replaces a model's own, by table. */
  readonly models?: Readonly<Record<string, string>>
  /** Further migrations by file name, or `001_star.sql` in place of the shop's own. */
  readonly migrations?: Readonly<Record<string, string>>
  readonly nullable?: Readonly<Record<string, readonly string[]>>
  /** Checks of models, by table. */
  readonly checks?: Readonly<Record<string, readonly Check[]>>
  /** Contracts of source tables. Without one, a table has no contract. */
  readonly columns?: Readonly<Record<string, NonNullable<SourceTable['columns']>>>
  /** SQL of data tests by name. */
  readonly tests?: Readonly<Record<string, string>>
  /** Sums of facts, by table. */
  readonly sums?: Readonly<Record<string, Sums>>
  /** Adds the feed `price`, the price of an item on a day, and a fact made from it. */
  readonly hasPrices?: boolean
}

/** Prices come in files. */
export const PRICES: Feed = {
  name: 'price',
  key: ['item_id', 'day'],
  columns: { item_id: 'integer', day: 'date', price: 'numeric(12,3)' },
}

/** Writes a small domain to a folder: two facts, a dimension over two tables, and a calendar. */
export async function writeShop(
  folder: string,
  {
    models = {},
    migrations = {},
    nullable = {},
    checks = {},
    columns = {},
    tests = {},
    sums = {},
    hasPrices = false,
  }: ShopOptions = {},
): Promise<Project> {
  const write = async (path: string, sql: string): Promise<void> => {
    await mkdir(join(folder, path, '..'), { recursive: true })
    await writeFile(join(folder, path), sql)
  }
  const all = { ...MODELS, ...models }
  for (const [table, sql] of Object.entries(all)) await write(`models/${table}.sql`, sql)
  for (const [name, sql] of Object.entries({ '001_star.sql': STAR, ...migrations })) {
    await write(`warehouse/${name}`, sql)
  }
  for (const [name, sql] of Object.entries(tests)) await write(`tests/${name}.sql`, sql)
  const url = (path: string): URL => pathToFileURL(join(folder, path))
  const base = (table: string, key: string) => ({
    table,
    sql: url(`models/${table}.sql`),
    key: [key],
    ...(checks[table] === undefined ? {} : { checks: checks[table] }),
    ...(sums[table] === undefined ? {} : { sums: sums[table] }),
  })
  const item: Dimension = {
    kind: 'dimension',
    ...base('dim_item', 'item_id'),
    nullable: nullable['dim_item'] ?? ['note'],
  }
  const sale: Fact = {
    kind: 'fact',
    ...base('fact_sale', 'sale_id'),
    from: 'sale',
    recordId: 'sale_record_id',
    nullable: ['returned_on', 'extra'],
    references: [
      { columns: ['item_id'], dimension: 'dim_item' },
      { columns: ['sold_on'], dimension: 'dim_day' },
      { columns: ['returned_on'], dimension: 'dim_day' },
    ],
  }
  const stock: Fact = {
    kind: 'fact',
    ...base('fact_stock', 'stock_id'),
    from: 'stock',
    recordId: 'stock_record_id',
    nullable: ['counted'],
    references: [{ columns: ['item_id'], dimension: 'dim_item' }],
  }
  const price: Fact = {
    kind: 'fact',
    table: 'fact_price',
    sql: url('models/fact_price.sql'),
    key: PRICES.key,
    from: PRICES.name,
    recordId: 'price_record_id',
    references: [
      { columns: ['item_id'], dimension: 'dim_item' },
      { columns: ['day'], dimension: 'dim_day' },
    ],
  }
  return {
    name: 'shop',
    title: 'the shop',
    source: {
      schema: 'public',
      tables: ['kind', 'item', 'sale', 'stock'].map((name) => ({
        name,
        key: [`${name}_id`],
        ...(columns[name] === undefined ? {} : { columns: columns[name] }),
      })),
      ...(hasPrices ? { feeds: [PRICES] } : {}),
    },
    models: [
      item,
      sale,
      stock,
      ...(hasPrices ? [price] : []),
      { kind: 'calendar', ...base('dim_day', 'day') },
    ],
    ...(Object.keys(tests).length === 0
      ? {}
      : { tests: Object.keys(tests).map((name) => ({ name, sql: url(`tests/${name}.sql`) })) }),
    warehouse: { migrations: url('warehouse/') },
  }
}

export interface ShopSystem extends TestSystem {
  readonly project: Project
  /** The shop with other models or migrations, in a separate folder. */
  changed(options: ShopOptions): Promise<Project>
}

/** A whole Tidemark over a shop with two kinds and two items. */
export async function createShop(options: ShopOptions = {}): Promise<ShopSystem> {
  const folder = await mkdtemp(join(tmpdir(), 'tidemark-shop-'))
  const project = await writeShop(join(folder, 'first'), options)
  const system = await createSystem({ project, template: 'empty' })
  await system.sql.query(`${SHOP_SOURCE}
    insert into kind values (1, 'bag'), (2, 'hat');
    insert into item values (1, 'tote', 1, null), (2, 'bowler', 2, 'black')`)
  let folders = 0
  return {
    ...system,
    project,
    changed: (changes) => writeShop(join(folder, `changed-${folders++}`), changes),
    async [Symbol.asyncDispose]() {
      await system[Symbol.asyncDispose]()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
