import * as z from 'zod'
import type { Row } from '../../platform/presentation/cursor.ts'

/** The answers about payments, checked before they are sent. The API's description is made from them. */

const id = z
  .int()
  .describe('The id of the payment in Totesys.')
  .meta({ examples: [57] })

/** The fields of a payment, without its id. */
const facts = {
  date: z.iso
    .date()
    .describe('The day it is due.')
    .meta({ examples: ['2025-11-23'] }),
  amount: z
    .string()
    .regex(/^-?\d+\.\d{2}$/)
    .describe('The amount in its currency, as decimal text, so that no digit is lost.')
    .meta({ examples: ['172046.25'] }),
  currency: z
    .string()
    .describe('ISO 4217 code; amounts in different currencies must not be added.')
    .meta({ examples: ['EUR'] }),
  type: z
    .string()
    .describe('What it is for.')
    .meta({ examples: ['SALES_RECEIPT'] }),
  paid: z
    .boolean()
    .describe('Whether it has been paid.')
    .meta({ examples: [false] }),
  counterparty: z
    .object({
      id: z
        .int()
        .describe('Its id in Totesys.')
        .meta({ examples: [3] }),
      name: z
        .string()
        .describe('Its legal name.')
        .meta({ examples: ['Price LLC'] }),
    })
    .describe('The business partner who pays or is paid.'),
}

const payment = z
  .object({ id, ...facts })
  .describe('The present state of a payment that is scheduled in Totesys.')

const freshness = z
  .object({
    batch: z
      .int()
      .describe('The newest batch in the warehouse.')
      .meta({ examples: [812] }),
    completeTo: z.iso
      .datetime()
      .describe('Everything committed in Totesys up to this moment is in the answer.')
      .meta({ examples: ['2025-11-23T09:42:05.123Z'] }),
    lagSeconds: z
      .number()
      .nonnegative()
      .describe('How long before the answer that moment was.')
      .meta({ examples: [42.5] }),
    promiseSeconds: z
      .number()
      .positive()
      .describe('The promised maximum for the lag.')
      .meta({ examples: [1800] }),
    isFresh: z
      .boolean()
      .describe('Whether the promise is kept.')
      .meta({ examples: [true] }),
  })
  .describe('How old the answer is: a proven bound, not an estimate.')

export const paymentsAnswer = z
  .object({ payments: z.array(payment).max(5), freshness })
  .describe('Up to five payments. The list may be empty.')

export const paymentPage = z
  .object({
    payments: z.array(payment),
    next: z
      .string()
      .nullable()
      .describe('Give it as `cursor`, with the same filters, to read on. Null at the end.')
      .meta({ examples: ['eyJleGFtcGxlIjoxfQ'] }),
  })
  .describe('Payments, ordered by day and id. The list may be empty.')

const moment = z
  .string()
  .regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/)
  .meta({ examples: ['2025-11-03T09:42:05.123000Z'] })

const values = z
  .object({
    ...facts,
    transactionId: z
      .int()
      .describe('The transaction that it belongs to.')
      .meta({ examples: [57] }),
    createdAt: moment.describe('When it was created in Totesys.'),
    lastUpdated: moment.describe('When Totesys says that it was last changed.'),
  })
  .describe('The values of the version. Names are those in use now.')

const version = z
  .object({
    version: z
      .int()
      .describe('1 for the first version that was captured.')
      .meta({ examples: [2] }),
    operation: z
      .enum(['insert', 'update', 'delete'])
      .describe('How the version came about. A deletion has the last known values.')
      .meta({ examples: ['update'] }),
    validFrom: moment.describe('When it was captured.'),
    validTo: moment.nullable().describe('When the next version was captured. Null for the newest.'),
    batch: z
      .int()
      .describe('The batch that captured it.')
      .meta({ examples: [12] }),
    changed: z
      .array(values.keyof())
      .describe('The names of the values that differ from the version before.')
      .meta({ examples: [['paid', 'lastUpdated']] }),
    values,
  })
  .describe('One state that the payment has been in.')

export const paymentHistory = z
  .object({
    id,
    ...facts,
    isDeleted: z
      .boolean()
      .describe('Whether it was deleted in Totesys. Its values are then the last known ones.')
      .meta({ examples: [false] }),
    versions: z.array(version).min(1).describe('Every version, oldest first.'),
  })
  .describe('A payment with every version of it that was captured.')

export type Payment = z.infer<typeof payment>
export type PaymentsAnswer = z.infer<typeof paymentsAnswer>
export type PaymentPage = z.infer<typeof paymentPage>
export type PaymentHistory = z.infer<typeof paymentHistory>

/**
 * The payments in a question's rows (`y01_last_payments`, `y02_next_payments`, `payments`), in their
 * order. Throws `ZodError` if a row is not a payment, which is a bug in the question.
 */
export function parsePayments(rows: readonly Row[]): Payment[] {
  return rows.map((row) => payment.parse(paymentIn(row)))
}

/**
 * The payment with its versions in the rows of `payment_versions`; undefined if there are none. Throws
 * `ZodError` if a row is not a version, which is a bug in the question.
 */
export function parseHistory(rows: readonly Row[]): PaymentHistory | undefined {
  const last = rows.at(-1)
  if (last === undefined) return undefined
  const versions: PaymentHistory['versions'] = []
  for (const row of rows) {
    const [transactionId, createdAt, lastUpdated, number, operation, validFrom, validTo, batch] =
      row.slice(PAYMENT_COLUMNS)
    const { id: _, ...said } = paymentIn(row)
    const own = values.parse({
      ...said,
      transactionId: Number(transactionId),
      createdAt,
      lastUpdated,
    })
    versions.push(
      version.parse({
        version: Number(number),
        operation,
        validFrom,
        validTo,
        batch: Number(batch),
        changed: changedIn(own, versions.at(-1)?.values),
        values: own,
      }),
    )
  }
  const isDeleted = versions.at(-1)?.operation === 'delete'
  return paymentHistory.parse({ ...paymentIn(last), isDeleted, versions })
}

/** How many columns of a row are the payment itself. */
const PAYMENT_COLUMNS = 8

function paymentIn([number, date, amount, currency, type, paid, counterparty, name]: Row) {
  return {
    id: Number(number),
    date,
    amount,
    currency,
    type,
    paid: paid === 't',
    counterparty: { id: Number(counterparty), name },
  }
}

type Values = PaymentHistory['versions'][number]['values']

function changedIn(own: Values, before: Values | undefined): (keyof Values)[] {
  if (before === undefined) return []
  return values
    .keyof()
    .options.filter((name) => JSON.stringify(own[name]) !== JSON.stringify(before[name]))
}
