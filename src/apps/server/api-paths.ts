import type { Question } from '../../platform/presentation/question.ts'
import { XLSX_MAX_ROWS, XLSX_TYPE } from '../../platform/presentation/xlsx.ts'
import { formatCount } from '../format.ts'
import type {
  DescribedAnswer,
  DescribedParameter,
  DescribedValue,
  Operation,
} from './api-operation.ts'
import { SCHEMAS } from './api-schemas.ts'
import { exampleOf, type Schema } from './json-schema.ts'
import { type Parameter, schemaOf } from './parameters.ts'
import { PAYMENT_ID, PAYMENT_PARAMETERS } from './payment-parameters.ts'
import { questionParameters } from './question-parameters.ts'

function header(description: string): DescribedValue {
  return { description, schema: { type: 'string' } }
}

const FRESHNESS_HEADERS = {
  'Tidemark-Complete-To': header('The answer has everything committed in Totesys up to then.'),
  'Tidemark-Lag-Seconds': header('How long ago that was.'),
  'Tidemark-Is-Fresh': header('Whether the promise is kept: `true` or `false`.'),
}
const ETAG = header('A hash of the content. The same content has the same tag in every batch.')
const CACHE_HEADERS = {
  ETag: ETAG,
  'Cache-Control': header(
    '`private, no-cache`: you may keep the answer; ask again with `If-None-Match`.',
  ),
  ...FRESHNESS_HEADERS,
}
const PAGE_HEADERS = {
  ...CACHE_HEADERS,
  Vary: header('`Accept` among others: the answer depends on it.'),
}
const LINK = { Link: header('The address of the next page, as `rel="next"`. Absent at the end.') }
const RETRY_AFTER = { 'Retry-After': header('Seconds to wait.') }

function failure(
  description: string,
  headers: Readonly<Record<string, DescribedValue>> = {},
): DescribedAnswer {
  return { description, headers, content: { 'application/problem+json': typed('Problem') } }
}

/** A schema by its name, with an example. */
function typed(name: string): { schema: Schema; example: unknown } {
  const schema = SCHEMAS[name] ?? {}
  return { schema: { $ref: `#/components/schemas/${name}` }, example: exampleOf(schema) }
}

const BAD_REQUEST = failure('A parameter is unknown, given twice, or its value is not valid.')
const REFUSALS = {
  400: BAD_REQUEST,
  401: failure('There is no valid token.', { 'WWW-Authenticate': header('What is missing.') }),
  403: failure('None of the groups in the token may read this.'),
  429: failure('Too many requests.', RETRY_AFTER),
}
const AWAY = failure('The warehouse is out of reach, or nothing is loaded yet.', RETRY_AFTER)
const READ_ONLY = failure('The address can only be read.', { Allow: header('`GET, HEAD`') })
const PAYMENT_REFUSALS = {
  ...REFUSALS,
  405: READ_ONLY,
  503: AWAY,
}
const UNCHANGED = {
  description: 'Nothing has changed; the headers say how fresh the answer is.',
  headers: CACHE_HEADERS,
}

const IF_NONE_MATCH: DescribedParameter = {
  name: 'If-None-Match',
  in: 'header',
  required: false,
  description: 'The ETag of an earlier answer: 304 if nothing has changed since.',
  schema: { type: 'string' },
  example: 'W/"47DEQpj8HBSa-_TImW-5JCeuQeR"',
}

/** A parameter that a route takes. The routes are made from the same declaration. */
function describe(parameter: Parameter, place: 'query' | 'path' = 'query'): DescribedParameter {
  const { name, description, example, values, mayBeEmpty = false } = parameter
  return {
    name,
    in: place,
    required: place === 'path',
    description,
    ...(mayBeEmpty ? { allowEmptyValue: true } : {}),
    schema: schemaOf(values),
    example: values.kind === 'integer' ? Number(example) : example,
  }
}

const CSV_EXAMPLE =
  'id,date,amount,currency,type,paid,counterparty_id,counterparty\r\n' +
  '57,2025-11-23,172046.25,EUR,SALES_RECEIPT,f,3,Price LLC\r\n'

function five(words: Pick<Operation, 'operationId' | 'summary' | 'description'>): Operation {
  return {
    ...words,
    tags: ['payments'],
    parameters: [IF_NONE_MATCH],
    responses: {
      200: {
        description: 'Up to five payments.',
        headers: CACHE_HEADERS,
        content: { 'application/json': typed('PaymentsAnswer') },
      },
      304: UNCHANGED,
      ...PAYMENT_REFUSALS,
    },
  }
}

