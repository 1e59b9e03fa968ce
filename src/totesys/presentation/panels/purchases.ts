import type { Panel } from '../../../platform/project/dashboard.ts'
import {
  AGAINST_BEFORE,
  IN_ONE_CURRENCY,
  ORDERS_IN_ONE_CURRENCY,
  ORDERS_LEFT_OUT,
  AMOUNTS_STEP_BY_STEP,
} from './amounts.ts'

export const purchasesByCurrency = {
  question: 'overview_purchases',
  leads: { to: '/list/purchase_order', set: { currency: 'currency_code' } },
  wide: true,
  chart: { ...AGAINST_BEFORE, more: ['orders', 'quantity'] },
} satisfies Panel

export const purchasesInOneCurrency = {
  question: 'p06_purchases_in_one_currency',
  leads: { to: '/list/purchase_order', set: { currency: 'currency_code' } },
  title: 'How much did we buy, all in one currency?',
  ...IN_ONE_CURRENCY,
  note: 'Each order is converted at the rate of the day it was placed, as known now.',
  chart: ORDERS_IN_ONE_CURRENCY,
} satisfies Panel

export const spendByWeek = {
  question: 'p01_spend_by_week',
  leads: {
    to: '/list/purchase_order',
    set: { currency: 'currency_code' },
    span: { column: 'week_start', step: 'week' },
  },
  wide: true,
  chart: AMOUNTS_STEP_BY_STEP,
} satisfies Panel

export const biggestSuppliers = {
  question: 'p02_biggest_suppliers',
  leads: {
    to: '/list/purchase_order',
    set: { counterparty: 'counterparty_id', currency: 'currency_code' },
  },
  wide: true,
  chart: {
    kind: 'bars',
    split: 'currency_code',
    label: ['counterparty'],
    value: 'amount',
    leftOut: ORDERS_LEFT_OUT,
    limit: 12,
  },
} satisfies Panel

export const itemPrices = {
  question: 'p03_item_prices',
  leads: {
    to: '/list/purchase_order',
    set: { search: 'item_code', currency: 'currency_code' },
    span: { column: 'month', step: 'month' },
  },
  wide: true,
  note: 'The average price paid for one item. The greatest rise comes first.',
  empty: 'No item was bought in two different steps, so there is no price to compare.',
  chart: {
    kind: 'lines',
    split: 'item_code',
    x: 'month',
    y: 'average_price',
    complete: 'is_complete',
    step: 'month',
    limit: 6,
  },
} satisfies Panel

export const arrivals = {
  question: 'p04_arrivals',
  leads: { to: '/order/purchase_order/{purchase_order_id}' },
  wide: true,
  empty: 'Nothing is due to arrive in the next 14 days.',
  chart: {
    kind: 'table',
    columns: [
      'delivery_date',
      'days_ahead',
      'city',
      'country',
      'counterparty',
      'purchase_order_id',
      'item_code',
      'quantity',
    ],
  },
} satisfies Panel

export const bothWays = {
  question: 'p05_both_ways',
  leads: {
    to: '/counterparty',
    set: { counterparty: 'counterparty_id', currency: 'currency_code' },
  },
  wide: true,
  note: 'The right shows what we sold to them. The left, hatched, shows what we bought from them.',
  empty: 'No counterparty both bought from us and sold to us in this period.',
  chart: {
    kind: 'diverging',
    split: 'currency_code',
    label: 'counterparty',
    in: 'amount_sold',
    out: 'amount_bought',
    limit: 12,
  },
} satisfies Panel
