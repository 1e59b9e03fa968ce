import { identifier } from '../io/sql.ts'
import type { Fact, Reference } from '../project/model.ts'

/** A reference from this batch's versions of a fact to a dimension. */
export interface NamedDimension {
  readonly fact: Fact
  readonly reference: Reference
  /** Relation of the versions. */
  readonly relation: string
}

/** SQL of the keys that a reference names, under the names of the dimension's key. */
export function selectNamed(
  { reference: { columns }, relation }: NamedDimension,
  key: readonly string[],
): string {
  const named = key.map((name, place) => {
    return `${identifier(columns[place] ?? '')} as ${identifier(name)}`
  })
  const present = columns.map((column) => `${identifier(column)} is not null`).join(' and ')
  return `select ${named.join(', ')} from ${relation} where ${present}`
}
