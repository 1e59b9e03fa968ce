import type { MiddlewareHandler } from 'hono'
import type { ServerEnv } from './access.ts'
import { clientAddress } from './auth.ts'
import { createBuckets, type Rate } from './buckets.ts'
import { problemResponse } from './problem.ts'

/**
 * Refuses callers that ask too often, by 429 with `Retry-After`. Counts by subject, or by address on a
 * server without a login.
 */
export function limitRate(rate: Rate): MiddlewareHandler<ServerEnv> {
  const buckets = createBuckets(rate)
  return async (c, next) => {
    const { subject, expiresAt } = c.get('caller')
    const waitSeconds = buckets.take(
      expiresAt === undefined ? clientAddress(c) : `subject ${subject}`,
    )
    if (waitSeconds === 0) return next()
    return problemResponse({
      status: 429,
      code: 'TOO_MANY_REQUESTS',
      detail: 'Too many requests; slow down',
      headers: { 'retry-after': String(Math.ceil(waitSeconds)) },
    })
  }
}
