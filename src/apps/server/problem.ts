import { STATUS_CODES } from 'node:http'
import type { Problem } from '../../totesys/payments/payments.ts'

/** Why a request is not answered. */
export interface ProblemOptions {
  readonly status: number
  /** Stable, in upper case. */
  readonly code: string
  /** For the caller, so without addresses, values and statements. */
  readonly detail: string
  readonly headers?: Readonly<Record<string, string>>
}

/** Creates an answer that says why there is none, in the form of RFC 9457. Caches do not keep it. */
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
