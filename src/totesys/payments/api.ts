import type { Operation } from '../../apps/server/api-operation.ts'
import { type ApiParts, describeHeader, describeParameter } from '../../apps/server/api-parts.ts'
import type { Schema } from '../../apps/server/json-schema.ts'
import { PAYMENT_ID, PAYMENT_PARAMETERS } from './parameters.ts'
import { paymentHistory, paymentPage, paymentsAnswer } from './payments.ts'

/** The schemas of the answers about payments. They also check what is sent. */
export const paymentSchemas: Readonly<Record<string, Schema>> = {
  PaymentsAnswer: jsonSchema(paymentsAnswer),
  PaymentPage: jsonSchema(paymentPage),
  PaymentHistory: jsonSchema(paymentHistory),
}

const CSV_EXAMPLE =
  'id,date,amount,currency,type,paid,counterparty_id,counterparty\r\n' +
  '57,2025-11-23,172046.25,EUR,SALES_RECEIPT,f,3,Price LLC\r\n'

/** The operations of the payments API, by path. */
export function describePayments(parts: ApiParts): Readonly<Record<string, { get: Operation }>> {
  const { cacheHeaders, unchanged, ifNoneMatch, typed, failure } = parts
  const all = refusalsOf(parts)
  const pageHeaders = {
    ...cacheHeaders,
    Vary: describeHeader('`Accept` among others: the answer depends on it.'),
  }
  const link = {
    Link: describeHeader('The address of the next page, as `rel="next"`. Absent at the end.'),
  }
  return {
    '/payments': {
      get: {
        operationId: 'payments',
        tags: ['payments'],
        summary: 'All payments, a page at a time',
        description:
          'Ordered by day and id. Read on with `next` until it is null: no payment is missed or ' +
          'comes twice, even if others arrive meanwhile. `Accept` chooses JSON or CSV; a browser, ' +
          'which asks for `text/html`, gets the page of the dashboard.',
        parameters: [...PAYMENT_PARAMETERS.map((each) => describeParameter(each)), ifNoneMatch],
        responses: {
          200: {
            description: 'The payments that meet the filters.',
            headers: { ...pageHeaders, ...link },
            content: {
              'application/json': typed('PaymentPage'),
              'text/csv': { schema: { type: 'string' }, example: CSV_EXAMPLE },
            },
          },
          304: { ...unchanged, headers: { ...pageHeaders, ...link } },
          ...all,
          406: failure('`Accept` allows neither JSON, CSV nor HTML.'),
        },
      },
    },
    '/payments/last5': {
      get: describeFive(parts, {
        operationId: 'lastPayments',
        summary: 'The last five payments that fell due',
        description:
          'Due today or before, newest first; on one day the highest id first. Paid or not.',
      }),
    },
    '/payments/next5': {
      get: describeFive(parts, {
        operationId: 'nextPayments',
        summary: 'The next five payments',
        description: 'Due after today, soonest first; on one day the lowest id first. Paid or not.',
      }),
    },
    '/payments/{id}': {
      get: {
        operationId: 'payment',
        tags: ['payments'],
        summary: 'One payment with all its versions',
        description: 'Deleted payments are found too, and say so.',
        parameters: [describeParameter(PAYMENT_ID, 'path'), ifNoneMatch],
        responses: {
          200: {
            description: 'The payment, and every version of it that was captured.',
            headers: cacheHeaders,
            content: { 'application/json': typed('PaymentHistory') },
          },
          304: unchanged,
          ...all,
          404: failure('No version of such a payment was captured.'),
        },
      },
    },
  }
}

function refusalsOf({ refusals, readOnly, away }: ApiParts): Operation['responses'] {
  return { ...refusals, 405: readOnly, 503: away }
}

function describeFive(
  parts: ApiParts,
  words: Pick<Operation, 'operationId' | 'summary' | 'description'>,
): Operation {
  const { cacheHeaders, unchanged, ifNoneMatch, typed } = parts
  return {
    ...words,
    tags: ['payments'],
    parameters: [ifNoneMatch],
    responses: {
      200: {
        description: 'Up to five payments.',
        headers: cacheHeaders,
        content: { 'application/json': typed('PaymentsAnswer') },
      },
      304: unchanged,
      ...refusalsOf(parts),
    },
  }
}

/** A schema without `$schema`: OpenAPI 3.1 itself says which JSON Schema it uses. */
function jsonSchema(schema: { toJSONSchema(): object }): Schema {
  const { $schema: _, ...rest } = schema.toJSONSchema() as { $schema?: string }
  return rest
}
