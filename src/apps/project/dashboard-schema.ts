import * as z from 'zod'
import type { Chart, LeftOut } from '../../platform/project/chart.ts'
import { TIME_STEPS } from '../../platform/project/chart.ts'
import type {
  AskWords,
  Choice,
  FactWords,
  Filter,
  FilterWords,
  Lead,
  List,
  ListFilter,
  Page,
  Panel,
  Reserved,
  Sort,
} from '../../platform/project/dashboard.ts'
import type { DashboardConfig } from '../../platform/project/project-config.ts'
import {
  anyText,
  namedParts,
  listing,
  mustBe,
  oneOf,
  type PartsOf,
  pathOrUrl,
  positiveCount,
  strictObject,
  textList,
  trueOrFalse,
} from './strict-object.ts'

/** One of several objects, told apart by their `kind`. */
function byKind<T extends { readonly kind: string }>(kinds: {
  readonly [Kind in T['kind']]: Omit<PartsOf<Extract<T, { kind: Kind }>>, 'kind'>
}): z.ZodType {
  const schemas = Object.entries<Readonly<Record<string, z.ZodType>>>(kinds).map(([kind, parts]) =>
    strictObject({ ...parts, kind: z.literal(kind) }),
  )
  return z.discriminatedUnion('kind', schemas as never, {
    error: (issue) =>
      issue.code === 'invalid_union'
        ? `must be one of ${Object.keys(kinds).join(', ')}`
        : mustBe('an object')(issue),
  })
}

const step = oneOf(...TIME_STEPS)
const leftOut = strictObject<LeftOut>({ column: anyText, things: anyText }).optional()
const limit = positiveCount.optional()
const text = anyText.optional()

const chart = byKind<Chart>({
  cards: {
    by: anyText,
    value: anyText,
    says: text,
    before: text,
    against: text,
    since: text,
    more: textList.optional(),
    sum: trueOrFalse.optional(),
    moreIsBetter: trueOrFalse.optional(),
    table: textList.optional(),
  },
  conversion: {
    into: anyText,
    value: anyText,
    says: text,
    before: anyText,
    against: anyText,
    since: text,
    more: textList.optional(),
    moreIsBetter: trueOrFalse.optional(),
    things: anyText,
    unconverted: anyText,
    unconvertedBefore: anyText,
    currency: anyText,
    rate: anyText,
    rateDate: anyText,
    isFilled: anyText,
    daysOld: anyText,
    source: anyText,
  },
  lines: {
    split: anyText,
    x: anyText,
    y: anyText,
    complete: anyText,
    step,
    limit,
    isRate: trueOrFalse.optional(),
    leftOut,
  },
  bars: {
    split: text,
    label: textList,
    value: anyText,
    sum: trueOrFalse.optional(),
    part: text,
    side: strictObject<{ column: string; hatched: string }>({
      column: anyText,
      hatched: anyText,
    }).optional(),
    leftOut,
    limit,
  },
  stacked: { step, x: anyText, stack: anyText, value: anyText, complete: anyText },
  dumbbell: { label: textList, from: anyText, to: anyText, since: text, limit: positiveCount },
  pareto: { split: anyText, label: anyText, value: anyText, cumulative: anyText, leftOut, limit },
  heatmap: { x: anyText, y: anyText, yLabel: anyText, value: anyText },
  boxes: {
    split: anyText,
    label: textList,
    five: textList.length(5, 'must be five columns'),
    things: anyText,
    measure: anyText,
    limit: positiveCount,
  },
  histogram: { x: anyText, value: anyText, other: text },
  waterfall: { split: anyText, steps: textList },
  diverging: {
    split: anyText,
    label: anyText,
    in: anyText,
    out: anyText,
    step: step.optional(),
    complete: text,
    leftOut,
    limit,
  },
  table: { columns: textList, limit },
})

const lead = strictObject<Lead>({
  to: anyText,
  set: namedParts(anyText).optional(),
  span: strictObject<NonNullable<Lead['span']>>({
    column: anyText,
    step: oneOf('week', 'month'),
  }).optional(),
  isOtherPeriod: trueOrFalse.optional(),
})

const panel = strictObject<Panel>({
  question: anyText,
  title: text,
  note: text,
  chart,
  needs: text,
  wide: trueOrFalse.optional(),
  empty: text,
  leads: lead,
})

const page = strictObject<Page>({
  path: anyText,
  title: anyText,
  summary: anyText,
  filters: textList,
  periodOf: text,
  standardPeriod: z.literal('all', { error: mustBe('all') }).optional(),
  related: listing(
    strictObject<{ title: string; to: string }>({ title: anyText, to: anyText }),
  ).optional(),
  needs: text,
  panels: listing(panel),
})

const choice = strictObject<Choice>({
  value: z.string({ error: mustBe('a text') }),
  label: anyText,
})

const filter = byKind<Filter>({
  period: { name: z.literal('period', { error: mustBe('period') }), label: anyText },
  choice: { name: anyText, label: anyText, options: anyText, all: anyText, adds: text },
  option: { name: anyText, label: anyText, values: listing(choice), standard: choice },
  moment: { name: anyText, label: anyText, options: anyText, standard: oneOf('none', 'day-ago') },
})

const listFilter = byKind<ListFilter>({
  text: { name: anyText, label: anyText },
  range: { name: anyText, label: anyText },
  fixed: { name: anyText, label: anyText, all: anyText, values: listing(choice) },
})

const list = strictObject<List>({
  name: anyText,
  title: anyText,
  summary: anyText,
  sql: pathOrUrl,
  columns: textList,
  key: anyText,
  sorts: namedParts(oneOf('text', 'date', 'integer', 'numeric')),
  sort: strictObject<Sort>({ column: anyText, isDescending: trueOrFalse }),
  filters: textList,
  own: listing(listFilter),
  periodOf: text,
  page: anyText,
})

const link = z.union(
  [
    anyText,
    strictObject<{ by: string; to: Readonly<Record<string, string>> }>({
      by: anyText,
      to: namedParts(anyText),
    }),
  ],
  { error: mustBe('a path, or { by, to }') },
)

const unit = z.union(
  [anyText, strictObject<{ currency: readonly string[] }>({ currency: textList })],
  {
    error: mustBe('a word, or { currency }'),
  },
)

/** The dashboard of a project, checked part by part. */
export const dashboardSchema: z.ZodType = strictObject<DashboardConfig>({
  questions: listing(pathOrUrl).optional(),
  pages: listing(page),
  filters: listing(filter),
  labels: namedParts(anyText),
  links: namedParts(link),
  units: namedParts(unit).optional(),
  unlisted: textList.optional(),
  numbered: namedParts(anyText).optional(),
  lists: listing(list).optional(),
  reserved: strictObject<Reserved>({
    group: anyText,
    what: anyText,
    paths: textList,
    event: anyText.optional(),
  }).optional(),
  facts: strictObject<FactWords>({
    path: z
      .string({ error: mustBe('a path such as /find') })
      .regex(/^\/[a-z][a-z0-9-]*$/, { error: mustBe('a path such as /find') }),
    title: anyText,
    find: anyText,
    summary: anyText,
  }).optional(),
  ask: strictObject<AskWords>({
    first: anyText.optional(),
    groups: namedParts(anyText).optional(),
  }).optional(),
  filterWords: namedParts(
    strictObject<FilterWords>({ description: anyText, example: anyText }),
  ).optional(),
})
