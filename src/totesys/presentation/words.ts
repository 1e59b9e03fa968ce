import type {
  AskWords,
  FactWords,
  FilterWords,
  Reserved,
} from '../../platform/project/dashboard.ts'

/** Only the group `finance` may see payments. */
export const reservedPayments: Reserved = {
  group: 'finance',
  what: 'the payments',
  paths: ['/payments', '/order/payment', '/list/payment'],
  event: 'payments_read',
}

export const orderWords: FactWords = {
  path: '/order',
  title: 'Order',
  find: 'Find an order',
  summary: 'Every order and payment with all its versions, deleted ones too.',
}

export const askWords: AskWords = {
  first: `select currency_code, count(*) as orders, sum(units_sold) as units
from fact_sales_order_current
inner join dim_currency using (currency_id)
group by currency_code
order by currency_code
`,
  groups: { s: 'Sales', p: 'Purchases', y: 'Payments', o: 'Operations' },
}

export const filterWords: Readonly<Record<string, FilterWords>> = {
  currency: { description: 'Only this currency (ISO 4217).', example: 'GBP' },
  in: { description: 'The currency to convert into (ISO 4217).', example: 'GBP' },
  counterparty: { description: 'Only the counterparty with this id.', example: '3' },
  department: { description: 'Only the department of this name.', example: 'Sales' },
  ids: { description: 'Ids by dimension, as JSON.', example: '{"dim_staff": ["1"]}' },
  design: { description: 'Only the design with this id.', example: '3' },
}
