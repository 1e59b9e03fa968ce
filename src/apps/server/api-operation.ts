import type { Schema } from './json-schema.ts'

/** A header or a parameter: what it means, and its values. */
export interface DescribedValue {
  readonly description: string
  readonly schema: Schema
}

/** A parameter of an operation, in its path, its query or a header. */
export interface DescribedParameter extends DescribedValue {
  readonly name: string
  readonly in: 'path' | 'query' | 'header'
  readonly required: boolean
  readonly allowEmptyValue?: true
  readonly example: string | number
}

/** An answer of an operation, by its type. */
export interface DescribedAnswer {
  readonly description: string
  readonly headers?: Readonly<Record<string, DescribedValue>>
  readonly content?: Readonly<
    Record<string, { readonly schema: Schema; readonly example?: unknown }>
  >
}

/** What a request to an address does. */
export interface Operation {
  readonly operationId: string
  readonly tags: readonly [string]
  readonly summary: string
  readonly description?: string
  readonly parameters: readonly DescribedParameter[]
  readonly responses: Readonly<Record<string, DescribedAnswer>>
}
