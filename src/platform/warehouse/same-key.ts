import { identifier } from '../io/sql.ts'
import type { Model } from '../project/model.ts'

/** SQL condition that two rows with these aliases have the same key. */
export function haveSameKey({ key }: Pick<Model, 'key'>, a: string, b: string): string {
  return key.map((name) => `${a}.${identifier(name)} = ${b}.${identifier(name)}`).join(' and ')
}
