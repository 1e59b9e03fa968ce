import type { Dimension, Fact, Model } from '../../src/platform/project/model.ts'
import type { Project } from '../../src/platform/project/project.ts'
import { createSystem, type TestSystem } from './system.ts'

/** A source of customers and their sales. */
const SOURCE = `
  create table customer (
    customer_id int primary key, code text not null unique, name text not null, city text
  );
  create table sale (
    sale_id int primary key, customer_id int not null, code text not null,
    units int not null, price numeric(8, 2) not null, sold_on date not null, note text
  );
  insert into customer values (1, 'A1', 'Ada', 'Leeds'), (2, 'B2', 'Björk', null);
  insert into sale values
    (10, 1, 'A1', 2, 9.50, '2026-01-02', 'gift'), (11, 2, 'B2', 1, 3.00, '2026-02-03', 'blue')`

export const CUSTOMER: Dimension = {
  kind: 'dimension',
  table: 'dim_customer',
  sql: 'select customer_id, code, name, city from customer',
  key: ['customer_id'],
  nullable: ['city'],
}

export const SALE: Fact = {
  kind: 'fact',
  table: 'fact_sale',
  sql: `select sale_id, customer_id, units, price, sold_on, note, _operation, _captured_at, _ordinal
    from change_sale`,
  key: ['sale_id'],
  from: 'sale',
  recordId: 'sale_record_id',
  nullable: ['note'],
  references: [
    { columns: ['customer_id'], dimension: 'dim_customer' },
    { columns: ['sold_on'], dimension: 'dim_date' },
  ],
}

export const DATES: Model = {
  kind: 'calendar',
  table: 'dim_date',
  sql: `select distinct unnest(range(
      make_date(year(date_id), 1, 1)::timestamp,
      make_date(year(date_id) + 1, 1, 1)::timestamp,
      interval 1 day
    ))::date as day
    from named_date`,
  key: ['day'],
}

/** A project whose tables are all derived, with these models. */
export function derived(models: readonly Model[] = [CUSTOMER, SALE, DATES]): Project {
  return {
    name: 'derived',
    title: 'the shop',
    source: {
      schema: 'public',
      tables: [
        { name: 'customer', key: ['customer_id'] },
        { name: 'sale', key: ['sale_id'] },
      ],
    },
    models,
  }
}

/** A system over two customers and two sales. */
export async function createDerived(project: Project = derived()): Promise<TestSystem> {
  const system = await createSystem({ template: 'empty', project })
  await system.sql.query(SOURCE)
  return system
}
