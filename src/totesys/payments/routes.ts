import { type Context, Hono, type MiddlewareHandler } from 'hono'
import { accepts } from 'hono/accepts'
import type { ServerEnv } from '../../apps/server/access.ts'
import { pathOf } from '../../apps/server/auth.ts'
import { freshnessHeaders } from '../../apps/server/freshness-headers.ts'
import { logReserved } from '../../apps/server/groups.ts'
import {
  checkParameters,
  describeValues,
  isValid,
  refusal,
  takes,
} from '../../apps/server/parameters.ts'
import { problemResponse } from '../../apps/server/problem.ts'
import type { ApiRoutesOptions } from '../../apps/server/server-extension.ts'
import { answerTagged } from '../../apps/server/tagged-answer.ts'
import type { Answer } from '../../platform/presentation/answer.ts'
import { csvHeader, csvLine, fileNameOf } from '../../platform/presentation/csv.ts'
import { type Freshness, freshnessOf } from '../../platform/presentation/freshness.ts'
import { type Filters, readQuestions } from '../../platform/presentation/question.ts'
import { dashboard } from '../presentation/pages.ts'
import { cursorAfter, placeOf } from './cursor.ts'
import { PAGE_SIZE, PAYMENT_FILTERS, PAYMENT_ID, PAYMENT_PARAMETERS } from './parameters.ts'
import {
  parseHistory,
  parsePayments,
  type PaymentPage,
  paymentPage,
  type PaymentsAnswer,
  paymentsAnswer,
} from './payments.ts'

/** The question that each list answers. */
export const PAYMENT_ROUTES = {
  '/payments/last5': 'y01_last_payments',
  '/payments/next5': 'y02_next_payments',
} as const

/** The questions of this API, which are on no page. */
const QUESTIONS = readQuestions(new URL('./', import.meta.url))

/**
 * `GET /payments` (all payments, a page at a time, as JSON or CSV; a browser goes on to the page of
 * the dashboard), `/payments/last5` (due today or before, newest first), `/payments/next5` (due after
 * today, soonest first) and `/payments/{id}` (one with its versions). The last three always answer in
 * JSON. Every answer has its freshness in its headers. Logs each read with its subject.
 */
export function paymentRoutes(options: ApiRoutesOptions): Hono<ServerEnv> {
  const app = new Hono<ServerEnv>()
  app.get('/payments', varyByAccept, async (c, next) => {
    const type = typeFor(c, options)
    if (type === 'text/html') return await next()
    if (type === undefined) return notAcceptable(options)
    return logged(c, options, await answerPage(c, { ...options, isCsv: type === 'text/csv' }))
  })
  for (const [path, name] of Object.entries(PAYMENT_ROUTES)) {
    app.get(path, takes(), async (c) =>
      logged(c, options, await answerFive(c, { ...options, name })),
    )
  }
  // No payment has such an id, and there are no other lists.
  app.get('/payments/:list{(last|next)\\d+}', takes(), (c) => c.notFound())
  app.get('/payments/:id', takes(), async (c) =>
    logged(c, options, await answerHistory(c, options)),
  )
  return app
}

function logged(c: Context<ServerEnv>, { log }: ApiRoutesOptions, response: Response): Response {
  const { subject } = c.get('caller')
  logReserved(
    log,
    { presentation: dashboard },
    { path: pathOf(c), status: response.status, subject },
  )
  return response
}

/** Makes caches keep the page, the JSON, the CSV and refusals at one address apart. */
const varyByAccept: MiddlewareHandler<ServerEnv> = async (c, next) => {
  await next()
  c.res.headers.append('vary', 'Accept')
}

/** The types of `/payments`, and the type for a request that accepts any. */
const TYPES = { standard: 'application/json', file: 'text/csv', page: 'text/html' } as const

function typesOf({ hasPages }: ApiRoutesOptions): string[] {
  const { page, ...others } = TYPES
  return hasPages ? [...Object.values(others), page] : Object.values(others)
}

/** The type that a request prefers. Undefined if it accepts none of them. */
function typeFor(c: Context<ServerEnv>, options: ApiRoutesOptions): string | undefined {
  if ((c.req.header('accept') ?? '') === '') return TYPES.standard
  const supports = [...typesOf(options), '*/*']
  const found = accepts(c, { header: 'Accept', supports, default: '' })
  return found === '*/*' ? TYPES.standard : found === '' ? undefined : found
}

function notAcceptable(options: ApiRoutesOptions): Response {
  const types = typesOf(options).join(', ')
  const detail = `Payments come as ${types}: ask for one of these in Accept`
  return problemResponse({ status: 406, code: 'NOT_ACCEPTABLE', detail })
}

