import type { AnswerFormat } from '../project/source-contract.ts'
import type { Drop } from './drop.ts'

/** Where the rows of feeds come from. */
export interface FeedSources {
  readonly drop?: Drop | undefined
  readonly servers?: readonly FeedServer[]
}

/** A server that is asked for a feed's rows. */
export interface FeedServer {
  /** With path and query. */
  readonly url: URL
  readonly format: AnswerFormat
  /** It is asked no more often than this. */
  readonly everyMs: number
}
