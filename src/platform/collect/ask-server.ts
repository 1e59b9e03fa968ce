import { writeFile } from 'node:fs/promises'
import type { Deps } from '../deps.ts'
import { inMemory } from '../io/memory.ts'
import type { AnswerFormat } from '../project/source-contract.ts'
import type { FeedServer } from '../source/feed-sources.ts'
import { addressWithoutQuery, checkAnswer, fetchAnswer, type HttpAnswer } from '../source/http.ts'
import type { OfferedFile } from './take-file.ts'

/**
 * A server that did not answer is asked again after this time, or earlier if its interval is
 * shorter.
 */
const AGAIN_MS = 60_000

/** What is known about each server that was asked, by lake and address. */
const askedIn = inMemory(() => new Map<string, Asked>())

/** When a server may be asked again, and its answer if that is not in the lake yet. */
interface Asked {
  /** The server is not asked again before this time. */
  readonly nextAt: number
  /** Its answer, until that is in the lake. */
  readonly pending?: Pending
}

/** An answer that no batch holds yet. */
interface Pending {
  readonly answer: HttpAnswer
  readonly fetchedAt: string
}

/**
 * Offers a server's answer as a local file. Returns undefined if the server says that nothing has
 * changed, or if it is too early to ask again. An answer that did not reach the lake is offered
 * again. Throws what `fetchAnswer` and `checkAnswer` throw.
 */
export async function askServer(
  deps: Deps,
  {
    server: { url, format, everyMs },
    rawPath,
    collectedAt,
    known,
  }: { server: FeedServer; rawPath: string; collectedAt: string; known: string | undefined },
): Promise<OfferedFile | undefined> {
  const now = Date.parse(collectedAt)
  const asked = askedIn(deps.memory)
  const place = `${deps.ingestion.location} ${url.href}`
  const { nextAt = -Infinity, pending: left } = asked.get(place) ?? {}
  let pending = left?.answer.version === known ? undefined : left
  if (now >= nextAt) {
    asked.set(place, { nextAt: now + Math.min(everyMs, AGAIN_MS), ...(pending && { pending }) })
    const answer = await fetchAnswer(url, { known, signal: deps.signal })
    pending = answer === undefined ? undefined : { answer, fetchedAt: collectedAt }
    if (pending !== undefined) {
      checkAnswer(pending.answer.body, { rows: parseAnswer(pending, format), url })
    }
    asked.set(place, { nextAt: now + everyMs, ...(pending && { pending }) })
  }
  if (pending === undefined) return undefined
  const { answer, fetchedAt } = pending
  await writeFile(rawPath, answer.body)
  return {
    name: addressWithoutQuery(url),
    version: answer.version,
    modifiedAt: fetchedAt,
    sizeBytes: answer.body.length,
    rawPath,
    given: {},
    rows: await writeAnswer(parseAnswer(pending, format), `${rawPath}.jsonl`),
  }
}

type Rows = readonly Readonly<Record<string, string>>[]

/** The rows of an answer; undefined if it does not have the declared format. */
function parseAnswer({ answer, fetchedAt }: Pending, format: AnswerFormat): Rows | undefined {
  const text = answer.body.toString('utf8')
  const parsed = format.parse.safeParse({ text, fetchedAt })
  return parsed.success ? parsed.data : undefined
}

/** Writes the rows as a file of JSON lines. */
async function writeAnswer(rows: Rows | undefined, path: string): Promise<OfferedFile['rows']> {
  if (rows === undefined) return undefined
  await writeFile(path, rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
  return { path, format: 'jsonl' }
}
