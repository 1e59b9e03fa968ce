import { STATUS_CODES } from 'node:http'

/** What is sent in place of an answer: RFC 9457. The description of the API has its schema. */
export interface Problem {
  readonly type: 'about:blank'
  readonly title: string
  readonly status: number
  readonly code: string
  readonly detail: string
  readonly parameter?: string
  readonly allowed?: readonly string[]
}

/** Why a request is not answered. */
export interface ProblemOptions {
  readonly status: number
  /** Stable, in upper case. */
  readonly code: string
  /** For the caller, so without addresses, values and statements. */
  readonly detail: string
  /** The parameter that is refused. */
  readonly parameter?: string
  /** The parameters that the address takes, if one is refused. */
  readonly allowed?: readonly string[]
  readonly headers?: Readonly<Record<string, string>>
}

/** Thrown by a route to answer with a problem, in the form that the caller asks for. */
export class ProblemError extends Error {
  readonly problem: ProblemOptions

  constructor(problem: ProblemOptions) {
    super(problem.detail)
    this.name = 'ProblemError'
    this.problem = problem
  }
}

/** Creates an answer that says why there is none, in the form of RFC 9457. Caches do not keep it. */
export function problemResponse({ headers, ...options }: ProblemOptions): Response {
  const { status, code, detail, parameter, allowed } = options
  const problem: Problem = {
    type: 'about:blank',
    title: STATUS_CODES[status] ?? 'Error',
    status,
    code,
    detail,
    ...(parameter === undefined ? {} : { parameter }),
    ...(allowed === undefined ? {} : { allowed: [...allowed] }),
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
