import type { Context, MiddlewareHandler } from 'hono'
import { shorten } from '../format.ts'
import type { ServerEnv } from './access.ts'
import { ProblemError } from './problem.ts'

/** What the values of a parameter may be. */
export type ParameterValues =
  | { readonly kind: 'choice'; readonly values: readonly string[] }
  | {
      readonly kind: 'integer'
      readonly from: number
      readonly to: number
      /** Its value if it is absent. */
      readonly standard?: number
    }
  /** A day that exists, as `YYYY-MM-DD`. */
  | { readonly kind: 'day' }
  /** A moment as ISO 8601; in UTC if it names no zone. */
  | { readonly kind: 'moment' }
  /** A text of this pattern. `what` says in words what it is. */
  | { readonly kind: 'pattern'; readonly pattern: string; readonly what: string }
  /** Any text: the route itself says what is wrong with a value. */
  | { readonly kind: 'text' }

/** A parameter in the query of a route's address. The API's description is made from it too. */
export interface Parameter {
  readonly name: string
  /** What it does, in a sentence. */
  readonly description: string
  readonly example: string
  readonly values: ParameterValues
  /** Whether an empty value is the same as none, as forms send it. */
  readonly mayBeEmpty?: boolean
}

/** The largest value of an integer in Postgres. */
export const MAX_INTEGER = 2_147_483_647

/** The part of a moment after its day: a time, and the offset of its zone from UTC. */
const TIME =
  /^[T ]([01]\d|2[0-3]):[0-5]\d(:([0-5]\d|60)(\.\d+)?)?(Z|[+-](0\d|1[0-5])(:?[0-5]\d)?)?$/i
const DAY_OR_MOMENT = [{ format: 'date' }, { format: 'date-time' }]

/**
 * Lets a route take these parameters and no others: see `checkParameters`. Every route uses it, also
 * a route without parameters.
 */
export function takes(parameters: readonly Parameter[] = []): MiddlewareHandler<ServerEnv> {
  return async (c, next) => {
    checkParameters(c, parameters)
    await next()
  }
}

/**
 * Returns the parameters of a request by name, without empty ones. Throws `ProblemError` (400) that
 * names the parameter and lists those allowed: `UNKNOWN_PARAMETER`, `REPEATED_PARAMETER` (each may be
 * given once), or `BAD_FILTER` for a value that is not valid.
 */
export function checkParameters(
  c: Context,
  parameters: readonly Parameter[],
): ReadonlyMap<string, string> {
  const given = new Map<string, string>()
  const seen = new Set<string>()
  const refuse = (name: string, code: string, why: string): never => {
    throw refusal({ name, code, why, parameters })
  }
  for (const [name, value] of new URL(c.req.url).searchParams) {
    const parameter = parameters.find((each) => each.name === name)
    if (parameter === undefined) return refuse(name, 'UNKNOWN_PARAMETER', 'is unknown')
    if (seen.has(name)) return refuse(name, 'REPEATED_PARAMETER', 'may be given only once')
    seen.add(name)
    if (value === '' && parameter.mayBeEmpty === true) continue
    if (!isValid(parameter.values, value)) {
      return refuse(name, 'BAD_FILTER', `must be ${describeValues(parameter.values)}`)
    }
    given.set(name, value)
  }
  return given
}

/** The problem of a parameter: its name, why it is refused, and the parameters that are allowed. */
export function refusal({
  name,
  code,
  why,
  parameters,
}: {
  readonly name: string
  readonly code: string
  readonly why: string
  readonly parameters: readonly Parameter[]
}): ProblemError {
  const allowed = parameters.map((each) => each.name)
  const list =
    allowed.length === 0
      ? 'This address takes no parameters'
      : `Allowed parameters: ${allowed.join(', ')}`
  const parameter = shorten(name)
  return new ProblemError({
    status: 400,
    code,
    detail: `The parameter “${parameter}” ${why}. ${list}`,
    parameter,
    allowed,
  })
}

/** Whether a text is a value of a parameter. */
export function isValid(values: ParameterValues, text: string): boolean {
  if (values.kind === 'choice') return values.values.includes(text)
  if (values.kind === 'day') return isDay(text)
  if (values.kind === 'moment') return isMoment(text)
  if (values.kind === 'pattern') return new RegExp(values.pattern).test(text)
  if (values.kind === 'text') return true
  const isWhole = /^(0|[1-9]\d{0,9})$/.test(text)
  return isWhole && Number(text) >= values.from && Number(text) <= values.to
}

function isMoment(text: string): boolean {
  const time = text.slice(10)
  return isDay(text.slice(0, 10)) && (time === '' || TIME.test(time))
}

/** Whether a text is a day that exists, as `YYYY-MM-DD`. */
export function isDay(text: string): boolean {
  if (!/^\d{4}-\d\d-\d\d$/.test(text) || text.startsWith('0000')) return false
  const day = new Date(`${text}T00:00:00Z`)
  return !Number.isNaN(day.getTime()) && day.toISOString().startsWith(text)
}

const ONE_OF = new Intl.ListFormat('en-GB', { type: 'disjunction' })

/** What a value must be, in words: `a day that exists, as YYYY-MM-DD`. */
export function describeValues(values: ParameterValues): string {
  if (values.kind === 'choice') return ONE_OF.format(values.values)
  if (values.kind === 'day') return 'a day that exists, as YYYY-MM-DD'
  if (values.kind === 'moment') return 'a moment, as YYYY-MM-DDThh:mm:ssZ'
  if (values.kind === 'pattern') return values.what
  if (values.kind === 'text') return 'a text'
  return `a whole number from ${values.from} to ${values.to}`
}

/** The values of a parameter as a JSON Schema. */
export function schemaOf(values: ParameterValues): Readonly<Record<string, unknown>> {
  if (values.kind === 'choice') return { type: 'string', enum: values.values }
  if (values.kind === 'day') return { type: 'string', format: 'date' }
  // Other spellings of ISO 8601 are taken too.
  if (values.kind === 'moment') return { type: 'string', anyOf: DAY_OR_MOMENT }
  if (values.kind === 'pattern') return { type: 'string', pattern: values.pattern }
  if (values.kind === 'text') return { type: 'string' }
  const { from, to, standard } = values
  const bounds = { type: 'integer', minimum: from, maximum: to }
  return standard === undefined ? bounds : { ...bounds, default: standard }
}
