import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createDatabase, type TestDatabase } from '../support/database.ts'
import { installPackage, type InstalledPackage } from '../support/installed-package.ts'
import { HISTORY } from '../projects/library/library-system.ts'

const read = (path: string): string => readFileSync(new URL(path, import.meta.url), 'utf8')

/** A database that nobody tuned for, and what happens in it between runs. */
interface Sample {
  readonly name: string
  readonly schema: string
  readonly schemas: string
  readonly steps: readonly string[]
  /** Selects from the source, each with one from the warehouse that must return the same. */
  readonly mirror?: Readonly<Record<string, string>>
  readonly star?: Readonly<Record<string, string>>
}

const SHOP: Sample = {
  name: 'shop',
  schema: read('../init/shop.sql'),
  schemas: 'sales, "Stock Room"',
  steps: [
    'select 1',
    `update customer set name = 'Ada L.' where customer_id = 1;
     update city set name = 'Leeds (UK)' where city_id = 2;
     update sales.orders set state = 'sent', version = version + 1 where order_id = 2;
     delete from sales.payment where payment_id = 2;
     insert into sales.payment values (3, '2024-12-31', 3, 1, 11.00);
     insert into sales.order_line values (2, 1, '00000000-0000-4000-8000-000000000002', 1, 0, null);
     update "Stock Room"."Stock Count" set "how many?" = 5 where "No." = 2;
     insert into visit values ('2024-01-02 00:00:00+00', '/bags', null);
     delete from visit where ctid in (select ctid from visit limit 1)`,
    `alter table product add column weight_kg numeric(6, 3);
     update product set weight_kg = 0.25 where name = 'Bag';
     alter type order_state add value 'returned';
     alter table customer alter column city_id type bigint;
     insert into customer (name, password_hash) values ('Cleo', 'z')`,
  ],
  mirror: {
    'select customer_id, name, city_id, tags, profile from customer':
      'select customer_id, name, city_id, tags, profile from customer_current',
    'select payment_id, paid_on, amount from sales.payment':
      'select payment_id, paid_on, amount from sales_payment_current',
    'select order_id, state::text, ordered_at, version from sales.orders':
      'select order_id, state, ordered_at, version from sales_orders_current',
    'select product_id, price, sizes, weight_kg from product':
      'select product_id, price, sizes, weight_kg from product_current',
    'select path, address::text, count(*)::int as row_count from visit group by 1, 2':
      'select path, address::text, row_count::int from visit_current',
  },
  star: {
    'select payment_id, paid_on, amount from sales.payment':
      'select payment_id, paid_on, amount from fact_sales_payment_current',
  },
}

/** A cinema's rentals, as many a tutorial has them: two facts, one below the other. */
const CINEMA: Sample = {
  name: 'cinema',
  schema: `
    create schema cinema;
    create table cinema.film (
      film_id serial primary key, title text not null, rate numeric(6, 2), rating char(1)
    );
    create table cinema.shop (shop_id int primary key, street text);
    create table cinema.guest (
      guest_id int primary key, guest_name text not null, shop_id int references cinema.shop
    );
    create table cinema.rental (
      rental_id bigint primary key, film_id int not null references cinema.film,
      guest_id int references cinema.guest, shop_id int references cinema.shop,
      rented_at timestamptz not null, returned_at timestamptz
    );
    create table cinema.payment (
      payment_id uuid primary key, rental_id bigint references cinema.rental,
      guest_id int references cinema.guest, amount numeric(8, 2), paid_on date
    );
    insert into cinema.film (title, rate, rating) values ('Metropolis', 2.5, 'A'), ('M', 3, null);
    insert into cinema.shop values (1, 'North'), (2, 'South');
    insert into cinema.guest values (1, 'Ada', 1), (2, 'Björk', null);
    insert into cinema.rental
    select i, 1 + i % 2, 1 + i % 2, 1 + i % 2, timestamptz '2026-01-01' + i * interval '1 hour', null
    from generate_series(1, 500) as i;
    insert into cinema.payment
    select md5(i::text)::uuid, i, 1 + i % 2, i / 100.0, date '2026-01-01' + i
    from generate_series(1, 400) as i`,
  schemas: 'cinema',
  steps: [
    'select 1',
    `update cinema.rental set returned_at = '2026-02-01' where rental_id < 10;
     delete from cinema.payment where rental_id in (3, 4);
     update cinema.film set title = 'METROPOLIS' where film_id = 1;
     insert into cinema.guest values (3, 'Cleo', 2)`,
    `alter table cinema.guest add column phone text;
     alter table cinema.rental add column note text;
     alter table cinema.film alter column rate type numeric(9, 2);
     update cinema.rental set guest_id = 3, note = 'late' where rental_id = 11`,
  ],
  star: {
    'select rental_id, film_id, guest_id, shop_id, rented_at from cinema.rental':
      'select rental_id, film_id, guest_id, shop_id, rented_at from fact_rental_current',
    'select payment_id::text, amount, paid_on from cinema.payment':
      'select payment_id, amount, paid_on from fact_payment_current',
    'select film_id, title from cinema.film': 'select film_id, title from dim_film',
  },
}

