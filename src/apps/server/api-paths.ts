import type { Question } from '../../platform/presentation/question.ts'
import { XLSX_MAX_ROWS, XLSX_TYPE } from '../../platform/presentation/xlsx.ts'
import type { Dashboard } from '../../platform/project/dashboard.ts'
import { formatCount } from '../format.ts'
import type { Operation } from './api-operation.ts'
import { type ApiParts, describeParameter, ETAG } from './api-parts.ts'
import { questionParameters } from './question-parameters.ts'

/** The operations that every server has, by path, without the questions. */
export function describePaths(parts: ApiParts): Readonly<Record<string, { get: Operation }>> {
  const { refusals, away, readOnly, freshnessHeaders, ifNoneMatch, typed } = parts
  return {
    '/events': {
      get: {
        operationId: 'events',
        tags: ['operation'],
        summary: 'Follow every finished run',
        description:
          'Server-sent events: `head` with the batch and its freshness when a batch is loaded, ' +
          '`away` with a code when the warehouse cannot be read.',
        parameters: [],
        responses: {
          200: {
            description: 'A stream that stays open.',
            content: {
              'text/event-stream': {
                schema: { type: 'string' },
                example: 'event: away\ndata: {"code":"WAREHOUSE_UNREACHABLE"}\n\n',
              },
            },
          },
          ...refusals,
          405: readOnly,
        },
      },
    },
    '/health': {
      get: {
        operationId: 'health',
        tags: ['operation'],
        summary: 'Whether the warehouse answers, and how fresh it is',
        parameters: [],
        responses: {
          200: {
            description: 'The warehouse answers; `late` if its data is older than promised.',
            headers: freshnessHeaders,
            content: { 'application/json': typed('Health') },
          },
          ...refusals,
          405: readOnly,
          503: away,
        },
      },
    },
    '/openapi.json': {
      get: {
        operationId: 'description',
        tags: ['operation'],
        summary: 'This description',
        parameters: [ifNoneMatch],
        responses: {
          200: {
            description: 'The description of the API.',
            headers: { ETag: ETAG },
            content: { 'application/json': typed('Description') },
          },
          304: { description: 'Nothing has changed.', headers: { ETag: ETAG } },
          ...refusals,
          405: readOnly,
        },
      },
    },
  }
}

/** What the descriptions of all questions share. */
export interface QuestionParts {
  readonly parts: ApiParts
  /** What the project says of its filters. */
  readonly words: Dashboard['filterWords']
}

/** The operation that answers a question as CSV. */
export function describeQuestion(question: Question, { parts, words }: QuestionParts): Operation {
  const { refusals, readOnly, away } = parts
  const { name, title, grain, unit, access } = question
  const notes = [
    `Grain: ${grain}`,
    ...(unit === undefined ? [] : [`Unit: ${unit}`]),
    ...(access === undefined ? [] : [`Only the group ${access} may see it.`]),
  ]
  return {
    operationId: name,
    tags: ['questions'],
    summary: title,
    description: notes.join(' '),
    parameters: questionParameters(question, words).map((each) => describeParameter(each)),
    responses: {
      200: {
        description: 'All rows, header first, in UTF-8 with a byte order mark.',
        content: { 'text/csv': { schema: { type: 'string' } } },
      },
      ...refusals,
      405: readOnly,
      503: away,
    },
  }
}

/** The operation that answers a question for Excel: the same rows, with the same parameters. */
export function describeWorkbook(question: Question, shared: QuestionParts): Operation {
  const operation = describeQuestion(question, shared)
  return {
    ...operation,
    operationId: `${operation.operationId}_xlsx`,
    responses: {
      ...operation.responses,
      200: {
        description: `All rows as a workbook for Excel, at most ${formatCount(XLSX_MAX_ROWS)}.`,
        content: { [XLSX_TYPE]: { schema: { type: 'string', format: 'binary' } } },
      },
    },
  }
}
