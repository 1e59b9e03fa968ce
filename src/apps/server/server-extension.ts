import type { Context, Hono } from 'hono'
import type { Answers } from '../../platform/presentation/answer.ts'
import type { Question } from '../../platform/presentation/question.ts'
import type { Fact } from '../../platform/project/model.ts'
import type { AppLog } from '../log.ts'
import type { ServerEnv } from './access.ts'
import type { Operation } from './api-operation.ts'
import type { ApiParts } from './api-parts.ts'
import type { Schema } from './json-schema.ts'
import type { Markup } from './markup.ts'
import type { Presentation } from './presentation.ts'

/** What a project adds to the server in code: an API of its own, and a section of a page. */
export interface ServerExtension {
  /** The routes of its API, and how they are described. */
  readonly api: ApiExtension
  /** Addresses to show when the server has started. */
  readonly addresses: readonly ServedAddress[]
  /** What else is known of a fact, for the page that shows its versions; undefined for nothing. */
  readFactSection?(
    c: Context<ServerEnv>,
    presentation: Presentation,
    asked: AskedFact,
  ): Promise<FactSection | undefined>
}

/** An API that a project adds. */
export interface ApiExtension {
  /** The title of the whole API. */
  readonly title: string
  /** What the answers are, as the beginning of a sentence. */
  readonly holds: string
  /** The tag of its operations. */
  readonly tag: string
  readonly schemas: Readonly<Record<string, Schema>>
  /** Addresses that answer in JSON even if a browser asks for a page. */
  readonly onlyJson: RegExp
  paths(parts: ApiParts): Readonly<Record<string, { get: Operation }>>
  routes(options: ApiRoutesOptions): Hono<ServerEnv>
}

/** What the routes of an API read. */
export interface ApiRoutesOptions {
  readonly answers: Answers
  readonly questions: ReadonlyMap<string, Question>
  readonly promiseMs: number
  readonly now: () => Date
  readonly log: AppLog
  /** Whether the server also has pages, which may be at the same addresses. */
  readonly hasPages: boolean
}

/** A path that the server answers, and what is there. */
export interface ServedAddress {
  readonly title: string
  readonly path: string
}

/** The fact that a page shows. */
export interface AskedFact {
  readonly fact: Fact
  readonly key: string
}

/** A section of a page, and whether it shows what is reserved for one group. */
export interface FactSection {
  readonly content: Markup
  readonly isReserved: boolean
}