/** One page of all payments, in the order of their day and id. */
async function answerPage(
  c: Context<ServerEnv>,
  options: ApiRoutesOptions & { readonly isCsv: boolean },
): Promise<Response> {
  const given = checkParameters(c, PAYMENT_PARAMETERS)
  const filters = new Map(
    PAYMENT_FILTERS.flatMap(({ name }): [string, string][] => {
      const value = given.get(name)
      return value === undefined ? [] : [[name, value]]
    }),
  )
  const limit = Number(given.get('limit') ?? PAGE_SIZE.standard)
  const { answer, freshness } = await read(options, 'payments', {
    ...Object.fromEntries(filters),
    ...placeIn(given.get('cursor'), filters),
    // One row more than wanted tells whether there are more.
    limit: String(limit + 1),
  })
  const rows = answer.rows.slice(0, limit)
  const payments = parsePayments(rows)
  const last = payments.at(-1)
  const next = answer.rows.length > limit && last !== undefined ? cursorAfter(last, filters) : null
  const headers = { ...freshnessHeaders(freshness), ...linkTo(c, next) }
  if (options.isCsv) {
    const { columns } = answer
    const name = fileNameOf({ name: 'payments' }, Object.fromEntries(filters), freshness.completeTo)
    return answerTagged(c, {
      body: csvHeader(columns) + rows.map((row) => csvLine(columns, row)).join(''),
      headers: {
        'content-type': 'text/csv; charset=utf-8; header=present',
        'content-disposition': `attachment; filename="${name}"`,
        ...headers,
      },
      // The last page has another meaning than the same rows with more behind them.
      content: JSON.stringify([rows, next]),
    })
  }
  const page = paymentPage.parse({ payments, next } satisfies PaymentPage)
  return answerJson(c, { answer: page, headers })
}

/** Where a cursor says to read on. Throws `ProblemError` (400) for one that is not for these filters. */
function placeIn(cursor: string | undefined, filters: ReadonlyMap<string, string>): Filters {
  if (cursor === undefined) return {}
  const place = placeOf(cursor, filters)
  if (typeof place !== 'string') return { after_date: place.date, after_id: String(place.id) }
  const why =
    place === 'other filters'
      ? 'belongs to other filters: give the filters of the page before'
      : 'must be `next` from another page'
  throw refusal({ name: 'cursor', code: 'BAD_FILTER', why, parameters: PAYMENT_PARAMETERS })
}

/** The address of the next page as a header (RFC 8288), which a CSV has no other place for. */
function linkTo(c: Context<ServerEnv>, next: string | null): Readonly<Record<string, string>> {
  if (next === null) return {}
  const query = new URL(c.req.url).searchParams
  query.set('cursor', next)
  return { link: `</payments?${query.toString()}>; rel="next"` }
}

/** The five payments that a question finds, with their freshness. */
async function answerFive(
  c: Context<ServerEnv>,
  options: ApiRoutesOptions & { readonly name: string },
): Promise<Response> {
  const { promiseMs, name } = options
  const { answer, freshness } = await read(options, name, {})
  const { batch, completeTo, lagMs, isFresh } = freshness
  const five = paymentsAnswer.parse({
    payments: parsePayments(answer.rows),
    freshness: {
      batch,
      completeTo,
      lagSeconds: lagMs / 1000,
      promiseSeconds: promiseMs / 1000,
      isFresh,
    },
  } satisfies PaymentsAnswer)
  return answerJson(c, {
    answer: five,
    headers: freshnessHeaders(freshness),
    // The moment and the lag change all the time. They are in the headers of a 304 too.
    content: JSON.stringify([five.payments, promiseMs, isFresh]),
  })
}

/** One payment with its versions, a deleted one too. */
async function answerHistory(c: Context<ServerEnv>, options: ApiRoutesOptions): Promise<Response> {
  const id = c.req.param('id') ?? ''
  if (!isValid(PAYMENT_ID.values, id)) {
    const detail = `The id of a payment is ${describeValues(PAYMENT_ID.values)}`
    return problemResponse({ status: 400, code: 'BAD_KEY', detail, parameter: PAYMENT_ID.name })
  }
  const { answer, freshness } = await read(options, 'payment_versions', { payment_id: id })
  const history = parseHistory(answer.rows)
  if (history === undefined) {
    const detail = `No version of payment ${id} was captured`
    return problemResponse({ status: 404, code: 'NOT_FOUND', detail })
  }
  return answerJson(c, { answer: history, headers: freshnessHeaders(freshness) })
}

async function read(
  { answers, questions, promiseMs, now }: ApiRoutesOptions,
  name: string,
  filters: Filters,
): Promise<{ answer: Answer; freshness: Freshness }> {
  const question = QUESTIONS.get(name) ?? questions.get(name)
  if (question === undefined) throw new TypeError(`there is no question ${name}`)
  const answer = await answers.answer(question, filters)
  return { answer, freshness: freshnessOf(answer.head, { promiseMs, now: now() }) }
}

function answerJson(
  c: Context<ServerEnv>,
  {
    answer,
    headers,
    ...content
  }: { answer: object; headers: Readonly<Record<string, string>>; content?: string },
): Response {
  return answerTagged(c, {
    body: JSON.stringify(answer),
    headers: { 'content-type': 'application/json', ...headers },
    ...content,
  })
}
