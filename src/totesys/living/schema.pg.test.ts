import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createDatabase, type TestDatabase } from '../../../test/support/database.ts'

const columns = {
  address:
    'address_id address_line_1 address_line_2 district city postal_code country phone created_at last_updated',
  counterparty:
    'counterparty_id counterparty_legal_name legal_address_id commercial_contact delivery_contact created_at last_updated',
  currency: 'currency_id currency_code created_at last_updated',
  department: 'department_id department_name location manager created_at last_updated',
  design: 'design_id created_at design_name file_location file_name last_updated',
  payment:
    'payment_id created_at last_updated transaction_id counterparty_id payment_amount currency_id payment_type_id paid payment_date company_ac_number counterparty_ac_number',
  payment_type: 'payment_type_id payment_type_name created_at last_updated',
  purchase_order:
    'purchase_order_id created_at last_updated staff_id counterparty_id item_code item_quantity item_unit_price currency_id agreed_delivery_date agreed_payment_date agreed_delivery_location_id',
  sales_order:
    'sales_order_id created_at last_updated design_id staff_id counterparty_id units_sold unit_price currency_id agreed_delivery_date agreed_payment_date agreed_delivery_location_id',
  staff: 'staff_id first_name last_name department_id email_address created_at last_updated',
  transaction:
    'transaction_id transaction_type sales_order_id purchase_order_id created_at last_updated',
}

describe('schema.sql', () => {
  let database: TestDatabase
  beforeAll(async () => {
    database = await createDatabase()
  })
  afterAll(() => database.drop())

  it('has the eleven tables in live column order, and the one of migrations', async () => {
    const rows = await database.query<{ table: string; columns: string }>(
      `select attrelid::regclass::text as table, string_agg(attname, ' ' order by attnum) as columns
       from pg_attribute join pg_class on pg_class.oid = attrelid
       where relkind = 'r' and relnamespace = 'public'::regnamespace and attnum > 0
       group by attrelid`,
    )
    const found = Object.fromEntries(rows.map((row) => [row.table, row.columns]))
    expect(found).toMatchObject(columns)
    expect(Object.keys(found)).toHaveLength(12)
    expect(found['_prisma_migrations']).toContain('migration_name')
  })

  it('stamps created_at and not last_updated, to the millisecond', async () => {
    const rows = await database.query(
      `select attname as name, format_type(atttypid, atttypmod) as type, attnotnull as required,
         pg_get_expr(adbin, adrelid) as default, count(*)::int as tables
       from pg_attribute left join pg_attrdef on adrelid = attrelid and adnum = attnum
       join pg_class on pg_class.oid = attrelid and relkind = 'r'
       where attname in ('created_at', 'last_updated') and relnamespace = 'public'::regnamespace
       group by 1, 2, 3, 4 order by 1`,
    )
    const type = 'timestamp(3) without time zone'
    expect(rows).toEqual([
      { name: 'created_at', type, required: true, default: 'CURRENT_TIMESTAMP', tables: 11 },
      { name: 'last_updated', type, required: true, default: null, tables: 11 },
    ])
  })

  it('restricts deletes, but sets the orders of a transaction to null', async () => {
    const rows = await database.query<{ def: string; relation: string }>(
      `select pg_get_constraintdef(oid) as def, conrelid::regclass::text as relation
       from pg_constraint where contype = 'f'`,
    )
    expect(rows).toHaveLength(17)
    for (const { def, relation } of rows) {
      const action = relation === 'transaction' ? 'SET NULL' : 'RESTRICT'
      expect(def).toMatch(new RegExp(`ON UPDATE CASCADE ON DELETE ${action}$`))
    }
  })

  it('may be read by a reader with no other rights, later tables included', async () => {
    await database.query('create table later as select 1 as one')
    await using reader = Object.assign(new pg.Client(database.readerUrl), {
      [Symbol.asyncDispose]: () => reader.end(),
    })
    await reader.connect()
    expect((await reader.query('table later')).rows).toEqual([{ one: 1 }])
    expect((await reader.query('table sales_order')).rows).toEqual([])
    for (const sql of [
      'insert into later values (2)',
      'create table mine ()',
      'create temporary table mine ()',
      'update design set design_name = design_name',
    ]) {
      await expect(reader.query(sql), sql).rejects.toMatchObject({ code: '42501' })
    }
  })
})
