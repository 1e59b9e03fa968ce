import { MAX_INTEGER, type Parameter } from '../../apps/server/parameters.ts'

/** The parameters that choose payments. A cursor is bound to them. */
export const PAYMENT_FILTERS: readonly Parameter[] = [
  {
    name: 'direction',
    description: '`in`: owed to us. `out`: owed by us.',
    example: 'in',
    values: { kind: 'choice', values: ['in', 'out'] },
  },
  {
    name: 'currency',
    description: 'Payments in this currency (ISO 4217).',
    example: 'GBP',
    values: { kind: 'pattern', pattern: '^[A-Z]{3}$', what: 'three capital letters, such as GBP' },
  },
  {
    name: 'counterparty',
    description: 'Payments from or to the counterparty with this id.',
    example: '3',
    values: { kind: 'integer', from: 1, to: MAX_INTEGER },
  },
  {
    name: 'paid',
    description: '`true`: paid. `false`: not paid.',
    example: 'false',
    values: { kind: 'choice', values: ['true', 'false'] },
  },
  {
    name: 'due_from',
    description: 'Payments due on this day or later.',
    example: '2025-11-01',
    values: { kind: 'day' },
  },
  {
    name: 'due_to',
    description: 'Payments due on this day or earlier.',
    example: '2025-11-30',
    values: { kind: 'day' },
  },
  {
    name: 'overdue',
    description: '`true`: unpaid and due before today, in UTC. `false`: all others.',
    example: 'true',
    values: { kind: 'choice', values: ['true', 'false'] },
  },
]

/** How many payments are on a page, and how many may be. */
export const PAGE_SIZE = { standard: 50, most: 500 } as const

/** The parameters of `GET /payments` as JSON and CSV. */
export const PAYMENT_PARAMETERS: readonly Parameter[] = [
  ...PAYMENT_FILTERS,
  {
    name: 'limit',
    description: 'How many payments at most.',
    example: '50',
    values: { kind: 'integer', from: 1, to: PAGE_SIZE.most, standard: PAGE_SIZE.standard },
  },
  {
    name: 'cursor',
    description:
      'Where to read on: `next` from the page before. Give the same filters with it; the limit may differ.',
    example: 'eyJleGFtcGxlIjoxfQ',
    values: {
      kind: 'pattern',
      pattern: '^[A-Za-z0-9_-]{1,200}$',
      what: '`next` from another page',
    },
  },
]

/** The id in `/payments/{id}`. */
export const PAYMENT_ID: Parameter = {
  name: 'id',
  description: 'The id of the payment in Totesys.',
  example: '57',
  values: { kind: 'integer', from: 1, to: MAX_INTEGER },
}
