import type { Panel } from '../../../platform/project/dashboard.ts'

export const latestChanges = {
  question: 'overview_changes',
  leads: { to: '/order/{source_table}/{id}' },
  title: 'What changed lately?',
  wide: true,
  empty: 'No order or payment has changed yet. The next run brings in what changes in Totesys.',
  chart: {
    kind: 'table',
    limit: 18,
    columns: [
      'recorded_at',
      'change',
      'source_table',
      'id',
      'what_changed',
      'counterparty',
      'currency_code',
      'amount',
    ],
  },
} satisfies Panel

export const booksAsOf = {
  question: 's15_books_as_of',
  leads: { to: '/list/sales_order', set: { currency: 'currency_code' } },
  wide: true,
  empty: 'There were no sales then, and there are none now.',
  chart: {
    kind: 'cards',
    by: 'currency_code',
    value: 'amount_now',
    says: 'now',
    before: 'amount_then',
    against: 'then',
    more: ['orders_now', 'orders_then'],
  },
} satisfies Panel

export const valueChanges = {
  question: 's14_value_changes',
  leads: {
    to: '/list/sales_order?state=changed',
    set: { currency: 'currency_code' },
    isOtherPeriod: true,
  },
  wide: true,
  note: 'The axes do not begin at zero, so that small steps show.',
  chart: {
    kind: 'waterfall',
    split: 'currency_code',
    steps: [
      'before_amount',
      'created_amount',
      'raised_amount',
      'lowered_amount',
      'deleted_amount',
      'now_amount',
    ],
  },
} satisfies Panel

export const orderChanges = {
  question: 's10_order_changes',
  leads: { to: '/list/sales_order?state=changed', isOtherPeriod: true },
  wide: true,
  empty: 'No change of an order was noticed in this period. History begins with the first run.',
  chart: {
    kind: 'stacked',
    step: 'month',
    x: 'month',
    stack: 'field',
    value: 'changes',
    complete: 'is_complete',
  },
} satisfies Panel

export const amendedOrders = {
  question: 's17_amended_orders',
  leads: { to: '/order/sales_order/{sales_order_id}' },
  wide: true,
  empty: 'No amendment was noticed in this period.',
  chart: {
    kind: 'table',
    limit: 12,
    columns: [
      'recorded_at',
      'sales_order_id',
      'what_changed',
      'counterparty',
      'staff_name',
      'currency_code',
      'before_amount',
      'amount',
      'difference',
    ],
  },
} satisfies Panel

export const deletedOrders = {
  question: 's13_deleted_orders',
  leads: {
    to: '/list/sales_order?state=deleted',
    set: { currency: 'currency_code' },
    isOtherPeriod: true,
  },
  wide: true,
  empty: 'No deletion was noticed in this period.',
  chart: {
    kind: 'cards',
    by: 'currency_code',
    value: 'amount',
    sum: true,
    table: [
      'deleted_at',
      'sales_order_id',
      'counterparty',
      'design_name',
      'staff_name',
      'currency_code',
      'amount',
      'has_returned',
    ],
  },
} satisfies Panel
