import type { Panel } from '../../../platform/project/dashboard.ts'
import { AGAINST_BEFORE, CONVERTED, IN_ONE_CURRENCY } from './amounts.ts'

export const paymentsByCurrency = {
  question: 'overview_payments',
  leads: { to: '/list/payment', set: { currency: 'currency_code' } },
  title: 'Which payments fell due, to us and from us?',
  wide: true,
  chart: {
    ...AGAINST_BEFORE,
    value: 'amount_in',
    says: 'to us',
    before: 'amount_in_before',
    more: ['amount_out', 'amount_unpaid'],
  },
} satisfies Panel

export const paymentsInOneCurrency = {
  question: 'y08_payments_in_one_currency',
  leads: { to: '/list/payment', set: { currency: 'currency_code' } },
  title: 'Which payments fell due, all in one currency?',
  ...IN_ONE_CURRENCY,
  note: 'Each payment is converted at the rate of the day it was due, as known now.',
  chart: {
    ...CONVERTED,
    value: 'amount_in',
    says: 'to us',
    before: 'amount_in_before',
    more: ['amount_out', 'amount_unpaid'],
    things: 'payments',
    unconverted: 'payments_unconverted',
    unconvertedBefore: 'payments_unconverted_before',
  },
} satisfies Panel

/** The columns of a list of payments; a counterparty's own page leaves out the counterparty. */
const PAYMENT_COLUMNS = ['payment_type', 'currency_code', 'amount', 'paid'] as const

export const nextPayments = {
  question: 'y02_next_payments',
  leads: { to: '/list/payment?state=soon&sort=payment_date' },
  title: 'Next five scheduled payments',
  empty: 'No payment is due after today.',
  chart: { kind: 'table', columns: ['payment_date', 'counterparty', ...PAYMENT_COLUMNS] },
} satisfies Panel

export const nextPaymentsOfOne = {
  question: nextPayments.question,
  leads: nextPayments.leads,
  title: 'Next five payments to or from them',
  wide: true,
  empty: 'No payment to or from them is due after today.',
  chart: { kind: 'table', columns: ['payment_date', ...PAYMENT_COLUMNS] },
} satisfies Panel

export const lastPayments = {
  question: 'y01_last_payments',
  leads: { to: '/list/payment' },
  title: 'Last five scheduled payments',
  empty: 'No payment has been due yet.',
  chart: nextPayments.chart,
} satisfies Panel

export const dueByWeek = {
  question: 'y03_due_by_week',
  leads: {
    to: '/list/payment',
    set: { currency: 'currency_code' },
    span: { column: 'week_start', step: 'week' },
  },
  wide: true,
  chart: {
    kind: 'diverging',
    split: 'currency_code',
    label: 'week_start',
    in: 'amount_in',
    out: 'amount_out',
    step: 'week',
    complete: 'is_complete',
    leftOut: { column: 'payments_unconverted', things: 'payments' },
  },
} satisfies Panel

export const overdueByAge = {
  question: 'y04_overdue_by_age',
  leads: {
    to: '/list/payment?state=unpaid',
    set: { direction: 'direction', currency: 'currency_code', from: 'due_from', to: 'due_to' },
  },
  wide: true,
  note: 'By days overdue. A payment is unpaid until Totesys marks it as paid. Not every one is a real debt: some are marked late, and some never.',
  empty: 'Nothing is overdue.',
  chart: {
    kind: 'bars',
    split: 'currency_code',
    label: ['age_days'],
    value: 'amount',
    side: { column: 'direction', hatched: 'out' },
  },
} satisfies Panel

export const daysLate = {
  question: 'y05_days_late',
  leads: { to: '/list/payment?direction=in' },
  chart: { kind: 'histogram', x: 'days_late', value: 'payments', other: 'never paid' },
} satisfies Panel

export const biggestDebtors = {
  question: 'y06_biggest_debtors',
  leads: {
    to: '/list/payment?state=unpaid&direction=in',
    set: { counterparty: 'counterparty_id', currency: 'currency_code' },
  },
  wide: true,
  note: 'Solid bars are due by today. Pale bars are due later.',
  empty: 'Nobody owes us anything.',
  chart: {
    kind: 'bars',
    split: 'currency_code',
    label: ['counterparty'],
    value: 'amount',
    part: 'amount_due',
    limit: 12,
  },
} satisfies Panel

/** The columns of a list of orders whose payment does not fit, before and after the counterparty. */
const MISMATCHED_ORDER = ['problem', 'order_kind', 'order_id', 'created_date'] as const
const MISMATCHED_AMOUNTS = [
  'currency_code',
  'order_amount',
  'payment_amount',
  'difference',
] as const

export const paymentMismatches = {
  question: 'y07_payment_mismatches',
  leads: {
    to: '/list/payment',
    set: { search: 'order_id', counterparty: 'counterparty_id' },
    isOtherPeriod: true,
  },
  wide: true,
  note: 'Here the period is when the order was placed.',
  empty: 'Every order in this period has the payment it should have.',
  chart: {
    kind: 'table',
    limit: 12,
    columns: [...MISMATCHED_ORDER, 'counterparty', ...MISMATCHED_AMOUNTS],
  },
} satisfies Panel

export const paymentMismatchesOfOne = {
  ...paymentMismatches,
  title: 'Which of their orders have no payment, or a different amount?',
  chart: { ...paymentMismatches.chart, columns: [...MISMATCHED_ORDER, ...MISMATCHED_AMOUNTS] },
} satisfies Panel
