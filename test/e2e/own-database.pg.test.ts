import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { tidemark } from '../support/command.ts'
import type { TestDatabase } from '../support/database.ts'
import { createWorkplace, fillShop, type Workplace } from '../support/workplace.ts'

describe('a database that nobody tuned for', () => {
  let workplace: Workplace
  let source: TestDatabase
  let warehouse: TestDatabase

  beforeEach(async () => {
    workplace = await createWorkplace()
    ;({ source, warehouse } = workplace)
    await fillShop(source)
  })
  afterEach(() => workplace[Symbol.asyncDispose]())

  const command = (line: string) =>
    tidemark(line.split(' '), {
      env: {
        TIDEMARK_SOURCE_URL: source.readerUrl,
        TIDEMARK_WAREHOUSE_URL: warehouse.url,
      },
    })

  const sql = async (text: string) => await (await source.client()).query(text)
  const rows = async (text: string) => (await warehouse.query(text)) as unknown[]
  const succeed = async (line: string) => {
    const { code, out, err } = await command(line)
    expect(code, out + err).toBe(0)
    return out
  }

  it('I6 becomes a star schema that follows changes, and whose tables follow its models', async () => {
    await succeed('init shop --star --yes')
    await succeed('run --project shop')
    await sql(`
      update customer set name = 'Ada L.' where customer_id = 1;
      update sales.orders set note = 'gift' where order_id = 1;
      delete from sales.payment where payment_id = 2;
      insert into sales.order_line
      select 2, 1, product_id, 3, 12.50, null from product where name = 'Bag'`)
    await succeed('run --project shop')
    await succeed('verify --project shop')
    expect(
      await rows(
        `select record_operation from fact_sales_payment where payment_id = 2 order by batch_id`,
      ),
    ).toEqual([{ record_operation: 'insert' }, { record_operation: 'delete' }])

    // The model gets a column, loses one, and gives one another type.
    const file = join('shop', 'models', 'dim_customer.sql')
    const model = await readFile(file, 'utf8')
    expect(model).toContain('customer.birthday')
    await writeFile(
      file,
      model
        .replace('customer.birthday', 'upper(customer.name) as loud_name')
        .replace('customer.email', 'length(customer.email) as email'),
    )
    const generation = await rows('select generation from tidemark_status')
    await succeed('run --project shop')
    expect(await rows('select generation from tidemark_status')).not.toEqual(generation)
    expect(
      await rows(
        `select email, loud_name, pg_typeof(email)::text as type from dim_customer order by customer_id`,
      ),
    ).toEqual([
      { email: '15', loud_name: 'ADA L.', type: 'bigint' },
      { email: null, loud_name: 'BJÖRK', type: 'bigint' },
    ])
    await succeed('verify --project shop')
  })

  it('I6 becomes a mirror that follows changes and drift', async () => {
    await succeed('init shop --yes')
    await succeed('run --project shop')
    await sql(`
      update customer set name = 'Ada L.', tags = '{}' where customer_id = 1;
      update sales.payment set paid_on = '2032-02-02' where payment_id = 2;
      delete from "Stock Room"."Stock Count" where "how many?" is null;
      insert into visit values ('2024-01-01 00:00:00+00', '/', '127.0.0.1');
      update category set category_id = 3 where category_id = 2 and false`)
    await succeed('run --project shop')
    await succeed('verify --project shop')
    await sql(`
      alter table customer add column phone text default '+0';
      alter table customer drop column birthday;
      alter table product alter column name type varchar(200);
      alter table sales.orders alter column version type bigint;
      alter table sales.orders rename column note to remark;
      create table sales.payment_2033 partition of sales.payment
        for values from ('2033-01-01') to ('2034-01-01');
      insert into sales.payment values (3, '2033-05-05', 1, 1, 5);
      alter type order_state add value 'lost';
      create table sales.coupon (code text primary key, worth int);
      insert into sales.coupon values ('X', 1);
      grant select on all tables in schema sales to public`)
    await succeed('run --project shop')
    await succeed('verify --project shop')
    expect(await rows('select code, worth from sales_coupon_current')).toEqual([
      { code: 'X', worth: 1 },
    ])
    expect(
      await rows(
        `select phone, birthday::text, version from customer_history
         where customer_id = 1 order by version`,
      ),
    ).toEqual([
      { phone: null, birthday: '1985-12-10', version: '1' },
      { phone: null, birthday: '1985-12-10', version: '2' },
      { phone: '+0', birthday: null, version: '3' },
    ])
    await sql(`drop table visit; truncate sales.coupon`)
    const gone = await command('run --project shop')
    expect(gone.err + gone.out).toContain('held')
    expect(gone.code).toBe(4)
    await succeed('run --project shop --exclude visit')
    expect((await command('verify --project shop --exclude visit')).code).toBe(0)
  })
})
