import type { List, ListFilter } from '../../../platform/project/dashboard.ts'

const amount: ListFilter = { kind: 'range', name: 'amount', label: 'Amount' }

/** The states of an order. */
const orderState: ListFilter = {
  kind: 'fixed',
  name: 'state',
  label: 'State',
  all: 'All that exist',
  values: [
    { value: 'changed', label: 'Changed after they were placed' },
    { value: 'deleted', label: 'Deleted' },
  ],
}

/** The columns that sales and purchases have in common, with their types. */
const ORDER_SORTS = {
  created_date: 'date',
  counterparty: 'text',
  unit_price: 'numeric',
  currency_code: 'text',
  amount: 'numeric',
  staff_name: 'text',
  agreed_delivery_date: 'date',
  state: 'text',
} as const

const salesOrders: List = {
  name: 'sales_order',
  title: 'Sales orders',
  summary: 'Every sales order as it is now. Each leads to its versions and its payments.',
  sql: new URL('./list_sales_order.sql', import.meta.url),
  key: 'sales_order_id',
  columns: [
    'sales_order_id',
    'created_date',
    'counterparty',
    'design_name',
    'units',
    'unit_price',
    'currency_code',
    'amount',
    'staff_name',
    'agreed_delivery_date',
    'state',
  ],
  sorts: { ...ORDER_SORTS, sales_order_id: 'integer', design_name: 'text', units: 'integer' },
  sort: { column: 'created_date', isDescending: true },
  filters: ['period', 'currency', 'department', 'counterparty', 'design'],
  own: [
    { kind: 'text', name: 'search', label: 'Customer, design, staff or number' },
    orderState,
    amount,
  ],
  periodOf: 'order date',
  page: '/sales',
}

const purchaseOrders: List = {
  name: 'purchase_order',
  title: 'Purchase orders',
  summary: 'Every purchase order as it is now. Each leads to its versions and its payments.',
  sql: new URL('./list_purchase_order.sql', import.meta.url),
  key: 'purchase_order_id',
  columns: [
    'purchase_order_id',
    'created_date',
    'counterparty',
    'item_code',
    'quantity',
    'unit_price',
    'currency_code',
    'amount',
    'staff_name',
    'agreed_delivery_date',
    'state',
  ],
  sorts: { ...ORDER_SORTS, purchase_order_id: 'integer', item_code: 'text', quantity: 'integer' },
  sort: { column: 'created_date', isDescending: true },
  filters: ['period', 'currency', 'department', 'counterparty'],
  own: [
    { kind: 'text', name: 'search', label: 'Supplier, item, staff or number' },
    orderState,
    amount,
  ],
  periodOf: 'order date',
  page: '/purchases',
}

const payments: List = {
  name: 'payment',
  title: 'All payments',
  summary: 'Every payment as it is now: paid, due, or overdue and for how long.',
  sql: new URL('./list_payment.sql', import.meta.url),
  key: 'payment_id',
  columns: [
    'payment_id',
    'payment_date',
    'counterparty',
    'payment_type',
    'currency_code',
    'amount',
    'state',
    'days_late',
    'order_id',
  ],
  sorts: {
    payment_id: 'integer',
    payment_date: 'date',
    counterparty: 'text',
    payment_type: 'text',
    currency_code: 'text',
    amount: 'numeric',
    state: 'text',
  },
  sort: { column: 'payment_date', isDescending: true },
  filters: ['period', 'currency', 'counterparty'],
  own: [
    { kind: 'text', name: 'search', label: 'Counterparty, or number of a payment or order' },
    {
      kind: 'fixed',
      name: 'state',
      label: 'State',
      all: 'All that exist',
      values: [
        { value: 'unpaid', label: 'Unpaid' },
        { value: 'overdue', label: 'Overdue' },
        { value: 'soon', label: 'Due today or in the next 7 days' },
        { value: 'paid', label: 'Paid' },
        { value: 'deleted', label: 'Deleted' },
      ],
    },
    {
      kind: 'fixed',
      name: 'direction',
      label: 'Direction',
      all: 'To us and by us',
      values: [
        { value: 'in', label: 'To us' },
        { value: 'out', label: 'By us' },
      ],
    },
    amount,
  ],
  periodOf: 'due date',
  page: '/payments',
}

/** The lists of orders and payments. */
export const lists: readonly List[] = [salesOrders, purchaseOrders, payments]
