import type { Dashboard, Unit } from '../../platform/project/dashboard.ts'

/** What people call columns whose own names would not do. */
export const labels: Dashboard['labels'] = {
  currency_code: 'Currency',
  in_currency: 'In',
  own_amount: 'In its own currency',
  own_amount_in: 'To us, in its own currency',
  own_amount_out: 'By us, in its own currency',
  amount_in_before: 'To us before',
  amount_out_before: 'By us before',
  rate_date: 'Rate from',
  is_filled: 'Last known',
  days_old: 'Days old',
  orders_unconverted: 'Orders without rate',
  orders_unconverted_before: 'Orders without rate before',
  payments_unconverted: 'Payments without rate',
  payments_unconverted_before: 'Payments without rate before',
  payment_currency_code: 'Payment currency',
  counterparty_legal_name: 'Counterparty',
  design_id: 'Design no.',
  order_id: 'Order',
  payment_id: 'Payment',
  transaction_id: 'Transaction',
  oldest_due: 'Oldest due',
  design_name: 'Design',
  sales_order_id: 'Sales order',
  staff_name: 'Staff',
  agreed_delivery_date: 'Delivery agreed',
  purchase_order_id: 'Purchase order',
  week_start: 'From',
  month: 'From',
  is_complete: 'Complete',
  change_ratio: 'Change',
  amount_in: 'To us',
  amount_out: 'By us',
  amount_unpaid: 'Unpaid, both ways',
  amount_due: 'Due by now',
  created_date: 'Placed',
  recorded_at: 'Noticed',
  deleted_at: 'Deletion noticed',
  before_amount: 'Before',
  created_amount: 'Created',
  raised_amount: 'Raised',
  lowered_amount: 'Lowered',
  deleted_amount: 'Deleted',
  now_amount: 'After',
  payment_date: 'Due',
  payment_type: 'Type',
  id: 'Number',
  source_table: 'Order',
  what_changed: 'What changed',
  batch_id: 'Batch',
  days: 'Days promised',
  days_late: 'Days late',
  days_ahead: 'In days',
  hour: 'Hour (UTC)',
  day_of_week: 'Weekday',
  age_days: 'Days overdue',
}

/** Amounts of a row are in the one currency asked for, otherwise in the row's own. */
const AMOUNT: Unit = { currency: ['in_currency', 'currency_code'] }
/** Amounts of an order or payment, in an answer or in the fact itself. */
const OWN: Unit = { currency: ['currency_code', 'currency_id'] }

/** The units of numbers in answers and in facts. */
export const units: NonNullable<Dashboard['units']> = {
  ...unitOf(
    AMOUNT,
    'amount amount_before amount_in amount_out amount_in_before amount_out_before amount_unpaid',
  ),
  ...unitOf(AMOUNT, 'amount_net amount_due amount_sold amount_bought amount_now amount_then'),
  ...unitOf(AMOUNT, 'before_amount created_amount raised_amount lowered_amount deleted_amount'),
  ...unitOf(AMOUNT, 'now_amount department_amount order_amount difference'),
  ...unitOf(AMOUNT, 'average_price first_price last_price'),
  ...unitOf(AMOUNT, 'lowest_price lower_quartile median_price upper_quartile highest_price'),
  ...unitOf(OWN, 'own_amount own_amount_in own_amount_out unit_price item_unit_price'),
  payment_amount: { currency: ['payment_currency_code', 'currency_code', 'currency_id'] },
  rate: { currency: ['in_currency', 'quote_currency'] },
  ...unitOf('bags', 'units units_before units_last units_change units_now units_then units_sold'),
  ...unitOf('%', 'share cumulative_share change_ratio'),
  ...unitOf('items', 'quantity quantity_before item_quantity'),
}

/** Ids beside the name of the same thing, and positions that only sort. */
export const unlisted: NonNullable<Dashboard['unlisted']> = [
  'counterparty_id',
  'staff_id',
  'location_id',
  'age_position',
]

/** A design's name is a material. */
export const numbered: NonNullable<Dashboard['numbered']> = { design_name: 'design_id' }

function unitOf(unit: Unit, columns: string): Record<string, Unit> {
  return Object.fromEntries(columns.split(' ').map((column) => [column, unit]))
}

/** Where the cells of a column lead. */
export const links: Dashboard['links'] = {
  counterparty: '/counterparty?counterparty={counterparty_id}',
  sales_order_id: '/order/sales_order/{sales_order_id}',
  purchase_order_id: '/order/purchase_order/{purchase_order_id}',
  order_id: {
    by: 'order_kind',
    to: {
      sale: '/order/sales_order/{order_id}',
      purchase: '/order/purchase_order/{order_id}',
    },
  },
  payment_id: '/order/payment/{payment_id}',
  design_name: '/list/sales_order?design={design_id}',
  id: '/order/{source_table}/{id}',
  batch_id: '/run/{batch_id}',
}