/** The operations of the API by path, without the questions. */
export const PATHS: Readonly<Record<string, { get: Operation }>> = {
  '/payments': {
    get: {
      operationId: 'payments',
      tags: ['payments'],
      summary: 'All payments, a page at a time',
      description:
        'Ordered by day and id. Read on with `next` until it is null: no payment is missed or ' +
        'comes twice, even if others arrive meanwhile. `Accept` chooses JSON or CSV; a browser, ' +
        'which asks for `text/html`, gets the page of the dashboard.',
      parameters: [...PAYMENT_PARAMETERS.map((each) => describe(each)), IF_NONE_MATCH],
      responses: {
        200: {
          description: 'The payments that meet the filters.',
          headers: { ...PAGE_HEADERS, ...LINK },
          content: {
            'application/json': typed('PaymentPage'),
            'text/csv': { schema: { type: 'string' }, example: CSV_EXAMPLE },
          },
        },
        304: { ...UNCHANGED, headers: { ...PAGE_HEADERS, ...LINK } },
        ...PAYMENT_REFUSALS,
        406: failure('`Accept` allows neither JSON, CSV nor HTML.'),
      },
    },
  },
  '/payments/last5': {
    get: five({
      operationId: 'lastPayments',
      summary: 'The last five payments that fell due',
      description:
        'Due today or before, newest first; on one day the highest id first. Paid or not.',
    }),
  },
  '/payments/next5': {
    get: five({
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
      parameters: [describe(PAYMENT_ID, 'path'), IF_NONE_MATCH],
      responses: {
        200: {
          description: 'The payment, and every version of it that was captured.',
          headers: CACHE_HEADERS,
          content: { 'application/json': typed('PaymentHistory') },
        },
        304: UNCHANGED,
        ...PAYMENT_REFUSALS,
        404: failure('No version of such a payment was captured.'),
      },
    },
  },
  '/events': {
    get: {
      operationId: 'events',
      tags: ['operation'],
      summary: 'Follow every finished run',
      description:
        'Server-sent events: `head` with the batch and its freshness when a batch is loaded, ' +
        '`away` with a code when the warehouse cannot be read.',
      parameters: [],
      responses: {
        200: {
          description: 'A stream that stays open.',
          content: {
            'text/event-stream': {
              schema: { type: 'string' },
              example: 'event: away\ndata: {"code":"WAREHOUSE_UNREACHABLE"}\n\n',
            },
          },
        },
        ...REFUSALS,
        405: READ_ONLY,
      },
    },
  },
  '/health': {
    get: {
      operationId: 'health',
      tags: ['operation'],
      summary: 'Whether the warehouse answers, and how fresh it is',
      parameters: [],
      responses: {
        200: {
          description: 'The warehouse answers; `late` if its data is older than promised.',
          headers: FRESHNESS_HEADERS,
          content: { 'application/json': typed('Health') },
        },
        ...REFUSALS,
        405: READ_ONLY,
        503: AWAY,
      },
    },
  },
  '/openapi.json': {
    get: {
      operationId: 'description',
      tags: ['operation'],
      summary: 'This description',
      parameters: [IF_NONE_MATCH],
      responses: {
        200: {
          description: 'The description of the API.',
          headers: { ETag: ETAG },
          content: { 'application/json': typed('Description') },
        },
        304: { description: 'Nothing has changed.', headers: { ETag: ETAG } },
        ...REFUSALS,
        405: READ_ONLY,
      },
    },
  },
}

/** The operation that answers a question as CSV. */
export function describeQuestion(question: Question): Operation {
  const { name, title, grain, unit, access } = question
  const notes = [
    `Grain: ${grain}`,
    ...(unit === undefined ? [] : [`Unit: ${unit}`]),
    ...(access === undefined ? [] : [`Only the group ${access} may see it.`]),
  ]
  return {
    operationId: name,
    tags: ['questions'],
    summary: title,
    description: notes.join(' '),
    parameters: questionParameters(question).map((each) => describe(each)),
    responses: {
      200: {
        description: 'All rows, header first, in UTF-8 with a byte order mark.',
        content: { 'text/csv': { schema: { type: 'string' } } },
      },
      ...REFUSALS,
      405: READ_ONLY,
      503: AWAY,
    },
  }
}

/** The operation that answers a question for Excel: the same rows, with the same parameters. */
export function describeWorkbook(question: Question): Operation {
  const operation = describeQuestion(question)
  return {
    ...operation,
    operationId: `${operation.operationId}_xlsx`,
    responses: {
      ...operation.responses,
      200: {
        description: `All rows as a workbook for Excel, at most ${formatCount(XLSX_MAX_ROWS)}.`,
        content: { [XLSX_TYPE]: { schema: { type: 'string', format: 'binary' } } },
      },
    },
  }
}
