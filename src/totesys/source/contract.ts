import type { SourceConfig, TableConfig } from '../../platform/project/project-config.ts'

/** Every table has both. */
const MOMENTS = {
  created_at: 'timestamp(3) without time zone',
  last_updated: 'timestamp(3) without time zone',
}

/**
 * The eleven tables of the Totesys database that are captured, each with its key and the columns
 * that the models need. A table is listed after the tables it refers to. No model reads the rest of
 * the database (account numbers, contacts, `_prisma_migrations`). Exchange rates are not in the
 * database: they come in files and answers.
 */
export const contract: SourceConfig = {
  schema: 'public',
  tables: tables({
    address: {
      address_id: 'integer',
      address_line_1: 'text',
      address_line_2: 'text',
      district: 'text',
      city: 'text',
      postal_code: 'text',
      country: 'text',
      phone: 'text',
    },
    counterparty: {
      counterparty_id: 'integer',
      counterparty_legal_name: 'text',
      legal_address_id: 'integer',
    },
    currency: { currency_id: 'integer', currency_code: 'character varying(3)' },
    department: {
      department_id: 'integer',
      department_name: 'text',
      location: 'text',
    },
    design: {
      design_id: 'integer',
      design_name: 'text',
      file_location: 'text',
      file_name: 'text',
    },
    payment_type: { payment_type_id: 'integer', payment_type_name: 'enum' },
    staff: {
      staff_id: 'integer',
      first_name: 'text',
      last_name: 'text',
      department_id: 'integer',
      email_address: 'text',
    },
    sales_order: {
      sales_order_id: 'integer',
      ...MOMENTS,
      design_id: 'integer',
      staff_id: 'integer',
      counterparty_id: 'integer',
      units_sold: 'integer',
      unit_price: 'numeric(10,2)',
      currency_id: 'integer',
      agreed_delivery_date: 'text',
      agreed_payment_date: 'text',
      agreed_delivery_location_id: 'integer',
    },
    purchase_order: {
      purchase_order_id: 'integer',
      ...MOMENTS,
      staff_id: 'integer',
      counterparty_id: 'integer',
      item_code: 'text',
      item_quantity: 'integer',
      item_unit_price: 'numeric(10,2)',
      currency_id: 'integer',
      agreed_delivery_date: 'text',
      agreed_payment_date: 'text',
      agreed_delivery_location_id: 'integer',
    },
    transaction: {
      transaction_id: 'integer',
      transaction_type: 'enum',
      sales_order_id: 'integer',
      purchase_order_id: 'integer',
    },
    payment: {
      payment_id: 'integer',
      ...MOMENTS,
      transaction_id: 'integer',
      counterparty_id: 'integer',
      payment_amount: 'numeric(10,2)',
      currency_id: 'integer',
      payment_type_id: 'integer',
      paid: 'boolean',
      payment_date: 'text',
    },
  }),
  feeds: {
    // One unit of `base` costs `rate` units of `quote` on that day, according to `source`.
    exchange_rate: {
      key: ['base', 'quote', 'rate_date'],
      columns: {
        base: 'character varying(3)',
        quote: 'character varying(3)',
        rate_date: 'date',
        rate: 'numeric(20,10)',
        source: 'text',
      },
      // The European Central Bank's history: for each day, what a euro costs in each currency.
      wide: {
        first: { title: 'Date', column: 'rate_date' },
        titles: { column: 'quote', pattern: '[A-Z]{3}' },
        cells: { column: 'rate', absent: ['N/A'] },
        constants: { base: 'EUR', source: 'ECB' },
      },
    },
  },
}

/** Tables by name, from their columns. The key of a table is its column `<table>_id`. */
function tables(
  columns: Readonly<Record<string, Readonly<Record<string, string>>>>,
): Readonly<Record<string, TableConfig>> {
  return Object.fromEntries(
    Object.entries(columns).map(([name, own]) => [name, { key: `${name}_id`, columns: own }]),
  )
}
