import { type Context, Hono } from 'hono'
import type { Deps } from '../../../platform/deps.ts'
import { TransientError } from '../../../platform/errors.ts'
import { withToday } from '../../../platform/presentation/answer.ts'
import { ask, type AskedRows, type AskRefusal } from '../../../platform/presentation/ask.ts'
import { csvHeader, csvLine, fileNameOf } from '../../../platform/presentation/csv.ts'
import { filtersOf, type Question } from '../../../platform/presentation/question.ts'
import { readRelations } from '../../../platform/presentation/relations.ts'
import type { ServerEnv } from '../access.ts'
import { pathOf } from '../auth.ts'
import type { Presentation } from '../presentation.ts'
import { problemResponse } from '../problem.ts'
import { renderQuestions, renderRelations } from './ask/choices.ts'
import { type Draft, draftOf, readDraft, renderEditor } from './ask/editor.ts'
import { type Outcome, renderOutcome } from './ask/outcome.ts'
import { renderPage } from './layout.ts'
import { html } from 'hono/html'

/** What a page shows of an answer; its table is to be looked at. */
const PAGE_LIMITS = { maxRows: 1000, maxBytes: 1_000_000 }
/** What a file takes of an answer; it is gathered before it is sent. */
export const CSV_LIMITS = { maxRows: 50_000, maxBytes: 16_000_000, timeoutMs: 30_000 }

/**
 * Ask with SQL: `GET /ask` shows the editor, `?question=` with that question in it and its filters
 * from the address, and runs nothing, so that a link never does. `POST /ask` runs the statement and
 * shows the answer below it, `POST /ask.csv` gives the answer as a file. Whatever goes wrong, the
 * statement stays in the page. A statement is never logged.
 */
export function askRoutes({
  presentation,
  deps,
}: {
  presentation: Presentation
  deps: Deps
}): Hono<ServerEnv> {
  const { reader, questions, now } = presentation
  const app = new Hono<ServerEnv>()

  /** The saved question, as long as the statement is still that. */
  const savedOf = ({ question: name, sql }: Draft): Question | undefined => {
    const question = questions.get(name)
    return question?.sql.trim() === sql.trim() ? question : undefined
  }

  const respond = async (c: Context<ServerEnv>, draft: Draft, outcome?: Outcome) => {
    const [freshness, relations] = await Promise.all([
      presentation.freshness().catch(() => undefined),
      reader.read(readRelations).catch(() => []),
    ])
    const body = html`<div class="panels">
      ${renderEditor(draft, savedOf(draft))}
      ${outcome === undefined ? '' : renderOutcome(outcome, draft)}
      ${renderQuestions([...questions.values()], draft.question)} ${renderRelations(relations)}
    </div>`
    const page = renderPage({
      title: 'Ask with SQL',
      path: '/ask',
      freshness,
      summary: 'One select over the stars and their history. It can read, and change nothing.',
      body,
    })
    return c.html(page, statusOf(outcome), { 'cache-control': 'no-store' })
  }

  const run = async (
    c: Context<ServerEnv>,
    draft: Draft,
    limits: { maxRows: number; maxBytes: number; timeoutMs?: number },
  ): Promise<AskedRows | AskRefusal | { readonly away: TransientError }> => {
    const filters = withToday(draft.filters, now())
    const { subject } = c.get('caller')
    try {
      const answer = await ask(reader, draft.sql, {
        ...limits,
        filters,
        signal: c.req.raw.signal,
      })
      const what = answer.isAnswered
        ? { rows: answer.rows.length, durationMs: answer.durationMs }
        : { sqlState: answer.sqlState }
      deps.log({ event: 'sql_asked', subject, ...what })
      return answer
    } catch (error) {
      if (!(error instanceof TransientError)) throw error
      const { code } = error
      deps.log({ event: 'request_failed', level: 'warn', path: pathOf(c), status: 503, code })
      return { away: error }
    }
  }

  app.get('/ask', async (c) => {
    const query = c.req.query()
    const question = questions.get(query['question'] ?? '')
    return await respond(c, draftOf(question, query))
  })

  app.post('/ask', async (c) => {
    const draft = await readDraft(c.req.raw)
    if (draft === undefined) return unreadable()
    return await respond(c, draft, await run(c, draft, PAGE_LIMITS))
  })

  app.post('/ask.csv', async (c) => {
    const draft = await readDraft(c.req.raw)
    if (draft === undefined) return unreadable()
    const freshness = await presentation.freshness().catch(() => undefined)
    const answer = await run(c, draft, CSV_LIMITS)
    if ('away' in answer || !answer.isAnswered) return await respond(c, draft, answer)
    const { columns, rows, isTruncated } = answer
    const text = csvHeader(columns) + rows.map((row) => csvLine(columns, row)).join('')
    const saved = savedOf(draft)
    const name = `${saved?.name ?? 'ask'}${isTruncated ? `_first-${rows.length}-rows` : ''}`
    const given = filtersOf({ filters: Object.keys(draft.filters) }, draft.filters)
    const fileName = fileNameOf({ name }, given, freshness?.completeTo ?? now().toISOString())
    return c.body(text, 200, {
      'content-type': 'text/csv; charset=utf-8; header=present',
      'content-disposition': `attachment; filename="${fileName}"`,
      'cache-control': 'no-store',
      'tidemark-truncated': String(isTruncated),
    })
  })
  return app
}

function unreadable(): Response {
  const detail = 'The body is no form'
  return problemResponse({ status: 400, code: 'BAD_FORM', detail })
}

function statusOf(outcome: Outcome | undefined): 200 | 400 | 503 {
  if (outcome === undefined) return 200
  if ('away' in outcome) return 503
  return outcome.isAnswered ? 200 : 400
}
