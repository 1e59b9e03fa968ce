/** The part of JSON Schema that the description of the API uses. */
export interface Schema {
  readonly $ref?: string
  readonly type?: string
  readonly description?: string
  readonly format?: string
  readonly pattern?: string
  readonly minimum?: number
  readonly maximum?: number
  readonly default?: unknown
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly examples?: readonly unknown[]
  readonly required?: readonly string[]
  readonly properties?: Readonly<Record<string, Schema | true>>
  readonly additionalProperties?: Schema | boolean
  readonly items?: Schema
  readonly anyOf?: readonly Schema[]
}

/** An example of a schema, made from the examples of its parts. */
export function exampleOf(schema: Schema): unknown {
  if (schema.examples !== undefined) return schema.examples[0]
  if (schema.const !== undefined) return schema.const
  if (schema.enum !== undefined) return schema.enum[0]
  const [first] = schema.anyOf ?? []
  if (first !== undefined) return exampleOf(first)
  if (schema.items !== undefined) return [exampleOf(schema.items)]
  const parts = Object.entries(schema.properties ?? {})
  return Object.fromEntries(
    parts.map(([name, part]) => [name, part === true ? {} : exampleOf(part)]),
  )
}

/** A field of a schema: its path, such as `rows[].owner.name`, and what it holds. */
export interface SchemaField {
  readonly path: string
  readonly schema: Schema
}

/** Every field of a schema, in order. */
export function schemaFields(schema: Schema, place = ''): SchemaField[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, part]) => {
    if (part === true) return []
    const path = place + name
    const inner =
      part.items === undefined
        ? schemaFields(part, `${path}.`)
        : schemaFields(part.items, `${path}[].`)
    return [{ path, schema: part }, ...inner]
  })
}
