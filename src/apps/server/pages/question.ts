import { type Context, Hono } from 'hono'
import { html } from 'hono/html'
import type { Answer } from '../../../platform/presentation/answer.ts'
import type { Dashboard } from '../../../platform/project/dashboard.ts'
import type { Filters, Question } from '../../../platform/presentation/question.ts'
import type { Caller, ServerEnv } from '../access.ts'
import type { Markup } from '../markup.ts'
import { checkParameters, refusal } from '../parameters.ts'
import type { Presentation } from '../presentation.ts'
import { problemResponse } from '../problem.ts'
import { questionParameters } from '../question-parameters.ts'
import { renderAnswerRows } from './answer-rows.ts'
import { answerFile, DOWNLOAD_FORMATS, renderFileLinks } from './files.ts'
import { renderPage } from './layout.ts'
import { renderFailure } from './panel.ts'
import { linkTo } from './selection.ts'

/** Each question on its own: as a page with its SQL, and as a file. */
export function questionRoutes(presentation: Presentation, dashboard: Dashboard): Hono<ServerEnv> {
  const app = new Hono<ServerEnv>()
  const { questions, answers } = presentation

  for (const format of DOWNLOAD_FORMATS) {
    app.get(`/questions/:file{[a-z][a-z0-9_]*\\.${format}}`, async (c) => {
      const question = questions.get((c.req.param('file') ?? '').slice(0, -`.${format}`.length))
      if (question === undefined) return c.notFound()
      if (!maySee(question, c.get('caller'))) return forbidQuestion(question)
      return await answerFile(c, presentation, {
        format,
        question,
        filters: filtersIn(c, question),
      })
    })
  }

  app.get('/questions/:name{[a-z][a-z0-9_]*}', async (c) => {
    const question = questions.get(c.req.param('name'))
    if (question === undefined) return c.notFound()
    if (!maySee(question, c.get('caller'))) return forbidQuestion(question)
    const filters = filtersIn(c, question)
    const [freshness, answer] = await Promise.all([
      presentation.freshness().catch(() => undefined),
      answers.answer(question, filters).catch((error: unknown) => ({ error })),
    ])
    const body = html`<div class="panels">
      ${renderHeader(question, filters)} ${renderResult(answer, { question, dashboard })}
      ${renderSql(question)}
    </div>`
    return c.html(
      renderPage({
        project: presentation.project,
        title: question.title,
        path: '/questions',
        freshness,
        summary: html`<code>${question.name}.sql</code>, which also runs by hand in psql.`,
        body,
      }),
    )
  })
  return app
}

/**
 * The filters in an address. Throws `ProblemError` (400) for one that the question cannot have, or if
 * the period ends before it begins.
 */
function filtersIn(c: Context<ServerEnv>, question: Question): Filters {
  const parameters = questionParameters(question)
  const given = checkParameters(c, parameters)
  const [from, to] = [given.get('from'), given.get('to')]
  if (from !== undefined && to !== undefined && to < from) {
    const why = `must not be before “from” (${from})`
    throw refusal({ name: 'to', code: 'BAD_FILTER', why, parameters })
  }
  return Object.fromEntries(given)
}

/** Whether a question is for the caller. */
export function maySee({ access }: Question, { groups }: Caller): boolean {
  return access === undefined || groups.has(access)
}

/** The refusal of a question that is for another group. */
export function forbidQuestion({ access }: Question): Response {
  const detail = `Only the group ${access} may see this`
  return problemResponse({ status: 403, code: 'GROUP_MISSING', detail })
}

/** What the header of the file says, and the filters that are set. */
function renderHeader({ name, grain, unit, filters: known }: Question, filters: Filters): Markup {
  const given = Object.entries(filters).flatMap(([filter, value = '']): [string, string][] =>
    known.includes(filter) && value !== '' ? [[filter, value]] : [],
  )
  const params = Object.fromEntries(given)
  return html`<section class="panel wide" aria-label="About this question">
    <dl class="pairs">
      <dt>Grain</dt>
      <dd>${grain}</dd>
      ${
        unit === undefined
          ? ''
          : html`<dt>Unit</dt>
              <dd>${unit}</dd>`
      }
      <dt>Filters</dt>
      <dd>${known.length === 0 ? 'none' : known.join(', ')}</dd>
      ${given.map(
        ([filter, value]) =>
          html`<dt><code>${filter}</code></dt>
            <dd>${value}</dd>`,
      )}
    </dl>
    <div class="links">
      ${renderFileLinks(`/questions/${name}`, linkTo('', params))}
      <a href="${linkTo('/ask', { question: name }, params)}">Open in Ask</a>
    </div>
  </section>`
}

function renderResult(
  answer: Answer | { readonly error: unknown },
  { question, dashboard }: { question: Question; dashboard: Dashboard },
): Markup {
  return html`<section class="panel wide" aria-labelledby="h-result">
    <h2 id="h-result">Result</h2>
    ${
      'error' in answer
        ? renderFailure(answer.error)
        : answer.rows.length === 0
          ? html`<p class="empty">No rows. Give other filters, or none.</p>`
          : renderAnswerRows(answer, { dashboard, label: question.title })
    }
  </section>`
}

/** The SQL of a question, to be read. */
export function renderSql({ sql }: Question): Markup {
  return html`<section class="panel wide" aria-labelledby="h-sql">
    <h2 id="h-sql">SQL</h2>
    <pre
      class="code"
      tabindex="0"
      role="region"
      aria-label="SQL of the question"
    ><code>${sql}</code></pre>
  </section>`
}
