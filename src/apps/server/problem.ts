import { STATUS_CODES } from 'node:http'
import type { Problem } from '../../totesys/payments/payments.ts'

export interface ProblemOptions {
  readonly status: number
  /** Stable, upper case. */
  readonly code: string
  /** For whoever asked: no address, no value, no statement. */
  readonly detail: string
  readonly headers?: Readonly<Record<string, string>>
}

/** An answer that says why there is none, as RFC 9457 wants it. Never kept by a cache. */
export function problemResponse({ status, code, detail, headers }: ProblemOptions): Response {
  const problem: Problem = {
    type: 'about:blank',
    title: STATUS_CODES[status] ?? 'Error',
    status,
    code,
    detail,
  }
  return new Response(`${JSON.stringify(problem)}\n`, {
    status,
    headers: {
      'content-type': 'application/problem+json',
      'cache-control': 'no-store',
      ...headers,
    },
  })
}
