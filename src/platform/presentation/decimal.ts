/** Exact sums and products of decimal numbers as Postgres writes them. */

interface Decimal {
  readonly digits: bigint
  /** How many of the digits come after the point. */
  readonly scale: number
}

const WRITTEN = /^(?<sign>-?)(?<whole>\d+)(?:\.(?<rest>\d+))?$/

/** `a × b`, with the decimal places of both. Undefined if one of them is not a finite decimal. */
export function multiply(a: string | undefined, b: string | undefined): string | undefined {
  const [left, right] = [parse(a), parse(b)]
  if (left === undefined || right === undefined) return undefined
  return write({ digits: left.digits * right.digits, scale: left.scale + right.scale })
}

/** `a − b`, with the decimal places of the finer one. Undefined if one is not a finite decimal. */
export function subtract(a: string | undefined, b: string | undefined): string | undefined {
  const [left, right] = [parse(a), parse(b)]
  if (left === undefined || right === undefined) return undefined
  const scale = Math.max(left.scale, right.scale)
  const scaled = ({ digits, scale: own }: Decimal) => digits * 10n ** BigInt(scale - own)
  return write({ digits: scaled(left) - scaled(right), scale })
}

/**
 * The sum of decimal numbers, with the decimal places of the finest one; `0` of none. Throws
 * `SyntaxError` if one is not a finite decimal.
 */
export function addDecimals(numbers: readonly string[]): string {
  const scale = Math.max(0, ...numbers.map((text) => text.split('.')[1]?.length ?? 0))
  const digits = numbers.reduce((total, text) => {
    const [whole = '0', rest = ''] = text.split('.')
    return total + BigInt(whole + rest.padEnd(scale, '0'))
  }, 0n)
  return write({ digits, scale })
}

/**
 * A number as Postgres writes it, `1e-07` of a double too, without an exponent and with the same value.
 * Undefined if it is not finite, or not a number.
 */
export function withoutExponent(text: string): string | undefined {
  const {
    sign = '',
    whole,
    rest = '',
    power = '0',
  } = /^(?<sign>-?)(?<whole>\d+)(?:\.(?<rest>\d+))?(?:e(?<power>[+-]\d+))?$/.exec(text)?.groups ??
  {}
  if (whole === undefined) return undefined
  const scale = rest.length - Number(power)
  const digits = BigInt(sign + whole + rest)
  return scale < 0 ? String(digits * 10n ** BigInt(-scale)) : write({ digits, scale })
}

function parse(text: string | undefined): Decimal | undefined {
  const { sign = '', whole, rest = '' } = WRITTEN.exec(text ?? '')?.groups ?? {}
  return whole === undefined
    ? undefined
    : { digits: BigInt(sign + whole + rest), scale: rest.length }
}

function write({ digits, scale }: Decimal): string {
  const text = String(digits < 0n ? -digits : digits).padStart(scale + 1, '0')
  const sign = digits < 0n ? '-' : ''
  const point = text.length - scale
  return scale === 0 ? sign + text : `${sign}${text.slice(0, point)}.${text.slice(point)}`
}
