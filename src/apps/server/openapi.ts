import type { Question } from '../../platform/presentation/question.ts'
import type { Project } from '../../platform/project/project.ts'
import type { Operation } from './api-operation.ts'
import { createApiParts } from './api-parts.ts'
import { describePaths, describeQuestion, describeWorkbook } from './api-paths.ts'
import { describeSchemas } from './api-schemas.ts'
import type { ApiExtension } from './server-extension.ts'

/** What a description is made from. */
export interface DescribedApi {
  readonly version: string
  readonly project: Project
  /** The questions that are served as CSV and for Excel. */
  readonly questions: ReadonlyMap<string, Question>
  /** What the project adds to the API. */
  readonly extension?: ApiExtension | undefined
}

/**
 * Describes the API as an OpenAPI 3.1 document. Its schemas also check the answers, and its parameters
 * are those that the routes take, so it always matches what the server does.
 */
export function describeApi({ version, project, questions, extension }: DescribedApi) {
  const { title, presentation } = project
  const apiTitle = extension?.title ?? `Tidemark: ${title}`
  const holds = extension?.holds ?? `The answers to the questions about ${title}`
  const schemas = { ...extension?.schemas, ...describeSchemas({ title, apiTitle }) }
  const parts = createApiParts({ title, schemas })
  const paths: Record<string, { get: Operation }> = {
    ...extension?.paths(parts),
    ...describePaths(parts),
  }
  const shared = { parts, words: presentation?.filterWords }
  for (const question of questions.values()) {
    paths[`/questions/${question.name}.csv`] = { get: describeQuestion(question, shared) }
    paths[`/questions/${question.name}.xlsx`] = { get: describeWorkbook(question, shared) }
  }
  const tags = [...(extension === undefined ? [] : [extension.tag]), 'operation', 'questions']
  return {
    openapi: '3.1.1',
    info: {
      title: apiTitle,
      version,
      description:
        `${holds}, read from the ` +
        'warehouse. Each answer says how fresh it is. Days and times are in UTC. Problems follow ' +
        'RFC 9457. An unknown parameter, a parameter given twice, or a value that is not valid is ' +
        'refused.',
    },
    servers: [{ url: '/' }],
    security: [{ bearer: [] }, {}],
    tags: tags.map((name) => ({ name })),
    paths,
    components: {
      schemas,
      securitySchemes: {
        bearer: {
          type: 'http',
          scheme: 'bearer',
          bearerFormat: 'JWT',
          description:
            'A token is needed unless the server listens only on its own machine. ' +
            describeGroups(project),
        },
      },
    },
  } as const
}

function describeGroups({ presentation }: Pick<Project, 'presentation'>): string {
  const reserved = presentation?.reserved
  if (reserved === undefined) return 'The group `analyst` may read everything.'
  return `The group \`${reserved.group}\` may read ${reserved.what}, \`analyst\` everything else.`
}

/** The description of the API, as `describeApi` returns it. */
export type ApiDescription = ReturnType<typeof describeApi>
