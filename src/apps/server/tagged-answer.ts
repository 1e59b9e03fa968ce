import { createHash } from 'node:crypto'
import type { Context } from 'hono'

/** An answer that a client may keep and ask for again. */
export interface TaggedAnswer {
  readonly body: string
  readonly headers: Readonly<Record<string, string>>
  /** What the tag stands for. Default: the body. */
  readonly content?: string
}

/**
 * Answers 200 with an `ETag`, or 304 with the same headers to a client that has this content already
 * (RFC 9110, 13.1.2). The tag is a hash of the content alone: the same content has the same tag,
 * whatever batch it was read from.
 */
export function answerTagged(c: Context, { body, headers, content }: TaggedAnswer): Response {
  const etag = tagOf(content ?? body)
  const all = { 'cache-control': 'private, no-cache', ...headers, etag }
  if (isKnown(c.req.header('if-none-match'), etag)) {
    return new Response(null, { status: 304, headers: all })
  }
  return new Response(body, { headers: all })
}

/** Weak, because an answer may be compressed on its way. */
function tagOf(content: string): string {
  const hash = createHash('sha256').update(content)
  return `W/"${hash.digest('base64url').slice(0, 27)}"`
}

function isKnown(ifNoneMatch: string | undefined, etag: string): boolean {
  if (ifNoneMatch === undefined) return false
  const strong = (tag: string) => tag.trim().replace(/^W\//, '')
  return (
    ifNoneMatch.trim() === '*' || ifNoneMatch.split(',').some((tag) => strong(tag) === strong(etag))
  )
}
