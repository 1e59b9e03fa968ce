import type { Schema } from './json-schema.ts'

/** Why there is no answer, as `problemResponse` sends it. */
const PROBLEM: Schema = {
  type: 'object',
  properties: {
    type: { type: 'string', const: 'about:blank' },
    title: { type: 'string', description: 'The status in words.', examples: ['Bad Request'] },
    status: {
      type: 'integer',
      minimum: Number.MIN_SAFE_INTEGER,
      maximum: Number.MAX_SAFE_INTEGER,
      examples: [400],
    },
    code: {
      type: 'string',
      description: 'Stable name of the problem.',
      examples: ['UNKNOWN_PARAMETER'],
    },
    detail: {
      type: 'string',
      description: 'The problem in words.',
      examples: ['The parameter “limt” is unknown. Allowed parameters: limit, cursor'],
    },
    parameter: {
      description: 'The parameter that is refused, if that is the problem.',
      examples: ['limt'],
      type: 'string',
    },
    allowed: {
      description: 'The parameters that the address takes, if one is refused.',
      examples: [['limit', 'cursor']],
      type: 'array',
      items: { type: 'string' },
    },
  },
  required: ['type', 'title', 'status', 'code', 'detail'],
  additionalProperties: false,
  description: 'Why there is no answer.',
}

/** The schemas of the answers that every server gives, for a source and an API with these titles. */
export function describeSchemas({
  title,
  apiTitle,
}: {
  title: string
  apiTitle: string
}): Readonly<Record<string, Schema>> {
  return { Problem: PROBLEM, Health: describeHealth(title), Description: describeItself(apiTitle) }
}

function describeHealth(title: string): Schema {
  return {
    type: 'object',
    description: 'Says that the warehouse answers, and how fresh it is.',
    required: ['status', 'batch', 'completeTo', 'lagSeconds'],
    additionalProperties: false,
    properties: {
      status: {
        type: 'string',
        enum: ['fresh', 'late'],
        description: 'Whether the promise is kept.',
      },
      batch: { type: 'integer', description: 'The newest batch.', examples: [812] },
      completeTo: {
        type: 'string',
        format: 'date-time',
        description: `Everything committed in ${title} up to this moment is in the warehouse.`,
        examples: ['2025-11-23T09:42:05.123Z'],
      },
      lagSeconds: { type: 'number', description: 'How long ago that was.', examples: [42.5] },
    },
  }
}

function describeItself(apiTitle: string): Schema {
  return {
    type: 'object',
    description: 'An OpenAPI 3.1 document: this one.',
    required: ['openapi', 'info', 'paths', 'components'],
    properties: {
      openapi: { type: 'string', examples: ['3.1.1'] },
      info: {
        type: 'object',
        required: ['title', 'version'],
        properties: {
          title: { type: 'string', examples: [apiTitle] },
          version: { type: 'string', examples: ['0.1.0'] },
        },
      },
      paths: {
        type: 'object',
        description: 'The operations, by their path.',
        additionalProperties: { type: 'object', required: ['get'], properties: { get: true } },
      },
      components: {
        type: 'object',
        properties: { schemas: { type: 'object', additionalProperties: true } },
      },
    },
  }
}
