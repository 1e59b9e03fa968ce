import type { FactVersion } from '../../platform/presentation/history.ts'
import type { Names } from '../../platform/presentation/names.ts'
import { totalOf } from '../../platform/presentation/worth.ts'
import type { Fact } from '../../platform/project/model.ts'
import { formatDifference } from '../difference.ts'
import { formatDecimal } from '../format.ts'
import { onOneLine } from './terminal-text.ts'
import { own } from '../../platform/project/named-record.ts'

/** What is needed to show versions of a fact in people's words. */
export interface TellingContext {
  readonly fact: Fact
  readonly names: Names
}

/** The content of a version, part by part: its worth, then its columns in the project's words. */
export function tellContent(version: FactVersion, context: TellingContext): string[] {
  const { telling } = context.fact
  const { values } = version
  const columns = telling === undefined ? Object.keys(values) : Object.keys(telling.words)
  const total = totalOf(version, context)
  if (telling?.worth === undefined || total === undefined) {
    return columns.map((column) => tellColumn(version, { ...context, column }))
  }
  const { quantity, price, currency } = telling.worth
  const rest = columns.filter((column) => ![quantity, price, currency].includes(column))
  const sum = `${formatDecimal(total.amount)} ${total.currency}`
  const product =
    quantity === undefined
      ? sum
      : `${show(version, { ...context, column: quantity })} ${wordFor(quantity, context)} × ${show(version, { ...context, column: price })} = ${sum}`
  return [product, ...rest.map((column) => tellColumn(version, { ...context, column }))]
}

/**
 * Every column of a version on a line of its own, under the warehouse's names, with its whole value.
 * `mark` styles the columns that differ from the version before.
 */
export function tellFully(
  { values, changed }: FactVersion,
  { names, mark }: TellingContext & { readonly mark: (line: string) => string },
): string[] {
  const width = Math.max(0, ...Object.keys(values).map((column) => column.length))
  return Object.entries(values).map(([column, value]) => {
    const name = value === undefined ? undefined : names.get(column)?.get(value)?.name
    const shown = value === undefined ? '∅' : onOneLine(value)
    const line = `${column.padEnd(width)}  ${shown}${name === undefined ? '' : ` (${onOneLine(name)})`}`
    return changed.includes(column) ? mark(`    ~ ${line}`) : `      ${line}`
  })
}

/** What changed since the version before, part by part: old → new, and by how much. */
export function tellChanges(
  version: FactVersion,
  before: FactVersion,
  context: TellingContext,
): string[] {
  const { telling } = context.fact
  const order = Object.keys(telling?.words ?? {})
  const rank = (column: string) => (order.includes(column) ? order.indexOf(column) : order.length)
  const amounts = new Set([telling?.worth?.quantity, telling?.worth?.price])
  const parts = version.changed
    .toSorted((a, b) => rank(a) - rank(b))
    .map((column) => {
      const at = { ...context, column }
      const by = amounts.has(column)
        ? tellDifference(version.values[column], before.values[column])
        : ''
      return `${wordFor(column, context)} ${show(before, at)} → ${show(version, at)}${by}`
    })
  const told = version.changed.filter((column) => order.includes(column)).length
  const total = tellTotal(version, before, context)
  return [...parts.slice(0, told), ...(total === undefined ? [] : [total]), ...parts.slice(told)]
}

/** How the total changed, unless a changed column says the same already. */
function tellTotal(
  version: FactVersion,
  before: FactVersion,
  context: TellingContext,
): string | undefined {
  const [now, then] = [totalOf(version, context), totalOf(before, context)]
  if (now === undefined || then === undefined) return undefined
  const isSame = now.currency === then.currency
  if (context.fact.telling?.worth?.quantity === undefined && isSame) return undefined
  if (isSame && now.amount === then.amount) return undefined
  const by = isSame ? tellDifference(now.amount, then.amount) : ''
  const old = `${formatDecimal(then.amount)}${isSame ? '' : ` ${then.currency}`}`
  return `total ${old} → ${formatDecimal(now.amount)} ${now.currency}${by}`
}

function tellDifference(now: string | undefined, then: string | undefined): string {
  const difference = formatDifference(now, then)
  return difference === '' ? '' : ` (${difference})`
}

type Place = TellingContext & { readonly column: string }

function tellColumn(version: FactVersion, place: Place): string {
  return `${wordFor(place.column, place)} ${show(version, place)}`
}

function wordFor(column: string, { fact }: TellingContext): string {
  return own(fact.telling?.words, column) ?? column
}

/** A value as people read it: its name with the number, an amount with its digits grouped. */
function show({ values }: FactVersion, { fact, names, column }: Place): string {
  const value = values[column]
  if (value === undefined) return '∅'
  const name = names.get(column)?.get(value)?.name
  if (name !== undefined) {
    return column === fact.telling?.worth?.currency ? name : `${name} (${value})`
  }
  const { quantity, price } = fact.telling?.worth ?? {}
  return column === quantity || column === price ? formatDecimal(value) : value
}
