import type { Panel } from '../../../platform/project/dashboard.ts'
import {
  AGAINST_BEFORE,
  IN_ONE_CURRENCY,
  ORDERS_IN_ONE_CURRENCY,
  ORDERS_LEFT_OUT,
  AMOUNTS_STEP_BY_STEP,
} from './amounts.ts'

export const salesByCurrency = {
  question: 's01_sales_by_currency',
  leads: { to: '/list/sales_order', set: { currency: 'currency_code' } },
  wide: true,
  chart: { ...AGAINST_BEFORE, value: 'amount', more: ['orders', 'units'], moreIsBetter: true },
} satisfies Panel

export const salesInOneCurrency = {
  question: 's16_sales_in_one_currency',
  leads: { to: '/list/sales_order', set: { currency: 'currency_code' } },
  title: 'How much did we sell, all in one currency?',
  ...IN_ONE_CURRENCY,
  note: 'Each order is converted at the rate of the day it was placed, as known now.',
  chart: { ...ORDERS_IN_ONE_CURRENCY, moreIsBetter: true },
} satisfies Panel

export const salesByWeek = {
  question: 's02_sales_by_week',
  leads: {
    to: '/list/sales_order',
    set: { currency: 'currency_code' },
    span: { column: 'week_start', step: 'week' },
  },
  wide: true,
  chart: AMOUNTS_STEP_BY_STEP,
} satisfies Panel

export const bestDesigns = {
  question: 's03_best_designs',
  leads: { to: '/list/sales_order', set: { design: 'design_id' } },
  chart: { kind: 'bars', label: ['design_name', 'design_id'], value: 'units', limit: 15 },
} satisfies Panel

export const risingDesigns = {
  question: 's04_rising_designs',
  leads: { to: '/list/sales_order', set: { design: 'design_id' } },
  chart: {
    kind: 'dumbbell',
    label: ['design_name', 'design_id'],
    from: 'units_before',
    to: 'units_last',
    since: 'data_since',
    limit: 8,
  },
} satisfies Panel

export const salesByDepartment = {
  question: 's05_sales_by_staff',
  leads: { to: '/list/sales_order', set: { department: 'department', currency: 'currency_code' } },
  wide: true,
  note: 'By department; the table has every member of staff.',
  chart: {
    kind: 'bars',
    split: 'currency_code',
    label: ['department'],
    value: 'amount',
    sum: true,
    leftOut: ORDERS_LEFT_OUT,
  },
} satisfies Panel

export const biggestCustomers = {
  question: 's06_biggest_customers',
  leads: {
    to: '/list/sales_order',
    set: { counterparty: 'counterparty_id', currency: 'currency_code' },
  },
  wide: true,
  chart: {
    kind: 'pareto',
    split: 'currency_code',
    label: 'counterparty',
    value: 'amount',
    cumulative: 'cumulative_share',
    leftOut: ORDERS_LEFT_OUT,
    limit: 12,
  },
} satisfies Panel

export const salesByCountry = {
  question: 's07_sales_by_country',
  leads: { to: '/list/sales_order', set: { currency: 'currency_code' } },
  wide: true,
  chart: { kind: 'bars', split: 'currency_code', label: ['country'], value: 'amount', limit: 12 },
} satisfies Panel

export const salesByHour = {
  question: 's08_sales_by_hour',
  leads: { to: '/list/sales_order' },
  chart: { kind: 'heatmap', x: 'hour', y: 'day_of_week', yLabel: 'day_name', value: 'orders' },
} satisfies Panel

export const pricesByDesign = {
  question: 's09_prices_by_design',
  leads: { to: '/list/sales_order', set: { design: 'design_id', currency: 'currency_code' } },
  wide: true,
  note: 'These designs were ordered most.',
  chart: {
    kind: 'boxes',
    things: 'designs',
    measure: 'price',
    split: 'currency_code',
    label: ['design_name', 'design_id'],
    five: ['lowest_price', 'lower_quartile', 'median_price', 'upper_quartile', 'highest_price'],
    limit: 12,
  },
} satisfies Panel

export const deliveryPromise = {
  question: 's11_delivery_promise',
  leads: { to: '/list/sales_order' },
  chart: { kind: 'histogram', x: 'days', value: 'orders' },
} satisfies Panel
