import { createHash } from 'node:crypto'
import { type Context, Hono } from 'hono'
import type { Answers } from '../../platform/presentation/answer.ts'
import { type Freshness, freshnessOf } from '../../platform/presentation/freshness.ts'
import type { Question } from '../../platform/presentation/question.ts'
import {
  parsePayments,
  type PaymentsAnswer,
  paymentsAnswer,
} from '../../totesys/payments/payments.ts'
import type { AppLog } from '../log.ts'
import type { ServerEnv } from './access.ts'
import { pathOf } from './auth.ts'
import { problemResponse } from './problem.ts'

/** What the payments API reads. */
export interface PaymentsOptions {
  readonly answers: Answers
  readonly questions: ReadonlyMap<string, Question>
  readonly promiseMs: number
  readonly now: () => Date
  readonly log: AppLog
}

/** The question that each address answers. */
export const PAYMENT_ROUTES = {
  '/payments/last5': 'y01_last_payments',
  '/payments/next5': 'y02_next_payments',
} as const

/**
 * `GET /payments/last5` (due today or before, newest first) and `/payments/next5` (due after today,
 * soonest first). Answers in JSON, whatever type is asked for, with the freshness of the answer in
 * its body and its headers. Logs each read with its subject.
 */
export function paymentRoutes(options: PaymentsOptions): Hono<ServerEnv> {
  const app = new Hono<ServerEnv>()
  for (const [path, name] of Object.entries(PAYMENT_ROUTES)) {
    app.get(path, async (c) => {
      const response = await answerPayments(c, { ...options, name })
      const { subject } = c.get('caller')
      const { status } = response
      options.log({ event: 'payments_read', path: pathOf(c), status, subject })
      return response
    })
    app.all(path, () =>
      problemResponse({
        status: 405,
        code: 'METHOD_NOT_ALLOWED',
        detail: 'Payments can only be read',
        headers: { allow: 'GET, HEAD' },
      }),
    )
  }
  return app
}

async function answerPayments(
  c: Context<ServerEnv>,
  { answers, questions, promiseMs, now, name }: PaymentsOptions & { readonly name: string },
): Promise<Response> {
  const question = questions.get(name)
  if (question === undefined) throw new TypeError(`there is no question ${name}`)
  const { rows, head } = await answers.answer(question)
  const freshness = freshnessOf(head, { promiseMs, now: now() })
  const answer = paymentsAnswer.parse({
    payments: parsePayments(rows),
    freshness: {
      batch: freshness.batch,
      completeTo: freshness.completeTo,
      lagSeconds: freshness.lagMs / 1000,
      promiseSeconds: promiseMs / 1000,
      isFresh: freshness.isFresh,
    },
  } satisfies PaymentsAnswer)
  const etag = tagOf(answer)
  const headers = { etag, 'cache-control': 'private, no-cache', ...freshnessHeaders(freshness) }
  if (isKnown(c.req.header('if-none-match'), etag)) {
    return new Response(null, { status: 304, headers })
  }
  return c.json(answer, 200, headers)
}

/** How old an answer is, as headers, for clients that do not read its body. */
export function freshnessHeaders({
  completeTo,
  lagMs,
  isFresh,
}: Freshness): Readonly<Record<string, string>> {
  return {
    'tidemark-complete-to': completeTo,
    'tidemark-lag-seconds': String(lagMs / 1000),
    'tidemark-is-fresh': String(isFresh),
  }
}

/** A weak tag. It leaves out the lag, which grows all the time and is in the headers too. */
function tagOf({ payments, freshness }: PaymentsAnswer): string {
  const state = [payments, { ...freshness, lagSeconds: undefined }]
  const hash = createHash('sha256').update(JSON.stringify(state))
  return `W/"${hash.digest('base64url').slice(0, 27)}"`
}

function isKnown(ifNoneMatch: string | undefined, etag: string): boolean {
  if (ifNoneMatch === undefined) return false
  const strong = (tag: string) => tag.trim().replace(/^W\//, '')
  return (
    ifNoneMatch.trim() === '*' || ifNoneMatch.split(',').some((tag) => strong(tag) === strong(etag))
  )
}
