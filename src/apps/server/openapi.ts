import { paymentsAnswer, problem } from '../../totesys/payments/payments.ts'

const FRESHNESS_HEADERS = {
  'Tidemark-Complete-To': header('The answer has everything committed in Totesys up to then.'),
  'Tidemark-Lag-Seconds': header('How long ago that was.'),
  'Tidemark-Is-Fresh': header('Whether the promise is kept: `true` or `false`.'),
}

const CACHE_HEADERS = {
  ETag: header('Changes with the payments, and with the moment up to which they are complete.'),
  'Cache-Control': header(
    '`private, no-cache`: you may keep the answer; ask again with `If-None-Match`.',
  ),
  ...FRESHNESS_HEADERS,
}

/**
 * Describes the API as an OpenAPI 3.1 document. Its schemas also check the answers, so it always
 * says what is sent.
 */
export function describeApi({ version }: { version: string }) {
  return {
    openapi: '3.1.1',
    info: {
      title: 'Tidemark payments',
      version,
      description:
        'The scheduled payments of Totesys, read from the warehouse. Each answer says how fresh it is. ' +
        'Days are in UTC. Answers are JSON, errors are RFC 9457 problems.',
    },
    servers: [{ url: '/' }],
    security: [{ bearer: [] }, {}],
    tags: [{ name: 'payments' }, { name: 'operation' }],
    paths: {
      '/payments/last5': payments({
        operationId: 'lastPayments',
        summary: 'The last five payments that fell due',
        description:
          'Due today or before, newest first; on one day the highest id first. Paid or not.',
      }),
      '/payments/next5': payments({
        operationId: 'nextPayments',
        summary: 'The next five payments',
        description: 'Due after today, soonest first; on one day the lowest id first. Paid or not.',
      }),
      '/events': EVENTS,
      '/health': HEALTH,
    },
    components: {
      schemas: {
        PaymentsAnswer: jsonSchema(paymentsAnswer),
        Problem: jsonSchema(problem),
      },
      securitySchemes: {
        bearer: {
          type: 'http',
          scheme: 'bearer',
          bearerFormat: 'JWT',
          description:
            'Needed unless the server listens on its own machine only. The group `finance` may read ' +
            'the payments, `analyst` everything else.',
        },
      },
    },
  } as const
}

/** The description of the API, as `describeApi` returns it. */
export type ApiDescription = ReturnType<typeof describeApi>

function header(description: string) {
  return { description, schema: { type: 'string' } } as const
}

function failure(description: string, headers: Readonly<Record<string, object>> = {}) {
  return {
    description,
    headers,
    content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
  } as const
}

const RETRY_AFTER = { 'Retry-After': header('Seconds to wait.') }
const REFUSALS = {
  401: failure('No valid token.', { 'WWW-Authenticate': header('What is missing.') }),
  403: failure('None of the groups in the token may read this.'),
  429: failure('Too many requests.', RETRY_AFTER),
}
const AWAY = failure('The warehouse is out of reach, or nothing is loaded yet.', RETRY_AFTER)

const EVENTS = {
  get: {
    operationId: 'events',
    tags: ['operation'],
    summary: 'Follow every finished run',
    description:
      'Server-sent events: `head` with the batch and its freshness when a batch is loaded, ' +
      '`away` with a code when the warehouse cannot be read.',
    responses: {
      200: {
        description: 'A stream that stays open.',
        content: { 'text/event-stream': { schema: { type: 'string' } } },
      },
      ...REFUSALS,
    },
  },
} as const

const HEALTH = {
  get: {
    operationId: 'health',
    tags: ['operation'],
    summary: 'Whether the warehouse answers, and how fresh it is',
    responses: {
      200: {
        description: 'The warehouse answers; `late` if its data is older than promised.',
        headers: FRESHNESS_HEADERS,
        content: {
          'application/json': {
            schema: {
              type: 'object',
              required: ['status', 'batch', 'completeTo', 'lagSeconds'],
              properties: {
                status: { enum: ['fresh', 'late'] },
                batch: { type: 'integer' },
                completeTo: { type: 'string', format: 'date-time' },
                lagSeconds: { type: 'number' },
              },
            },
          },
        },
      },
      ...REFUSALS,
      503: AWAY,
    },
  },
} as const

function payments(words: { operationId: string; summary: string; description: string }) {
  return {
    get: {
      ...words,
      tags: ['payments'],
      parameters: [
        {
          name: 'If-None-Match',
          in: 'header',
          required: false,
          description: 'The ETag of an earlier answer: 304 if nothing has changed since.',
          schema: { type: 'string' },
        },
      ],
      responses: {
        200: {
          description: 'Up to five payments.',
          headers: CACHE_HEADERS,
          content: {
            'application/json': { schema: { $ref: '#/components/schemas/PaymentsAnswer' } },
          },
        },
        304: {
          description: 'Nothing has changed; the headers say how fresh the answer is.',
          headers: CACHE_HEADERS,
        },
        ...REFUSALS,
        405: failure('Payments can only be read.', { Allow: header('`GET, HEAD`') }),
        503: AWAY,
      },
    },
  } as const
}

/** A schema without `$schema`: OpenAPI 3.1 itself says which JSON Schema it uses. */
function jsonSchema(schema: { toJSONSchema(): object }): object {
  const { $schema: _, ...rest } = schema.toJSONSchema() as { $schema?: string }
  return rest
}
