import { TIME_STEPS } from '../../platform/project/chart.ts'
import type { Dashboard, Filter, Page } from '../../platform/project/dashboard.ts'
import { labels, links, numbered, units, unlisted } from './columns.ts'
import { lists } from './lists/lists.ts'
import { rates } from './panels/amounts.ts'
import {
  amendedOrders,
  booksAsOf,
  deletedOrders,
  latestChanges,
  orderChanges,
  valueChanges,
} from './panels/changes.ts'
import {
  biggestDebtors,
  daysLate,
  dueByWeek,
  lastPayments,
  nextPayments,
  nextPaymentsOfOne,
  overdueByAge,
  paymentMismatches,
  paymentMismatchesOfOne,
  paymentsByCurrency,
  paymentsInOneCurrency,
} from './panels/payments.ts'
import {
  arrivals,
  biggestSuppliers,
  bothWays,
  itemPrices,
  purchasesByCurrency,
  purchasesInOneCurrency,
  spendByWeek,
} from './panels/purchases.ts'
import {
  bestDesigns,
  biggestCustomers,
  deliveryPromise,
  pricesByDesign,
  risingDesigns,
  salesByCountry,
  salesByCurrency,
  salesByDepartment,
  salesByHour,
  salesByWeek,
  salesInOneCurrency,
} from './panels/sales.ts'
import { askWords, filterWords, orderWords, reservedPayments } from './words.ts'

const filters: readonly Filter[] = [
  { kind: 'period', name: 'period', label: 'Period' },
  choice('currency', { label: 'Currency', all: 'All currencies' }),
  choice('in', {
    label: 'In one currency',
    all: 'Each in its own',
    adds: 'No rate into it is known',
  }),
  choice('department', { label: 'Department', all: 'All departments' }),
  choice('counterparty', { label: 'Counterparty', all: 'All counterparties' }),
  choice('design', { label: 'Design', all: 'All designs' }),
  {
    kind: 'option',
    name: 'by',
    label: 'Draw by',
    values: TIME_STEPS.map((step) => ({
      value: step,
      label: `${step[0]?.toUpperCase()}${step.slice(1)}`,
    })),
    standard: { value: '', label: 'Each chart’s own step' },
  },
  {
    kind: 'option',
    name: 'against',
    label: 'Compare with',
    values: [
      { value: 'before', label: 'The period before' },
      { value: 'year', label: 'The same period last year' },
      { value: 'none', label: 'Nothing' },
    ],
    standard: { value: 'before', label: 'The period before' },
  },
  {
    kind: 'moment',
    name: 'as_of',
    label: 'As of',
    options: 'options_moment',
    standard: 'none',
  },
  {
    kind: 'moment',
    name: 'then',
    label: 'What the books said on',
    options: 'options_moment',
    standard: 'day-ago',
  },
]

const PAYMENT_FILTERS = ['period', 'by', 'against', 'currency', 'in', 'counterparty', 'as_of']
const PURCHASE_FILTERS = [
  'period',
  'by',
  'against',
  'currency',
  'in',
  'department',
  'counterparty',
  'as_of',
]
const SALES_FILTERS = [...PURCHASE_FILTERS.slice(0, -1), 'design', 'as_of']

const overview: Page = {
  path: '/',
  title: 'Overview',
  summary: 'Sales, purchases and due payments by currency, and what has changed lately.',
  filters: SALES_FILTERS,
  periodOf: 'order date, for payments the due date',
  panels: [
    { ...salesByCurrency, title: 'How much did we sell?' },
    salesInOneCurrency,
    { ...purchasesByCurrency, title: 'How much did we buy?' },
    purchasesInOneCurrency,
    paymentsByCurrency,
    paymentsInOneCurrency,
    rates,
    salesByWeek,
    latestChanges,
  ],
}

const sales: Page = {
  path: '/sales',
  title: 'Sales',
  summary: 'What was sold, by whom, to whom, and how well the promises are kept.',
  filters: SALES_FILTERS,
  periodOf: 'order date',
  related: [
    { title: 'The whole list', to: '/list/sales_order' },
    { title: 'Changed orders', to: '/list/sales_order?state=changed' },
    { title: 'Deleted orders', to: '/list/sales_order?state=deleted' },
  ],
  panels: [
    salesByCurrency,
    salesInOneCurrency,
    rates,
    salesByWeek,
    bestDesigns,
    risingDesigns,
    salesByDepartment,
    biggestCustomers,
    salesByCountry,
    salesByHour,
    deliveryPromise,
    pricesByDesign,
  ],
}

