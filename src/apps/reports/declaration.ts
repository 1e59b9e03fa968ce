import * as z from 'zod'
import { ConfigError } from '../../platform/errors.ts'
import { isZone, type Schedule, WEEKDAYS } from './schedule.ts'

/** A page, a question or a saved question that is sent by mail on a schedule. */
export interface Report extends Declared {
  readonly kind: 'report'
  /** The page's path. Either it or `question` or `saved` is set. */
  readonly page: string | undefined
  readonly schedule: Schedule
}

/** A watched figure: one mail when it crosses a value, one when it is back. */
export interface Threshold extends Declared {
  readonly kind: 'threshold'
  /** Values by column. The figure is the sum over the rows that have them. */
  readonly rows: Readonly<Record<string, string>>
  readonly column: string
  readonly is: ThresholdRule
  /** A decimal number. */
  readonly value: string
}

/** How a figure is compared with the threshold. */
export type ThresholdRule = (typeof COMPARISONS)[number]

/** A report or a threshold. */
export type Declaration = Report | Threshold

interface Declared {
  readonly name: string
  /** The name of a question of the project. */
  readonly question: string | undefined
  /** The name of a saved question. A threshold has either it or `question`. */
  readonly saved: string | undefined
  /** As in the address of the page. */
  readonly filters: Readonly<Record<string, string>>
  readonly recipients: readonly string[]
  /** The groups that every recipient is in. */
  readonly groups: ReadonlySet<string>
}

/** A declaration that is not valid, and why. */
export interface BrokenDeclaration {
  /** Its name, or its place in the file. */
  readonly name: string
  readonly faults: readonly string[]
}

/** What a file declares. */
export interface Declarations {
  readonly valid: readonly Declaration[]
  readonly broken: readonly BrokenDeclaration[]
}

const COMPARISONS = ['over', 'under', 'at least', 'at most'] as const

const say = (error: string) => ({ error })
const name = z
  .string(say('must be a text'))
  .regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'must be 1 to 63 characters of a-z, 0-9 and -')
const cell = z.union([
  z.string(),
  z.number().transform(String),
  z.boolean().transform((value) => (value ? 't' : 'f')),
])
const zone = z
  .string(say('must be a time zone such as Europe/London'))
  .refine(isZone, say('is not a time zone; use a name such as Europe/London'))
const at = z
  .string(say('must be a time as hh:mm'))
  .regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'must be a time as hh:mm')
const month = z.int(say('must be a day from 1 to 31')).min(1, 'must be a day from 1 to 31')

const schedule = z.discriminatedUnion(
  'every',
  [
    z.strictObject({ every: z.literal('day'), at, zone }),
    z.strictObject({
      every: z.literal('week'),
      on: z.enum(WEEKDAYS, say(`must be one of ${WEEKDAYS.join(', ')}`)),
      at,
      zone,
    }),
    z.strictObject({
      every: z.literal('month'),
      on: month.max(31, 'must be a day from 1 to 31'),
      at,
      zone,
    }),
  ],
  say('must have "every": "day", "week" or "month"'),
)

/** One group, or a list of them, out of those that the project knows. */
function accessOf(groups: readonly string[]) {
  const names = groups.map((each) => `"${each}"`).join(', ')
  const needed = say(`must be ${names}${groups.length === 2 ? ' or a list of both' : ''}`)
  const group = z.string(needed).refine((each) => groups.includes(each), needed)
  return z.union([group.transform((one) => [one]), z.array(group).min(1)], needed)
}

const shared = {
  name,
  filters: z.record(z.string(), cell, say('must be an object of values by name')).default({}),
  to: z
    .array(z.email('must be an e-mail address'), say('must be a list of e-mail addresses'))
    .min(1, 'must have a recipient')
    .max(100, 'must have at most 100 recipients'),
  question: z.string(say('must be the name of a question')).optional(),
  saved: z.string(say('must be the name of a saved question')).optional(),
  access: accessOf([]),
}

const report = z.strictObject({
  ...shared,
  page: z.string(say('must be the path of a page')).optional(),
  schedule,
})

const threshold = z.strictObject({
  ...shared,
  rows: z.record(z.string(), cell, say('must be an object of values by column')).default({}),
  column: z.string(say('must be the name of a column')),
  is: z.enum(COMPARISONS, say(`must be one of ${COMPARISONS.join(', ')}`)),
  value: z
    .union([z.string(), z.number().transform(String)])
    .refine((text) => /^-?\d+(\.\d+)?$/.test(text), say('must be a decimal number')),
})

