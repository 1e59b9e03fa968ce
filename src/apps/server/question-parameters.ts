import type { Question } from '../../platform/presentation/question.ts'
import type {
  Dashboard,
  Filter,
  FilterWords,
  ListFilter,
  Page,
} from '../../platform/project/dashboard.ts'
import { MAX_INTEGER, type Parameter, type ParameterValues } from './parameters.ts'

/**
 * The filters of a question as parameters. The question's SQL says which values each takes, the
 * project's words what it means.
 */
export function questionParameters(
  { filters, sql }: Question,
  words: Dashboard['filterWords'] = {},
): readonly Parameter[] {
  return filters.map((name) => {
    const values = valuesOf(name, sql)
    const { description, example } = words[name] ?? WORDS[name] ?? {}
    return {
      name,
      description: description ?? `The filter ${name} of the question.`,
      example: example ?? EXAMPLES[values.kind] ?? '1',
      values,
      mayBeEmpty: true,
    }
  })
}

/** The filters of a page as parameters. The page itself names a value that is not valid. */
export function pageParameters(
  { filters: names }: Page,
  filters: readonly (Filter | ListFilter)[],
): readonly Parameter[] {
  const offered = filters.filter(({ name }) => names.includes(name))
  return offered.flatMap(({ kind, name, label }) =>
    parametersOf(kind, name).map((parameter) =>
      textParameter(parameter, `The filter “${label}” of the page.`),
    ),
  )
}

function parametersOf(kind: (Filter | ListFilter)['kind'], name: string): string[] {
  if (kind === 'period') return ['period', 'from', 'to']
  return kind === 'range' ? [`${name}_from`, `${name}_to`] : [name]
}

/** A parameter of a page, which says itself what is wrong with a value. */
export function textParameter(name: string, description: string): Parameter {
  return { name, description, example: '', values: { kind: 'text' }, mayBeEmpty: true }
}

/**
 * The values that a variable takes, by its cast: `nullif(:'from', '')::date` takes days. A variable
 * that a `case` compares, `case coalesce(nullif(:'by', ''), 'week') when …`, takes what it names.
 */
function valuesOf(name: string, sql: string): ParameterValues {
  if (name === 'as_of') return { kind: 'moment' }
  const cases = new RegExp(
    String.raw`case coalesce\(nullif\(:'${name}', ''\), '\w+'\)([^]*?)\bend\b`,
  )
  const named = Array.from(
    cases.exec(sql)?.[1]?.matchAll(/\bwhen '(\w+)'/g) ?? [],
    ([, value = '']) => value,
  )
  if (named.length > 0) return { kind: 'choice', values: named }
  const cast = new RegExp(String.raw`:'${name}'(?:, ''\))?::(\w+)`).exec(sql)?.[1]
  if (cast === 'date') return { kind: 'day' }
  if (cast === 'timestamptz') return { kind: 'moment' }
  if (cast === 'integer') return { kind: 'integer', from: 0, to: MAX_INTEGER }
  return { kind: 'text' }
}

const EXAMPLES: Readonly<Partial<Record<ParameterValues['kind'], string>>> = {
  day: '2025-11-01',
  moment: '2025-11-01T00:00:00Z',
  integer: '1',
}

/** What filters mean that the platform's own pages know. */
const WORDS: Readonly<Record<string, FilterWords>> = {
  from: { description: 'The first day.', example: '2025-11-01' },
  to: { description: 'The last day.', example: '2025-11-30' },
  today: { description: 'The day that counts as today, in UTC.', example: '2025-11-23' },
  as_of: {
    description: 'What was known at this moment, instead of what is known now.',
    example: '2025-11-01T00:00:00Z',
  },
  against: {
    description: 'The earlier period that the period is compared with.',
    example: 'year',
  },
  by: { description: 'The step of time that a row stands for.', example: 'month' },
}
