import type { Project } from '../platform/project/project.ts'
import type {
  Calendar,
  Check,
  DataTest,
  Dimension,
  Fact,
  Sums,
  Telling,
} from '../platform/project/model.ts'
import { dashboard } from './presentation/pages.ts'
import { contract } from './source/contract.ts'

/** What people call the columns with agreed dates and places. */
const AGREED: Telling['words'] = {
  agreed_delivery_date: 'delivery',
  agreed_delivery_location_id: 'to',
  agreed_payment_date: 'payment',
}

/**
 * Totesys, a wholesaler of tote bags: three overlapping stars (sales, purchases, payments) over
 * eleven source tables, and exchange rates beside them. The models' SQL says what each column
 * means.
 */
export const totesys: Project = {
  name: 'totesys',
  title: 'Totesys',
  source: contract,
  models: [
    dimension('dim_staff', 'staff_id'),
    dimension('dim_location', 'location_id', ['address_line_2', 'district']),
    {
      ...dimension('dim_currency', 'currency_id'),
      checks: [threeLetters('currency_code')],
    },
    dimension('dim_design', 'design_id'),
    dimension('dim_counterparty', 'counterparty_id', [
      'counterparty_legal_address_line_2',
      'counterparty_legal_district',
    ]),
    dimension('dim_payment_type', 'payment_type_id'),
    {
      ...dimension('dim_transaction', 'transaction_id', ['sales_order_id', 'purchase_order_id']),
      sought: ['sales_order_id', 'purchase_order_id'],
    },

    fact('fact_sales_order', {
      from: 'sales_order',
      key: 'sales_order_id',
      recordId: 'sales_record_id',
      checks: [positive('units_sold'), notNegative('unit_price')],
      sought: ['created_date', 'counterparty_id', 'design_id'],
      sums: {
        columns: { units: 'units_sold', amount: 'units_sold * unit_price' },
        grains: {
          day: ['created_date', 'currency_id'],
          staff: ['created_date', 'currency_id', 'sales_staff_id'],
          counterparty: ['created_date', 'currency_id', 'counterparty_id'],
          location: ['created_date', 'currency_id', 'agreed_delivery_location_id'],
          hour: ['created_date', 'currency_id', 'created_hour'],
          delivery: ['created_date', 'currency_id', 'agreed_delivery_date'],
        },
        derived: { created_hour: 'extract(hour from created_time)::integer' },
      },
      references: {
        created_date: 'dim_date',
        last_updated_date: 'dim_date',
        sales_staff_id: 'dim_staff',
        counterparty_id: 'dim_counterparty',
        currency_id: 'dim_currency',
        design_id: 'dim_design',
        agreed_payment_date: 'dim_date',
        agreed_delivery_date: 'dim_date',
        agreed_delivery_location_id: 'dim_location',
      },
      telling: {
        words: {
          units_sold: 'units',
          unit_price: 'price',
          currency_id: 'currency',
          design_id: 'design',
          counterparty_id: 'customer',
          sales_staff_id: 'sold by',
          ...AGREED,
        },
        worth: { quantity: 'units_sold', price: 'unit_price', currency: 'currency_id' },
      },
    }),
    fact('fact_purchase_orders', {
      from: 'purchase_order',
      key: 'purchase_order_id',
      recordId: 'purchase_record_id',
      checks: [positive('item_quantity'), notNegative('item_unit_price')],
      sought: ['created_date', 'agreed_delivery_date', 'counterparty_id'],
      sums: {
        columns: { quantity: 'item_quantity', amount: 'item_quantity * item_unit_price' },
        grains: {
          day: ['created_date', 'currency_id'],
          staff: ['created_date', 'currency_id', 'staff_id'],
          counterparty: ['created_date', 'currency_id', 'counterparty_id'],
        },
      },
      references: {
        created_date: 'dim_date',
        last_updated_date: 'dim_date',
        staff_id: 'dim_staff',
        counterparty_id: 'dim_counterparty',
        currency_id: 'dim_currency',
        agreed_delivery_date: 'dim_date',
        agreed_payment_date: 'dim_date',
        agreed_delivery_location_id: 'dim_location',
      },
      telling: {
        words: {
          item_quantity: 'pieces',
          item_unit_price: 'price',
          currency_id: 'currency',
          item_code: 'item',
          counterparty_id: 'supplier',
          staff_id: 'bought by',
          ...AGREED,
        },
        worth: { quantity: 'item_quantity', price: 'item_unit_price', currency: 'currency_id' },
      },
    }),
    fact('fact_payment', {
      from: 'payment',
      key: 'payment_id',
      recordId: 'payment_record_id',
      checks: [notNegative('payment_amount')],
      sought: ['created_date', 'payment_date', 'counterparty_id', 'transaction_id'],
      sums: {
        columns: { amount: 'payment_amount' },
        grains: {
          day: ['created_date', 'currency_id'],
          due: ['payment_date', 'currency_id', 'payment_type_id', 'paid'],
          counterparty: [
            'payment_date',
            'currency_id',
            'payment_type_id',
            'paid',
            'counterparty_id',
          ],
        },
      },
      references: {
        created_date: 'dim_date',
        last_updated_date: 'dim_date',
        transaction_id: 'dim_transaction',
        counterparty_id: 'dim_counterparty',
        currency_id: 'dim_currency',
        payment_type_id: 'dim_payment_type',
        payment_date: 'dim_date',
      },
      telling: {
        words: {
          payment_amount: 'amount',
          currency_id: 'currency',
          payment_type_id: 'type',
          transaction_id: 'for',
          counterparty_id: 'with',
          payment_date: 'due',
          paid: 'paid',
        },
        worth: { price: 'payment_amount', currency: 'currency_id' },
      },
    }),
    {
      kind: 'fact',
      table: 'fact_exchange_rate',
      sql: model('fact_exchange_rate'),
      key: ['base_currency', 'quote_currency', 'rate_date'],
      from: 'exchange_rate',
      recordId: 'rate_record_id',
      checks: [
        threeLetters('base_currency', 'base_three_letters'),
        threeLetters('quote_currency', 'quote_three_letters'),
        {
          name: 'two_currencies',
          column: 'quote_currency',
          holds: 'base_currency <> quote_currency',
        },
        // `usable_exchange_rate` has the same bounds: a rate outside them is kept but converts
        // nothing. The inverse of a rate inside them is inside them too.
        {
          name: 'rate_in_bounds',
          column: 'rate',
          holds: 'rate between 0.00000001 and 100000000',
        },
        {
          name: 'date_in_bounds',
          column: 'rate_date',
          holds: `rate_date between date '1970-01-01' and date '2099-12-31'`,
        },
        { name: 'source_named', column: 'source', holds: `trim(source) <> ''` },
        // The calendar holds whole years, and a year has four digits.
        {
          name: 'date_in_calendar',
          column: 'rate_date',
          holds: `rate_date between date '0001-01-01' and date '9999-12-31'`,
          severity: 'refuse',
        },
      ],
      headline: new URL('./presentation/headline_exchange_rate.sql', import.meta.url),
      references: [{ columns: ['rate_date'], dimension: 'dim_date' }],
    },

    calendar('dim_date', 'date_id'),
  ],
  tests: [dataTest('payment_amount_differs_from_order')],
  warehouse: { migrations: new URL('./warehouse/', import.meta.url) },
  presentation: dashboard,
}