const LIBRARY: Sample = {
  name: 'library',
  schema: read('../projects/library/schema.sql'),
  schemas: 'lending, archive',
  steps: HISTORY,
  mirror: {
    'select isbn, copy_number, lent_at, due_on, returned_on from lending.loan':
      'select isbn, copy_number, lent_at, due_on, returned_on from lending_loan_current',
    'select * from archive.member':
      'select member_id, full_name, left_on from archive_member_current',
    'select "Order", "select", "größe_µm" from lending."Order Line"':
      'select "Order", "select", "größe_µm" from "lending_Order Line_current"',
  },
}

describe('the installed package, on databases that nobody tuned for', () => {
  let installed: InstalledPackage
  beforeAll(async () => {
    installed = await installPackage()
  })
  afterAll(() => installed[Symbol.asyncDispose]())

  it.each([
    [SHOP, 'mirror', []],
    [SHOP, 'star', ['--star']],
    [LIBRARY, 'mirror', []],
    [CINEMA, 'star', ['--star']],
  ] as const)(
    '$name: init, run, change, drift and verify, as $1',
    async (sample, kind, options) => {
      await using source = await createDatabase({ template: 'empty' })
      await using warehouse = await createDatabase({ template: 'empty' })
      await source.query(sample.schema)
      await source.query(`
      grant usage on schema ${sample.schemas} to ${source.name}_reader;
      grant select on all tables in schema ${sample.schemas} to ${source.name}_reader`)
      const folder = join(installed.folder, `${sample.name}-${kind}`)
      const env = { TIDEMARK_SOURCE_URL: source.readerUrl, TIDEMARK_WAREHOUSE_URL: warehouse.url }
      const succeed = async (...args: string[]): Promise<void> => {
        const { code, out, err } = await installed.tidemark(args, { env })
        expect([code, out + err]).toEqual([0, expect.not.stringContaining('✕')])
      }
      await succeed('init', folder, '--yes', ...options)
      for (const step of sample.steps) {
        await source.query(step)
        await source.settle()
        await succeed('run', '--project', folder)
        await succeed('verify', '--project', folder)
      }
      await expectSame(sample[kind] ?? {}, source, warehouse)
    },
  )
})

/** Compares source and warehouse by our own select, not by verify. */
async function expectSame(
  selects: Readonly<Record<string, string>>,
  source: TestDatabase,
  warehouse: TestDatabase,
): Promise<void> {
  const sorted = async (database: TestDatabase, sql: string): Promise<string[]> =>
    (await database.query(sql)).map((row) => JSON.stringify(row)).toSorted()
  for (const [there, here] of Object.entries(selects)) {
    const rows = await sorted(warehouse, here)
    expect(rows.length, there).toBeGreaterThan(0)
    expect(rows, there).toEqual(await sorted(source, there))
  }
}
