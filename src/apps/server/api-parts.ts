import type { DescribedAnswer, DescribedParameter, DescribedValue } from './api-operation.ts'
import { exampleOf, type Schema } from './json-schema.ts'
import { type Parameter, schemaOf } from './parameters.ts'

type Headers = Readonly<Record<string, DescribedValue>>
type Answers = Readonly<Record<string, DescribedAnswer>>

/** What several operations of the API have in common, for their descriptions. */
export interface ApiParts {
  /** Headers of every answer that says how fresh it is. */
  readonly freshnessHeaders: Headers
  /** Headers of an answer that a client may keep and ask for again. */
  readonly cacheHeaders: Headers
  /** The answers to a request that is refused, by status. */
  readonly refusals: Answers
  /** The answer if the warehouse cannot be read. */
  readonly away: DescribedAnswer
  readonly readOnly: DescribedAnswer
  /** The answer to a client that has this content already. */
  readonly unchanged: DescribedAnswer
  readonly ifNoneMatch: DescribedParameter
  /** A schema by its name, with an example. */
  typed(name: string): { schema: Schema; example: unknown }
  /** An answer that says why there is none. */
  failure(description: string, headers?: Headers): DescribedAnswer
}

/** A header that is a text. */
export function describeHeader(description: string): DescribedValue {
  return { description, schema: { type: 'string' } }
}

/** A parameter that a route takes. The routes are made from the same declaration. */
export function describeParameter(
  parameter: Parameter,
  place: 'query' | 'path' = 'query',
): DescribedParameter {
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

/** The header with the tag of an answer. */
export const ETAG = describeHeader(
  'A hash of the content. The same content has the same tag in every batch.',
)

/** The parts for the description of an API over a source, with the schemas of all its answers. */
export function createApiParts({
  title,
  schemas,
}: {
  /** The name of the source for people. */
  title: string
  schemas: Readonly<Record<string, Schema>>
}): ApiParts {
  const freshnessHeaders = {
    'Tidemark-Complete-To': describeHeader(
      `The answer has everything committed in ${title} up to then.`,
    ),
    'Tidemark-Lag-Seconds': describeHeader('How long ago that was.'),
    'Tidemark-Is-Fresh': describeHeader('Whether the promise is kept: `true` or `false`.'),
  }
  const cacheHeaders = {
    ETag: ETAG,
    'Cache-Control': describeHeader(
      '`private, no-cache`: you may keep the answer; ask again with `If-None-Match`.',
    ),
    ...freshnessHeaders,
  }
  const typed: ApiParts['typed'] = (name) => ({
    schema: { $ref: `#/components/schemas/${name}` },
    example: exampleOf(schemas[name] ?? {}),
  })
  const failure: ApiParts['failure'] = (description, headers = {}) => ({
    description,
    headers,
    content: { 'application/problem+json': typed('Problem') },
  })
  const retryAfter = { 'Retry-After': describeHeader('Seconds to wait.') }
  return {
    freshnessHeaders,
    cacheHeaders,
    refusals: {
      400: failure('A parameter is unknown, given twice, or its value is not valid.'),
      401: failure('There is no valid token.', {
        'WWW-Authenticate': describeHeader('What is missing.'),
      }),
      403: failure('None of the groups in the token may read this.'),
      429: failure('Too many requests.', retryAfter),
    },
    away: failure('The warehouse is out of reach, or nothing is loaded yet.', retryAfter),
    readOnly: failure('The address can only be read.', { Allow: describeHeader('`GET, HEAD`') }),
    unchanged: {
      description: 'Nothing has changed; the headers say how fresh the answer is.',
      headers: cacheHeaders,
    },
    ifNoneMatch: {
      name: 'If-None-Match',
      in: 'header',
      required: false,
      description: 'The ETag of an earlier answer: 304 if nothing has changed since.',
      schema: { type: 'string' },
      example: 'W/"47DEQpj8HBSa-_TImW-5JCeuQeR"',
    },
    typed,
    failure,
  }
}
