import type { Fact } from '../project/model.ts'
import { multiply } from './decimal.ts'
import type { FactVersion } from './history.ts'
import type { Names } from './names.ts'

/** What a version is worth: an exact decimal number in a currency. */
export interface Total {
  readonly amount: string
  /** Its code, or its number if that has no name. */
  readonly currency: string
}

/** What a version of a fact is worth. Undefined if the project declares no `worth`, or a value is missing. */
export function totalOf(
  { values }: FactVersion,
  { fact, names }: { fact: Fact; names: Names },
): Total | undefined {
  const worth = fact.telling?.worth
  if (worth === undefined) return undefined
  const { quantity, price, currency } = worth
  const amount = multiply(quantity === undefined ? '1' : values[quantity], values[price])
  const id = values[currency]
  if (amount === undefined || id === undefined) return undefined
  return { amount, currency: names.get(currency)?.get(id)?.name ?? id }
}
