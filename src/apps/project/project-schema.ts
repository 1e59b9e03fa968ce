import * as z from 'zod'
import type {
  MirroredTableSettings,
  MirrorSettings,
} from '../../platform/project/mirror-settings.ts'
import type { Check, Reference, Sums, Telling, Worth } from '../../platform/project/model.ts'
import type {
  FeedConfig,
  ModelConfig,
  ProjectConfig,
  SourceConfig,
  TableConfig,
} from '../../platform/project/project-config.ts'
import type { RequiredColumn, WideFormat } from '../../platform/project/source-contract.ts'
import { dashboardSchema } from './dashboard-schema.ts'
import {
  anyText,
  namedParts,
  columnList,
  listing,
  mustBe,
  oneOf,
  pathOrUrl,
  strictObject,
  textList,
  trueOrFalse,
} from './strict-object.ts'

const wide = strictObject<WideFormat>({
  first: strictObject<WideFormat['first']>({ title: anyText, column: anyText }),
  titles: strictObject<WideFormat['titles']>({ column: anyText, pattern: anyText }),
  cells: strictObject<WideFormat['cells']>({ column: anyText, absent: z.array(z.string()) }),
  constants: namedParts(z.string()),
})

const column = z.union(
  [anyText, strictObject<RequiredColumn>({ type: anyText, formerly: textList.optional() })],
  { error: mustBe('a Postgres type, or { type, formerly }') },
)

const table = strictObject<TableConfig>({
  key: columnList,
  columns: namedParts(column).optional(),
  exclude: textList.optional(),
  schema: anyText.optional(),
  relation: anyText.optional(),
  keyIsUnenforced: trueOrFalse.optional(),
  description: anyText.optional(),
  descriptions: namedParts(anyText).optional(),
})

const feed = strictObject<FeedConfig>({
  key: columnList,
  columns: namedParts(anyText),
  wide: wide.optional(),
})

const source = strictObject<SourceConfig>({
  schema: anyText.optional(),
  tables: namedParts(table).optional(),
  feeds: namedParts(feed).optional(),
})

const check = strictObject<Check>({
  name: anyText,
  column: anyText,
  holds: anyText,
  severity: oneOf('warn', 'refuse').optional(),
})

const references = z.union(
  [
    namedParts(anyText),
    z.array(strictObject<Reference>({ columns: textList, dimension: anyText })),
  ],
  { error: mustBe('dimensions by column, or a list of { columns, dimension }') },
)

const sums = strictObject<Sums>({
  columns: namedParts(anyText),
  grains: namedParts(textList),
  derived: namedParts(anyText).optional(),
})

const telling = strictObject<Telling>({
  words: namedParts(anyText),
  worth: strictObject<Worth>({
    quantity: anyText.optional(),
    price: anyText,
    currency: anyText,
  }).optional(),
})

const model = strictObject<ModelConfig>({
  key: columnList,
  from: anyText.optional(),
  follows: textList.optional(),
  recordId: anyText.optional(),
  references: references.optional(),
  nullable: textList.optional(),
  checks: listing(check).optional(),
  sought: textList.optional(),
  sums: sums.optional(),
  telling: telling.optional(),
  headline: pathOrUrl.optional(),
  description: anyText.optional(),
  descriptions: namedParts(anyText).optional(),
  calendar: z.literal(true, { error: mustBe('true, or left out') }).optional(),
})

const mirroredTable = strictObject<MirroredTableSettings>({
  name: anyText.optional(),
  key: textList.optional(),
})

const mirror = z.union(
  [
    z.boolean(),
    strictObject<MirrorSettings>({
      select: textList.optional(),
      exclude: textList.optional(),
      newTables: oneOf('capture', 'report').optional(),
      withoutKey: oneOf('keep', 'leave').optional(),
      views: trueOrFalse.optional(),
      tables: namedParts(mirroredTable).optional(),
    }),
  ],
  { error: mustBe('true, false or an object') },
)

const project = strictObject<ProjectConfig>({
  name: anyText.optional(),
  title: anyText.optional(),
  source: source.optional(),
  models: namedParts(model).optional(),
  tests: textList.optional(),
  mirror: mirror.optional(),
  presentation: dashboardSchema.optional(),
})

/**
 * What is wrong with a value that should be a `ProjectConfig`, and where: `models.fact_sale has an
 * unknown key keys: did you mean key?`. Returns one fault, an unknown key before any other, because
 * it explains what is missing. Undefined if there is none.
 */
export function findProjectFault(value: unknown): string | undefined {
  const parsed = project.safeParse(value)
  const faults = (parsed.error?.issues ?? []).map((issue) => innermost(issue))
  const fault = faults.find(({ isUnknownKey }) => isUnknownKey) ?? faults[0]
  if (fault === undefined) return undefined
  const where = fault.path.length === 0 ? 'the default export' : fault.path.map(String).join('.')
  return `${where} ${fault.message}`
}

interface Fault {
  readonly path: readonly PropertyKey[]
  readonly message: string
  readonly isUnknownKey: boolean
}

/**
 * Of a value that may be one of several things: the fault inside the one that it comes nearest to.
 * If it comes near to none, what it must be.
 */
function innermost({ path, message, ...issue }: z.core.$ZodIssue): Fault {
  const alternatives = issue.code === 'invalid_union' ? issue.errors.flat().map(innermost) : []
  const near =
    alternatives.find(({ isUnknownKey }) => isUnknownKey) ??
    alternatives.find((inner) => inner.path.length > 0)
  if (near !== undefined) return { ...near, path: [...path, ...near.path] }
  return { path, message, isUnknownKey: issue.code === 'unrecognized_keys' }
}
