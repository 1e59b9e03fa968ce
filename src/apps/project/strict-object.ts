import * as z from 'zod'
import { nearestName } from '../../platform/project/nearest-name.ts'

/** The parts of a type, each with a schema: none is forgotten, and none is made up. */
export type PartsOf<T> = { readonly [Name in keyof Required<T>]: z.ZodType }

/**
 * A schema for an object with these parts and no other. It says which part is unknown, and which one
 * may have been meant.
 */
export function strictObject<T>(parts: PartsOf<T>): z.ZodType {
  return z.strictObject(parts, {
    error: (issue) => {
      if (issue.code !== 'unrecognized_keys') return mustBe('an object')(issue)
      const [unknown = ''] = issue.keys as readonly string[]
      const near = nearestName(unknown, Object.keys(parts), 3)
      const meant =
        near === undefined
          ? `; its keys are ${Object.keys(parts).join(', ')}`
          : `: did you mean ${near}?`
      return `has an unknown key ${unknown}${meant}`
    },
  })
}

/** Says what a value must be, or that it is missing. */
export function mustBe(what: string): (issue: { readonly input?: unknown }) => string {
  return ({ input }) => (input === undefined ? `is missing: it must be ${what}` : `must be ${what}`)
}

export const anyText = z.string({ error: mustBe('a text') }).min(1, 'must not be empty')
export const textList = z.array(anyText, { error: mustBe('a list of texts') })
export const trueOrFalse = z.boolean({ error: mustBe('true or false') })
export const positiveCount = z.int({ error: mustBe('a whole number') }).min(1, 'must be at least 1')

/** A column, or several. */
export const columnList = z.union([anyText, z.array(anyText).min(1, 'must name a column')], {
  error: mustBe('a column or a list of columns'),
})

/** A path in the project's folder, or a URL. */
export const pathOrUrl = z.union([anyText, z.instanceof(URL)], { error: mustBe('a path or a URL') })

/** A record of schemas by name. */
export function namedParts(schema: z.ZodType): z.ZodType {
  return z.record(z.string(), schema, { error: mustBe('an object') })
}

/** A list of a schema's values. */
export function listing(schema: z.ZodType): z.ZodType {
  return z.array(schema, { error: mustBe('a list') })
}

/** One of a few texts. */
export function oneOf(...texts: readonly string[]): z.ZodType {
  return z.enum(texts as [string, ...string[]], { error: mustBe(texts.join(' or ')) })
}