const file = z.strictObject({
  reports: z.array(z.unknown()).default([]),
  thresholds: z.array(z.unknown()).default([]),
})

/** Where a text comes from, and the groups that its project knows. */
export interface DeclaredIn {
  readonly location: string
  readonly groups: readonly string[]
}

interface Declaring {
  readonly place: string
  readonly access: ReturnType<typeof accessOf>
}

/**
 * Parses the text of a reports file. A declaration that is not valid is returned as broken, and all
 * others are valid. Throws `ConfigError` (`REPORTS_FILE`) only if the file as a whole cannot be read.
 */
export function parseDeclarations(text: string, { location, groups }: DeclaredIn): Declarations {
  const { reports, thresholds } = parseFile(text, location)
  const access = accessOf(groups)
  const parsed = [
    ...reports.map((each, place) => parseReport(each, { place: `reports[${place}]`, access })),
    ...thresholds.map((each, place) =>
      parseThreshold(each, { place: `thresholds[${place}]`, access }),
    ),
  ]
  const seen = new Set<string>()
  const valid: Declaration[] = []
  const broken: BrokenDeclaration[] = []
  for (const each of parsed) {
    const isTaken = seen.has(each.name)
    seen.add(each.name)
    if ('faults' in each) broken.push(each)
    else if (isTaken) {
      broken.push({ name: each.name, faults: ['name: another declaration has it already'] })
    } else valid.push(each)
  }
  return { valid, broken }
}

function parseFile(text: string, location: string): z.infer<typeof file> {
  const unreadable = (why: string) =>
    new ConfigError(`The reports file ${location} ${why}`, {
      code: 'REPORTS_FILE',
      hint: 'correct it as docs/reports.md describes, then check it: tidemark reports list',
    })
  let content: unknown
  try {
    content = JSON.parse(text.replace(/^\uFEFF/, ''))
  } catch {
    throw unreadable('is not JSON')
  }
  const parsed = file.safeParse(content)
  if (!parsed.success) {
    throw unreadable(
      'must hold one object with the lists "reports" and "thresholds", and nothing else',
    )
  }
  return parsed.data
}

function parseReport(content: unknown, { place, access }: Declaring): Report | BrokenDeclaration {
  const parsed = report.extend({ access }).safeParse(content)
  if (!parsed.success) return refuse(content, { place, error: parsed.error })
  const { page, schedule: when, ...more } = parsed.data
  if ([page, more.question, more.saved].filter((each) => each !== undefined).length !== 1) {
    return { name: more.name, faults: ['needs one of "page", "question" and "saved"'] }
  }
  return { kind: 'report', page, schedule: when, ...declaredOf(more) }
}

function parseThreshold(
  content: unknown,
  { place, access }: Declaring,
): Threshold | BrokenDeclaration {
  const parsed = threshold.extend({ access }).safeParse(content)
  if (!parsed.success) return refuse(content, { place, error: parsed.error })
  const { rows, column, is, value, ...more } = parsed.data
  if ((more.question === undefined) === (more.saved === undefined)) {
    return { name: more.name, faults: ['needs either "question" or "saved", and not both'] }
  }
  return { kind: 'threshold', rows, column, is, value, ...declaredOf(more) }
}

function declaredOf({
  name: called,
  question,
  saved,
  filters,
  to,
  access,
}: Pick<z.infer<typeof report>, keyof typeof shared>): Declared {
  // One mail for each person, however often and in whatever case the list names the address.
  const recipients = [...new Map(to.map((address) => [address.toLowerCase(), address])).values()]
  return { name: called, question, saved, filters, recipients, groups: new Set(access) }
}

/** The error for a declaration that is not valid, with all its faults. */
export function invalid(
  { name: called }: { readonly name: string },
  faults: readonly string[],
): ConfigError {
  return new ConfigError(`${called} in the reports file is not valid: ${faults.join('; ')}`, {
    code: 'REPORT_INVALID',
    hint: 'correct it as docs/reports.md describes, then check it: tidemark reports list',
  })
}

function refuse(
  content: unknown,
  { place, error }: { place: string; error: z.ZodError },
): BrokenDeclaration {
  const given = z.object({ name }).safeParse(content)
  const faults = error.issues.map((issue) => {
    const path = issue.path.join('.')
    const isUnknown = issue.code === 'unrecognized_keys'
    const why = isUnknown ? `there is no field called ${issue.keys.join(', ')}` : issue.message
    return path === '' ? why : `${path}: ${why}`
  })
  return { name: given.success ? given.data.name : place, faults: [...new Set(faults)] }
}
