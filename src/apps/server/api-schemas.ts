import {
  paymentHistory,
  paymentPage,
  paymentsAnswer,
  problem,
} from '../../totesys/payments/payments.ts'
import type { Schema } from './json-schema.ts'

/** The schemas of the API's answers. Those of payments and problems also check what is sent. */
export const SCHEMAS: Readonly<Record<string, Schema>> = {
  PaymentsAnswer: jsonSchema(paymentsAnswer),
  PaymentPage: jsonSchema(paymentPage),
  PaymentHistory: jsonSchema(paymentHistory),
  Problem: jsonSchema(problem),
  Health: {
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
        description: 'Everything committed in Totesys up to this moment is in the warehouse.',
        examples: ['2025-11-23T09:42:05.123Z'],
      },
      lagSeconds: { type: 'number', description: 'How long ago that was.', examples: [42.5] },
    },
  },
  Description: {
    type: 'object',
    description: 'An OpenAPI 3.1 document: this one.',
    required: ['openapi', 'info', 'paths', 'components'],
    properties: {
      openapi: { type: 'string', examples: ['3.1.1'] },
      info: {
        type: 'object',
        required: ['title', 'version'],
        properties: {
          title: { type: 'string', examples: ['Tidemark payments'] },
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
  },
}

/** A schema without `$schema`: OpenAPI 3.1 itself says which JSON Schema it uses. */
function jsonSchema(schema: { toJSONSchema(): object }): Schema {
  const { $schema: _, ...rest } = schema.toJSONSchema() as { $schema?: string }
  return rest
}
