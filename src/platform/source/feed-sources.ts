import type { AnswerFormat } from '../project/source-contract.ts'
import type { Drop } from './drop.ts'

/** Where the rows of feeds come from: a drop, servers, or both. */
export interface FeedSources {
  readonly drop?: Drop | undefined
  readonly servers?: readonly FeedServer[]
}

/** A server that answers with rows of a feed. */
export interface FeedServer {
  /** Complete address, with path and query. */
  readonly url: URL
  readonly format: AnswerFormat
  /** The shortest time between two requests. */
  readonly everyMs: number
}
