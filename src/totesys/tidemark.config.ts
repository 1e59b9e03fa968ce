import type { Check, Telling } from '../platform/project/model.ts'
import { defineProject } from '../platform/project/project-config.ts'
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
export default defineProject({
  name: 'totesys',
  title: 'Totesys',
  source: contract,
  models: {
    dim_staff: { key: 'staff_id' },
    dim_location: { key: 'location_id', nullable: ['address_line_2', 'district'] },
    dim_currency: { key: 'currency_id', checks: [threeLetters('currency_code')] },
    dim_design: { key: 'design_id' },
    dim_counterparty: {
      key: 'counterparty_id',
      nullable: ['counterparty_legal_address_line_2', 'counterparty_legal_district'],
    },
    dim_payment_type: { key: 'payment_type_id' },
    dim_transaction: {
      key: 'transaction_id',
      nullable: ['sales_order_id', 'purchase_order_id'],
      sought: ['sales_order_id', 'purchase_order_id'],
    },

    fact_sales_order: {
      from: 'sales_order',
      headline: 'presentation/headline_sales_order.sql',
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
    },
    fact_purchase_orders: {
      from: 'purchase_order',
      headline: 'presentation/headline_purchase_order.sql',
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
    },
    fact_payment: {
      from: 'payment',
      headline: 'presentation/headline_payment.sql',
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
    },
    fact_exchange_rate: {
      from: 'exchange_rate',
      headline: 'presentation/headline_exchange_rate.sql',
      key: ['base_currency', 'quote_currency', 'rate_date'],
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
      references: { rate_date: 'dim_date' },
    },

    dim_date: { key: 'date_id', calendar: true },
  },
  tests: ['payment_amount_differs_from_order'],
  presentation: dashboard,
})

function positive(column: string): Check {
  return { name: 'positive', column, holds: `${column} > 0` }
}

function notNegative(column: string): Check {
  return { name: 'not_negative', column, holds: `${column} >= 0` }
}

function threeLetters(column: string, name = 'three_letters'): Check {
  return { name, column, holds: `regexp_full_match(${column}, '[A-Z]{3}')` }
}
