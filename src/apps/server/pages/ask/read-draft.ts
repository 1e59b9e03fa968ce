import type { Context } from 'hono'
import type { Question } from '../../../../platform/presentation/question.ts'
import type {
  SavedChart,
  SavedQuestion,
} from '../../../../platform/presentation/saved-questions.ts'
import type { ServerEnv } from '../../access.ts'
import { checkParameters, type Parameter, refusal } from '../../parameters.ts'
import type { Presentation } from '../../presentation.ts'
import { ProblemError } from '../../problem.ts'
import { textParameter } from '../../question-parameters.ts'
import {
  chartOf,
  CHARTS,
  type Draft,
  FILTER_FIELD,
  FILTER_PREFIX,
  firstStatement,
  isSameStatement,
  type SentDraft,
} from './draft.ts'

/** A draft in an address, and whether the address asks for an answer. */
export interface AddressedDraft {
  readonly draft: Draft
  readonly isAsked: boolean
}

/**
 * Reads the draft in an address: `sql`, `question` or `saved`, with filters and a chart. `sql` and
 * `saved` together are a statement that began as that saved question. Without any of them it is a
 * first statement, which nobody has asked for. Throws `ProblemError`: 400 for a parameter that is not
 * known or does not fit, 404 for a question that does not exist.
 */
export async function readAddress(
  c: Context<ServerEnv>,
  { project, questions, saved: store }: Pick<Presentation, 'project' | 'questions' | 'saved'>,
): Promise<AddressedDraft> {
  const query = new URL(c.req.url).searchParams
  const question = questions.get(query.get('question') ?? '')
  const parameters = parametersFor(query, question)
  const given = checkParameters(c, parameters)
  const other = ['sql', 'saved'].find((each) => query.has(each))
  if (query.has('question') && other !== undefined) {
    const why = `cannot be given with “${other}”`
    throw refusal({ name: 'question', code: 'BAD_FILTER', why, parameters })
  }
  const name = given.get('saved')
  const saved = name === undefined ? undefined : await store?.find(name)
  const isMissing = name !== undefined && saved === undefined && !query.has('sql')
  if (isMissing || (given.has('question') && question === undefined)) {
    throw unknownQuestion(name ?? given.get('question') ?? '')
  }
  const filters = {
    ...(query.has('sql') ? {} : saved?.filters),
    ...Object.fromEntries((question?.filters ?? []).map((each) => [each, given.get(each) ?? ''])),
    ...Object.fromEntries(
      [...given].flatMap(([key, value]) =>
        key.startsWith(FILTER_PREFIX) ? [[key.slice(FILTER_PREFIX.length), value]] : [],
      ),
    ),
  }
  const sql = query.get('sql')?.replaceAll('\r\n', '\n') ?? saved?.sql ?? question?.sql
  const chart = given.get('chart')
  return {
    draft: {
      sql: sql ?? firstStatement(project),
      question,
      saved,
      filters,
      chart: chart === undefined ? chartFor(query, saved ?? question) : chartOf(chart),
    },
    isAsked: sql !== undefined,
  }
}

/** The chart of what an address names. A statement of its own is drawn as fits. */
function chartFor(
  query: URLSearchParams,
  known: Pick<SavedQuestion, 'chart'> | undefined,
): SavedChart {
  return query.has('sql') ? 'auto' : (known?.chart ?? 'auto')
}

/** The parameters of an address with this query. */
function parametersFor(query: URLSearchParams, question: Question | undefined): Parameter[] {
  const variables = [...query.keys()].filter((name) => FILTER_FIELD.test(name))
  return [
    textParameter('sql', 'A statement to run.'),
    textParameter('question', 'A question of the project to run.'),
    textParameter('saved', 'A saved question to run.'),
    {
      name: 'chart',
      description: 'How the answer is drawn.',
      example: 'auto',
      values: { kind: 'choice', values: CHARTS.map(([value]) => value) },
      mayBeEmpty: true,
    },
    ...(question?.filters ?? []).map((name) =>
      textParameter(name, `The filter ${name} of the question.`),
    ),
    ...[...new Set(variables)].map((name) => textParameter(name, 'A value for the statement.')),
  ]
}

function unknownQuestion(name: string): ProblemError {
  return new ProblemError({
    status: 404,
    code: 'QUESTION_UNKNOWN',
    detail: `There is no question “${name.slice(0, 63)}”`,
  })
}

/**
 * Looks up what a sent draft began as. What no longer exists is left out, and so is a question of the
 * project whose statement was changed.
 */
export async function findBeginning(
  { sql, question: questionName, saved: savedName, filters, chart }: SentDraft,
  { questions, saved: store }: Pick<Presentation, 'questions' | 'saved'>,
): Promise<Draft> {
  const question = questions.get(questionName)
  const saved: SavedQuestion | undefined =
    savedName === '' ? undefined : await store?.find(savedName).catch(() => undefined)
  const isUnchanged = question !== undefined && isSameStatement(question, sql)
  return { sql, question: isUnchanged ? question : undefined, saved, filters, chart }
}

/** Reads the form in a request. Throws `ProblemError` (400) if the body is not a form. */
export async function readForm(c: Context<ServerEnv>): Promise<FormData> {
  const form = await c.req.raw.formData().catch(() => undefined)
  if (form !== undefined) return form
  throw new ProblemError({ status: 400, code: 'BAD_FORM', detail: 'The body is not a form' })
}
