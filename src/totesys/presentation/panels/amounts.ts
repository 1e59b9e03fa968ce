import type {
  CardsChart,
  ConversionChart,
  LeftOut,
  LinesChart,
} from '../../../platform/project/chart.ts'
import type { Panel } from '../../../platform/project/dashboard.ts'

/** A card a currency, compared with the period before. */
export const AGAINST_BEFORE = {
  kind: 'cards',
  by: 'currency_code',
  value: 'amount',
  before: 'amount_before',
  against: 'the period before',
  since: 'data_since',
} as const satisfies CardsChart

/** A line of amounts a currency, with a point a step. */
export const STEP_BY_STEP = {
  kind: 'lines',
  split: 'currency_code',
  x: 'week_start',
  y: 'amount',
  complete: 'is_complete',
  step: 'week',
} as const satisfies LinesChart

/** Orders without a rate, where amounts are converted into one currency. */
export const ORDERS_LEFT_OUT = {
  column: 'orders_unconverted',
  things: 'orders',
} as const satisfies LeftOut

/** The same, converted into one currency if the page asks for one. */
export const AMOUNTS_STEP_BY_STEP = {
  ...STEP_BY_STEP,
  leftOut: ORDERS_LEFT_OUT,
} as const satisfies LinesChart

/** A panel of amounts in one currency: shown once the filter *In one currency* is set. */
export const IN_ONE_CURRENCY = { needs: 'in', wide: true } as const satisfies Partial<Panel>

/** A card of amounts in one currency: the columns that all such questions have. */
export const CONVERTED = {
  kind: 'conversion',
  into: 'in_currency',
  against: 'the period before',
  since: 'data_since',
  currency: 'currency_code',
  rate: 'rate',
  rateDate: 'rate_date',
  isFilled: 'is_filled',
  daysOld: 'days_old',
  source: 'source',
} as const satisfies Partial<ConversionChart>

/** A card of orders in one currency. */
export const ORDERS_IN_ONE_CURRENCY = {
  ...CONVERTED,
  value: 'amount',
  before: 'amount_before',
  things: 'orders',
  unconverted: 'orders_unconverted',
  unconvertedBefore: 'orders_unconverted_before',
} as const satisfies ConversionChart

export const rates = {
  question: 'r01_rates',
  leads: {
    to: '/list/sales_order',
    set: { currency: 'currency_code' },
    span: { column: 'week_start', step: 'week' },
  },
  title: 'How did the rates develop?',
  ...IN_ONE_CURRENCY,
  note: 'What 1 of each currency costs, on the last day of the step that has a rate. The axes do not begin at zero.',
  empty: 'No rate is known for this period.',
  chart: { ...STEP_BY_STEP, y: 'rate', isRate: true },
} satisfies Panel
