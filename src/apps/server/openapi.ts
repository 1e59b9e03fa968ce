import type { Question } from '../../platform/presentation/question.ts'
import type { Operation } from './api-operation.ts'
import { describeQuestion, describeWorkbook, PATHS } from './api-paths.ts'
import { SCHEMAS } from './api-schemas.ts'

/**
 * Describes the API as an OpenAPI 3.1 document. Its schemas also check the answers, and its parameters
 * are those that the routes take, so it always matches what the server does.
 */
export function describeApi({
  version,
  questions,
}: {
  version: string
  /** The questions that are served as CSV and for Excel. */
  questions: ReadonlyMap<string, Question>
}) {
  const paths: Record<string, { get: Operation }> = { ...PATHS }
  for (const question of questions.values()) {
    paths[`/questions/${question.name}.csv`] = { get: describeQuestion(question) }
    paths[`/questions/${question.name}.xlsx`] = { get: describeWorkbook(question) }
  }
  return {
    openapi: '3.1.1',
    info: {
      title: 'Tidemark payments',
      version,
      description:
        'The scheduled payments of Totesys, and the answers to the questions, read from the ' +
        'warehouse. Each answer says how fresh it is. Days and times are in UTC. Problems follow ' +
        'RFC 9457. An unknown parameter, a parameter given twice, or a value that is not valid is ' +
        'refused.',
    },
    servers: [{ url: '/' }],
    security: [{ bearer: [] }, {}],
    tags: [{ name: 'payments' }, { name: 'operation' }, { name: 'questions' }],
    paths,
    components: {
      schemas: SCHEMAS,
      securitySchemes: {
        bearer: {
          type: 'http',
          scheme: 'bearer',
          bearerFormat: 'JWT',
          description:
            'A token is needed unless the server listens only on its own machine. The group `finance` may read ' +
            'the payments, `analyst` everything else.',
        },
      },
    },
  } as const
}

/** The description of the API, as `describeApi` returns it. */
export type ApiDescription = ReturnType<typeof describeApi>
