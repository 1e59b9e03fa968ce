import { type Context, Hono } from 'hono'
import { html } from 'hono/html'
import { TransientError } from '../../../platform/errors.ts'
import { withToday } from '../../../platform/presentation/answer.ts'
import { ask, type AskedRows } from '../../../platform/presentation/ask.ts'
import { csvHeader, csvLine, fileNameOf } from '../../../platform/presentation/csv.ts'
import { filtersOf, type Question } from '../../../platform/presentation/question.ts'
import { readRelations } from '../../../platform/presentation/relations.ts'
import type { ServerEnv } from '../access.ts'
import { pathOf } from '../auth.ts'
import type { AppLog } from '../../log.ts'
import { checkParameters, type Parameter, takes } from '../parameters.ts'
import type { Presentation } from '../presentation.ts'
import { problemResponse } from '../problem.ts'
import { textParameter } from '../question-parameters.ts'
import { renderQuestions, renderRelations } from './ask/choices.ts'
import { type Draft, draftOf, readDraft, renderEditor } from './ask/editor.ts'
import { type Outcome, renderOutcome } from './ask/outcome.ts'
import { renderPage } from './layout.ts'

/** What the page shows of an answer. */
const PAGE_LIMITS = { maxRows: 1000, maxBytes: 1_000_000 }
/** What the file holds of an answer, which is gathered before it is sent. */
export const CSV_LIMITS = { maxRows: 50_000, maxBytes: 16_000_000, timeoutMs: 30_000 }

/** What the routes of Ask read. */
interface AskContext {
  readonly presentation: Presentation
  readonly log: AppLog
}

/**
 * Ask with SQL. `GET /ask` shows the editor, and with `?question=` that question and its filters from
 * the address; it runs nothing, so a link never does. `POST /ask` runs the statement and shows the
 * answer below it, `POST /ask.csv` sends the answer as a file. Whatever goes wrong, the statement
 * stays in the page. A statement is never logged.
 */
export function askRoutes(context: AskContext): Hono<ServerEnv> {
  const { questions } = context.presentation
  const app = new Hono<ServerEnv>()

  app.get('/ask', async (c) => {
    const query = c.req.query()
    const question = questions.get(query['question'] ?? '')
    checkParameters(c, askParameters(question))
    return await answerPage(c, context, { draft: draftOf(question, query) })
  })

  app.post('/ask', takes(), async (c) => {
    const draft = await readDraft(c.req.raw)
    if (draft === undefined) return unreadable()
    const outcome = await runDraft(c, context, { draft, limits: PAGE_LIMITS })
    return await answerPage(c, context, { draft, outcome })
  })

  app.post('/ask.csv', takes(), async (c) => {
    const draft = await readDraft(c.req.raw)
    if (draft === undefined) return unreadable()
    const freshness = await context.presentation.freshness().catch(() => undefined)
    const outcome = await runDraft(c, context, { draft, limits: CSV_LIMITS })
    if ('away' in outcome || !outcome.isAnswered) {
      return await answerPage(c, context, { draft, outcome })
    }
    const completeTo = freshness?.completeTo ?? context.presentation.now().toISOString()
    const name = savedAs(draft, context.presentation)?.name ?? 'ask'
    return answerCsv(c, outcome, { draft, name, completeTo })
  })
  return app
}

/** What the address of the editor takes: a question, and its filters, which are only filled in. */
function askParameters(question: Question | undefined): readonly Parameter[] {
  const filters = question?.filters ?? []
  return [
    textParameter('question', 'A saved question to begin with.'),
    ...filters.map((name) => textParameter(name, `The filter ${name} of the question.`)),
  ]
}

/** The saved question that a draft began as, if its statement is still the same. */
function savedAs(
  { question: name, sql }: Draft,
  { questions }: Presentation,
): Question | undefined {
  const question = questions.get(name)
  return question?.sql.trim() === sql.trim() ? question : undefined
}

async function answerPage(
  c: Context<ServerEnv>,
  { presentation }: AskContext,
  { draft, outcome }: { draft: Draft; outcome?: Outcome },
): Promise<Response> {
  const [freshness, relations] = await Promise.all([
    presentation.freshness().catch(() => undefined),
    presentation.reader.read(readRelations).catch(() => []),
  ])
  const questions = [...presentation.questions.values()]
  const page = renderPage({
    title: 'Ask with SQL',
    path: '/ask',
    freshness,
    summary: 'One select over the star tables and their history. It reads, and changes nothing.',
    body: html`<div class="panels">
      ${renderEditor(draft, savedAs(draft, presentation))}
      ${outcome === undefined ? '' : renderOutcome(outcome, draft)}
      ${renderQuestions(questions, draft.question)} ${renderRelations(relations)}
    </div>`,
  })
  return c.html(page, statusOf(outcome), { 'cache-control': 'no-store' })
}

/** Runs a statement as the reader and logs that, without the statement. */
async function runDraft(
  c: Context<ServerEnv>,
  { presentation, log }: AskContext,
  {
    draft,
    limits,
  }: { draft: Draft; limits: { maxRows: number; maxBytes: number; timeoutMs?: number } },
): Promise<Outcome> {
  const { subject } = c.get('caller')
  try {
    const answer = await ask(presentation.reader, draft.sql, {
      ...limits,
      filters: withToday(draft.filters, presentation.now()),
      signal: c.req.raw.signal,
    })
    const found = answer.isAnswered
      ? { rows: answer.rows.length, durationMs: answer.durationMs }
      : { sqlState: answer.sqlState }
    log({ event: 'sql_asked', subject, ...found })
    return answer
  } catch (error) {
    if (!(error instanceof TransientError)) throw error
    const { code } = error
    log({ event: 'request_failed', level: 'warn', path: pathOf(c), status: 503, code })
    return { away: error }
  }
}

function answerCsv(
  c: Context<ServerEnv>,
  { columns, rows, isTruncated }: AskedRows,
  { draft, name, completeTo }: { draft: Draft; name: string; completeTo: string },
): Response {
  const text = csvHeader(columns) + rows.map((row) => csvLine(columns, row)).join('')
  const whole = `${name}${isTruncated ? `_first-${rows.length}-rows` : ''}`
  const given = filtersOf({ filters: Object.keys(draft.filters) }, draft.filters)
  const fileName = fileNameOf({ name: whole }, given, completeTo)
  return c.body(text, 200, {
    'content-type': 'text/csv; charset=utf-8; header=present',
    'content-disposition': `attachment; filename="${fileName}"`,
    'cache-control': 'no-store',
    'tidemark-truncated': String(isTruncated),
  })
}

function unreadable(): Response {
  const detail = 'The body is not a form'
  return problemResponse({ status: 400, code: 'BAD_FORM', detail })
}

function statusOf(outcome: Outcome | undefined): 200 | 400 | 503 {
  if (outcome === undefined) return 200
  if ('away' in outcome) return 503
  return outcome.isAnswered ? 200 : 400
}
