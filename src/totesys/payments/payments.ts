import * as z from 'zod'
import type { Row } from '../../platform/presentation/cursor.ts'

/** The answers of `GET /payments/last5` and `/payments/next5`, checked before they are sent. */

const payment = z
  .object({
    id: z
      .int()
      .describe('The id of the payment in Totesys.')
      .meta({ examples: [57] }),
    date: z.iso
      .date()
      .describe('The day it is due.')
      .meta({ examples: ['2025-11-23'] }),
    amount: z
      .string()
      .regex(/^-?\d+\.\d{2}$/)
      .describe(
        'The amount in that currency, as a decimal number in a text, so that no digit is lost.',
      )
      .meta({ examples: ['172046.25'] }),
    currency: z
      .string()
      .describe('ISO 4217 code; amounts in different currencies must not be added.')
      .meta({ examples: ['EUR'] }),
    type: z
      .string()
      .describe('What it is for.')
      .meta({ examples: ['SALES_RECEIPT'] }),
    paid: z.boolean().describe('Whether it has been paid.'),
    counterparty: z.object({
      id: z.int(),
      name: z
        .string()
        .describe('Its legal name.')
        .meta({ examples: ['Price LLC'] }),
    }),
  })
  .describe('The present state of a payment that is scheduled in Totesys.')

const freshness = z
  .object({
    batch: z.int().describe('The newest batch in the warehouse.'),
    completeTo: z.iso
      .datetime()
      .describe('Everything committed in Totesys up to this moment is in the answer.'),
    lagSeconds: z.number().nonnegative().describe('How long ago that was when it was answered.'),
    promiseSeconds: z.number().positive().describe('The promised maximum for the lag.'),
    isFresh: z.boolean().describe('Whether the promise is kept.'),
  })
  .describe('How old the answer is: a proven bound, not an estimate.')

export const paymentsAnswer = z
  .object({ payments: z.array(payment).max(5), freshness })
  .describe('Up to five payments. The list may be empty.')

/** RFC 9457. */
export const problem = z
  .object({
    type: z.literal('about:blank'),
    title: z.string().describe('The status in words.'),
    status: z.int(),
    code: z
      .string()
      .describe('Stable name of the problem.')
      .meta({ examples: ['WAREHOUSE_EMPTY'] }),
    detail: z.string().describe('The problem in words.'),
  })
  .describe('Why there is no answer.')

export type Payment = z.infer<typeof payment>
export type PaymentsAnswer = z.infer<typeof paymentsAnswer>
export type Problem = z.infer<typeof problem>

/**
 * The payments in a question's rows (`y01_last_payments`, `y02_next_payments`), in their order.
 * Throws `ZodError` if a row is not a payment, which is a bug in the question.
 */
export function parsePayments(rows: readonly Row[]): Payment[] {
  return rows.map(([id, date, amount, currency, type, paid, counterpartyId, counterparty]) =>
    payment.parse({
      id: Number(id),
      date,
      amount,
      currency,
      type,
      paid: paid === 't',
      counterparty: { id: Number(counterpartyId), name: counterparty },
    }),
  )
}