const changes: Page = {
  path: '/changes',
  title: 'Changes',
  summary:
    'What was amended or deleted after the fact, what it was worth, and what the books said.',
  filters: ['then', 'period', 'by', 'currency', 'department', 'counterparty', 'design'],
  periodOf: 'the day a change was noticed',
  panels: [booksAsOf, valueChanges, orderChanges, amendedOrders, deletedOrders],
}

const purchases: Page = {
  path: '/purchases',
  title: 'Purchases',
  summary: 'What is spent, with whom, at which prices, and what arrives next.',
  filters: PURCHASE_FILTERS,
  periodOf: 'order date',
  related: [
    { title: 'The whole list', to: '/list/purchase_order' },
    { title: 'Changed orders', to: '/list/purchase_order?state=changed' },
    { title: 'Deleted orders', to: '/list/purchase_order?state=deleted' },
  ],
  panels: [
    purchasesInOneCurrency,
    { ...rates, leads: { ...rates.leads, to: '/list/purchase_order' } },
    spendByWeek,
    biggestSuppliers,
    itemPrices,
    arrivals,
    bothWays,
  ],
}

const payments: Page = {
  path: '/payments',
  title: 'Payments',
  summary: 'What is due next, what fell due last, and what is still owed.',
  filters: PAYMENT_FILTERS,
  periodOf: 'due date',
  related: [
    { title: 'The whole list', to: '/list/payment' },
    { title: 'Overdue, with names and days late', to: '/list/payment?state=overdue' },
    { title: 'Due today or in the next 7 days', to: '/list/payment?state=soon&sort=payment_date' },
  ],
  panels: [
    paymentsInOneCurrency,
    { ...rates, leads: { ...rates.leads, to: '/list/payment' } },
    nextPayments,
    lastPayments,
    {
      ...dueByWeek,
      note: 'In above the line, out hatched below it. Pale bars are not over: what falls due later counts too.',
    },
    overdueByAge,
    {
      ...daysLate,
      wide: true,
      empty: 'No payment to us has been seen to turn paid in this period.',
    },
    biggestDebtors,
    paymentMismatches,
  ],
}

const NOTHING_BOUGHT = 'They bought nothing from us in this period.'

const counterparty: Page = {
  path: '/counterparty',
  title: 'Counterparty',
  summary: 'Everything with one business partner: both ways, over time, and what is owed.',
  filters: ['counterparty', 'period', 'by', 'against', 'currency', 'as_of'],
  periodOf: 'order date, for payments the due date',
  needs: 'counterparty',
  panels: [
    { ...salesByCurrency, title: 'What did they buy from us?', empty: NOTHING_BOUGHT },
    {
      ...purchasesByCurrency,
      title: 'What did we buy from them?',
      empty: 'We bought nothing from them in this period.',
    },
    { ...salesByWeek, title: 'How do sales to them develop?', empty: NOTHING_BOUGHT },
    {
      ...bestDesigns,
      title: 'Which designs do they buy?',
      empty: NOTHING_BOUGHT,
      chart: { ...bestDesigns.chart, limit: 12 },
    },
    {
      ...daysLate,
      title: 'Do they pay on time?',
      empty: 'No payment of theirs has been seen to turn paid in this period.',
    },
    {
      ...dueByWeek,
      title: 'What do they pay us, and we them, by due date?',
      empty: 'No payment to or from them is due in this period.',
    },
    nextPaymentsOfOne,
    paymentMismatchesOfOne,
  ],
}

/** Every business page; all other pages are the same for every project. */
export const dashboard: Dashboard = {
  questions: [new URL('./', import.meta.url), new URL('./pages/', import.meta.url)],
  pages: [overview, sales, changes, purchases, payments, counterparty],
  filters,
  labels,
  links,
  units,
  unlisted,
  numbered,
  lists,
  reserved: reservedPayments,
  facts: orderWords,
  ask: askWords,
  filterWords,
}

function choice(name: string, more: { label: string; all: string; adds?: string }): Filter {
  return { kind: 'choice', name, options: `options_${name}`, ...more }
}