function dimension(table: string, key: string, nullable: readonly string[] = []): Dimension {
  return { kind: 'dimension', table, sql: model(table), key: [key], nullable }
}

function calendar(table: string, key: string): Calendar {
  return { kind: 'calendar', table, sql: model(table), key: [key] }
}

interface FactSketch {
  readonly from: string
  readonly key: string
  readonly recordId: string
  readonly checks: readonly Check[]
  /** Column of the fact → the dimension whose one-column key it holds. */
  readonly references: Readonly<Record<string, string>>
  /** The columns by which questions filter current rows. */
  readonly sought: readonly string[]
  readonly sums: Sums
  readonly telling: Telling
}

function fact(table: string, { references, key, ...sketch }: FactSketch): Fact {
  return {
    kind: 'fact',
    table,
    sql: model(table),
    key: [key],
    ...sketch,
    headline: new URL(`./presentation/headline_${sketch.from}.sql`, import.meta.url),
    references: Object.entries(references).map(([column, name]) => ({
      columns: [column],
      dimension: name,
    })),
  }
}

function positive(column: string): Check {
  return { name: 'positive', column, holds: `${column} > 0` }
}

function notNegative(column: string): Check {
  return { name: 'not_negative', column, holds: `${column} >= 0` }
}

function threeLetters(column: string, name = 'three_letters'): Check {
  return { name, column, holds: `regexp_full_match(${column}, '[A-Z]{3}')` }
}

function dataTest(name: string): DataTest {
  return { name, sql: new URL(`./tests/${name}.sql`, import.meta.url) }
}

function model(table: string): URL {
  return new URL(`./models/${table}.sql`, import.meta.url)
}
