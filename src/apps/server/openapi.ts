import { paymentsAnswer, problem } from '../../totesys/payments/payments.ts'

const FRESHNESS_HEADERS = {
  'Tidemark-Complete-To': header('Everything committed in Totesys up to then is in the answer.'),
  'Tidemark-Lag-Seconds': header('How long ago that was.'),
  'Tidemark-Is-Fresh': header('Whether the promise is kept: `true` or `false`.'),
}

const CACHE_HEADERS = {
  ETag: header('Changes with the payments and with the moment they are complete to.'),
  'Cache-Control': header('`private, no-cache`: keep it, but ask again with `If-None-Match`.'),
  ...FRESHNESS_HEADERS,
}

/**
 * The API as an OpenAPI 3.1 document. The schemas are those the answers are checked with, so it
 * cannot say anything else than what is sent.
 */
export function describeApi({ version }: { version: string }) {
  return {
    openapi: '3.1.1',
    info: {
      title: 'Tidemark payments',
      version,
      description:
        'The scheduled payments of Totesys, from the warehouse, each answer with its proven freshness. ' +
        'Days are days in UTC. Always JSON; errors are RFC 9457 problems.',
    },
    servers: [{ url: '/' }],
    security: [{ bearer: [] }, {}],
    tags: [{ name: 'payments' }, { name: 'operation' }],
    paths: {
      '/payments/last5': payments({
        operationId: 'lastPayments',
        summary: 'The five payments that fell due last',
        description:
          'Due today or before, newest first; on one day the highest id first. Paid or not.',
      }),
      '/payments/next5': payments({
        operationId: 'nextPayments',
        summary: 'The next five payments',
        description: 'Due after today, soonest first; on one day the lowest id first. Paid or not.',
      }),
      '/events': {
        get: {
          operationId: 'events',
          tags: ['operation'],
          summary: 'Hear of every finished run',
          description:
            'Server-sent events: `head` with batch and freshness whenever the warehouse has moved, ' +
            '`away` with a code when it cannot be read.',
          responses: {
            200: {
              description: 'A stream that stays open.',
              content: { 'text/event-stream': { schema: { type: 'string' } } },
            },
            ...REFUSALS,
          },
        },
      },
      '/health': {
        get: {
          operationId: 'health',
          tags: ['operation'],
          summary: 'Whether the warehouse answers, and how fresh it is',
          responses: {
            200: {
              description: 'It answers; `late` when it is older than promised.',
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
      },
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
            'Needed unless the server listens to its own machine alone. The group `finance` may read ' +
            'the payments, `analyst` everything else.',
        },
      },
    },
  } as const
}

/** What `describeApi` makes, for those that show it. */
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
  403: failure('The token names no group that may read this.'),
  429: failure('Too many requests.', RETRY_AFTER),
}
const AWAY = failure('The warehouse is away, or nothing was loaded yet.', RETRY_AFTER)

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
          description: 'The ETag of an earlier answer: 304 when there is no other.',
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
        304: { description: 'As before; the headers say how fresh.', headers: CACHE_HEADERS },
        ...REFUSALS,
        405: failure('Payments can only be read.', { Allow: header('`GET, HEAD`') }),
        503: AWAY,
      },
    },
  } as const
}

/** OpenAPI 3.1 speaks the same JSON Schema, and says so itself. */
function jsonSchema(schema: { toJSONSchema(): object }): object {
  const { $schema: _, ...rest } = schema.toJSONSchema() as { $schema?: string }
  return rest
}
