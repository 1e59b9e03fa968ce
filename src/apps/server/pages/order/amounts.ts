import { html } from 'hono/html'
import type { FactVersion } from '../../../../platform/presentation/history.ts'
import type { Names } from '../../../../platform/presentation/names.ts'
import { type Total, totalOf } from '../../../../platform/presentation/worth.ts'
import { formatDifference } from '../../../difference.ts'
import { formatDecimal } from '../../../format.ts'
import type { Markup } from '../../markup.ts'
import type { Fact } from '../../../../platform/project/model.ts'
import type { Unit } from '../../../../platform/project/dashboard.ts'
import { own } from '../../../../platform/project/named-record.ts'

type Version = FactVersion | undefined

/** What is needed to say an amount. */
export interface AmountContext {
  readonly fact: Fact
  readonly names: Names
  /** What the numbers of a column are in. */
  readonly units: Readonly<Record<string, Unit>>
}

const DECIMAL = /^-?\d+(\.\d+)?$/

/**
 * A number with its thousands grouped, and money with its currency: `6,481`, `GBP 2.93`. Undefined
 * for a column of which nobody has said what it is in, and for text.
 */
export function sayNumber(
  version: Version,
  column: string,
  context: AmountContext,
): string | undefined {
  const value = sayBareNumber(version, column, context)
  if (value === undefined) return undefined
  return `${currencyOfValue(version, column, context)} ${value}`.trim()
}

/** The same without its currency. */
export function sayBareNumber(
  version: Version,
  column: string,
  { units }: AmountContext,
): string | undefined {
  const value = version?.values[column]
  const isKnown = own(units, column) !== undefined && value !== undefined && DECIMAL.test(value)
  return isKnown ? formatDecimal(value) : undefined
}

/** The currency of the number in a column. Empty if it is not money. */
export function currencyOfValue(version: Version, column: string, context: AmountContext): string {
  const unit = own(context.units, column)
  return typeof unit === 'object' ? currencyOf(version, unit.currency, context) : ''
}

/** By how much a number changed, as `(+36)`. Empty for a column that is not a quantity. */
export function renderDifference(
  version: Version,
  before: Version,
  { column, context }: { column: string; context: AmountContext },
): Markup {
  if (own(context.units, column) === undefined) return html``
  return differenceOf(version?.values[column], before?.values[column])
}

function differenceOf(now: string | undefined, was: string | undefined): Markup {
  const difference = formatDifference(now, was)
  return difference === '' ? html`` : html` <span class="muted">(${difference})</span>`
}

/** What a version is worth: `total GBP 20,890.60`. Empty if a column of it says the same. */
export function describeTotal(version: Version, context: AmountContext): string {
  const total = productOf(version, context)
  return total === undefined ? '' : `total ${sayTotal(total)}`
}

/** How the worth changed, with the difference. Empty if it did not, or a column says the same. */
export function renderTotalChange(
  version: Version,
  before: Version,
  context: AmountContext,
): Markup {
  const [now, was] = [productOf(version, context), productOf(before, context)]
  if (now === undefined || was === undefined || sayTotal(now) === sayTotal(was)) return html``
  const by = now.currency === was.currency ? differenceOf(now.amount, was.amount) : ''
  return html` · total <del>${sayTotal(was)}</del> → <ins>${sayTotal(now)}</ins>${by}`
}

/** The worth of a version, if that is a quantity times a price. */
function productOf(version: Version, context: AmountContext): Total | undefined {
  const isProduct = context.fact.telling?.worth?.quantity !== undefined
  return isProduct && version !== undefined ? totalOf(version, context) : undefined
}

function sayTotal({ amount, currency }: Total): string {
  return `${currency} ${formatDecimal(amount)}`
}

/** The currency that the first of the columns names. Empty if the version has none of them. */
function currencyOf(
  version: Version,
  columns: readonly string[],
  { names }: AmountContext,
): string {
  const column = columns.find((name) => version?.values[name] !== undefined) ?? ''
  const value = version?.values[column] ?? ''
  return names.get(column)?.get(value)?.name ?? (/^[A-Z]{3}$/.test(value) ? value : '')
}
