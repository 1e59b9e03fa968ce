import { subtract } from '../platform/presentation/decimal.ts'
import { formatDecimal } from './format.ts'

/** By how much a decimal number changed, exactly: `+36`. Empty if either text is not a number. */
export function formatDifference(now: string | undefined, then: string | undefined): string {
  const difference = subtract(now, then)
  if (difference === undefined) return ''
  return `${difference.startsWith('-') ? '' : '+'}${formatDecimal(difference)}`
}
