import { html } from 'hono/html'
import type { FactVersion } from '../../../../platform/presentation/history.ts'
import type { Names } from '../../../../platform/presentation/names.ts'
import { formatDecimal } from '../../../format.ts'
import { addDecimals, multiplyDecimals } from '../../charts/answer-table.ts'
import type { Markup } from '../../markup.ts'
import type { Fact } from '../../../../platform/project/model.ts'
import type { Unit } from '../../../../platform/project/dashboard.ts'

type Version = FactVersion | undefined

/** What is needed to say an amount. */
export interface AmountContext {
  readonly fact: Fact
  readonly names: Names
  /** What the numbers of a column are in. */
  readonly units: Readonly<Record<string, Unit>>
  /** The columns whose product is what a fact is worth, by the source table of the fact. */
  readonly totals: Readonly<Record<string, readonly string[]>>
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
  const isKnown = units[column] !== undefined && value !== undefined && DECIMAL.test(value)
  return isKnown ? formatDecimal(value) : undefined
}

/** The currency of the number in a column. Empty if it is not money. */
export function currencyOfValue(version: Version, column: string, context: AmountContext): string {
  const unit = context.units[column]
  return typeof unit === 'object' ? currencyOf(version, unit.currency, context) : ''
}

/** By how much a number changed, as `(+36)`. Empty for a column that is not a quantity. */
export function renderDifference(
  version: Version,
  before: Version,
  { column, context }: { column: string; context: AmountContext },
): Markup {
  if (context.units[column] === undefined) return html``
  return differenceOf(version?.values[column], before?.values[column])
}

function differenceOf(now = '', was = ''): Markup {
  if (!DECIMAL.test(now) || !DECIMAL.test(was)) return html``
  const negated = was.startsWith('-') ? was.slice(1) : `-${was}`
  const difference = addDecimals([now, negated])
  const sign = difference.startsWith('-') ? '' : '+'
  return html` <span class="muted">(${sign}${formatDecimal(difference)})</span>`
}

/** What a version is worth: `total GBP 20,890.60`. Empty if its project says no total. */
export function describeTotal(version: Version, context: AmountContext): string {
  const total = totalOf(version, context)
  return total === undefined ? '' : `total ${sayTotal(version, total, context)}`
}

/** How the worth changed, with the difference. Empty if it did not, or is not known. */
export function renderTotalChange(
  version: Version,
  before: Version,
  context: AmountContext,
): Markup {
  const [now, was] = [totalOf(version, context), totalOf(before, context)]
  const [sayNow, sayWas] = [now, was].map((total, place) =>
    total === undefined ? '' : sayTotal(place === 0 ? version : before, total, context),
  )
  if (now === undefined || was === undefined || sayNow === sayWas) return html``
  return html` · total <del>${sayWas}</del> → <ins>${sayNow}</ins>${differenceOf(now, was)}`
}

function totalOf(version: Version, { fact, totals }: AmountContext): string | undefined {
  const factors = totals[fact.from]?.map((column) => version?.values[column] ?? '') ?? []
  if (factors.length === 0 || !factors.every((factor) => DECIMAL.test(factor))) return undefined
  return multiplyDecimals(factors)
}

/** A total in the currency of the factor that is money. */
function sayTotal(version: Version, total: string, context: AmountContext): string {
  const [columns = []] = (context.totals[context.fact.from] ?? []).flatMap((column) => {
    const unit = context.units[column]
    return typeof unit === 'object' ? [unit.currency] : []
  })
  return `${currencyOf(version, columns, context)} ${formatDecimal(total)}`.trim()
}

/** The currency that the first of the columns names. Empty if the version has none of them. */
function currencyOf(
  version: Version,
  columns: readonly string[],
  { names }: AmountContext,
): string {
  const column = columns.find((name) => version?.values[name] !== undefined) ?? ''
  const value = version?.values[column] ?? ''
  return names.get(column)?.get(value) ?? (/^[A-Z]{3}$/.test(value) ? value : '')
}
