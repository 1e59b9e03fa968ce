import { Hono } from 'hono'
import { html } from 'hono/html'
import { TidemarkError } from '../../../platform/errors.ts'
import type { Answer } from '../../../platform/presentation/answer.ts'
import { openCsv } from '../../../platform/presentation/csv.ts'
import type { Dashboard, Page } from '../../../platform/presentation/page.ts'
import type { Filters, Question } from '../../../platform/presentation/question.ts'
import type { Caller, ServerEnv } from '../access.ts'
import type { Markup } from '../markup.ts'
import type { Presentation } from '../presentation.ts'
import { problemResponse } from '../problem.ts'
import {
  type Choice,
  linkTo,
  readSelection,
  renderAsOf,
  renderFilters,
  renderLead,
} from './filters.ts'
import { renderPage } from './layout.ts'
import { renderFailure, renderPanel, renderTable, renderWithheld } from './panel.ts'

/** The project's pages, and each question on its own: as a page with its SQL, and as CSV. */
export function businessRoutes(presentation: Presentation, dashboard: Dashboard): Hono<ServerEnv> {
  const app = new Hono<ServerEnv>()
  const { questions, answers, reader, now } = presentation

  for (const page of dashboard.pages) {
    app.get(page.path, async (c) => {
      const query = c.req.query()
      const given = Object.entries(query).filter(([, value]) => value !== '')
      // A form sends its empty fields too; the address is kept short and the same for the same page.
      if (given.length < Object.keys(query).length) {
        return c.redirect(linkTo(page.path, Object.fromEntries(given)))
      }
      const body = await renderBusiness(page, {
        presentation,
        dashboard,
        query,
        caller: c.get('caller'),
      })
      c.header('cache-control', 'private, no-cache')
      return c.html(body)
    })
  }

  app.get('/questions/:file{[a-z][a-z0-9_]*\\.csv}', async (c) => {
    const question = questions.get(c.req.param('file').slice(0, -4))
    if (question === undefined) return c.notFound()
    if (!maySee(question, c.get('caller'))) return refuse(question)
    const { fileName, body } = await openCsv(reader, question, {
      filters: c.req.query(),
      signal: c.req.raw.signal,
      now,
    })
    return new Response(body, {
      headers: {
        'content-type': 'text/csv; charset=utf-8; header=present',
        'content-disposition': `attachment; filename="${fileName}"`,
        'cache-control': 'private, no-cache',
      },
    })
  })

  app.get('/questions/:name{[a-z][a-z0-9_]*}', async (c) => {
    const question = questions.get(c.req.param('name'))
    if (question === undefined) return c.notFound()
    if (!maySee(question, c.get('caller'))) return refuse(question)
    const filters: Filters = c.req.query()
    const [freshness, answer] = await Promise.all([
      presentation.freshness().catch(() => undefined),
      answers.answer(question, filters).catch((error: unknown) => ({ error })),
    ])
    const given = Object.entries(filters).filter(
      ([name, value]) => question.filters.includes(name) && value !== '',
    )
    const known = Object.fromEntries(given) as Record<string, string>
    const query = linkTo('', known)
    const body = html`<div class="panels">
      <section class="panel wide" aria-label="About this question">
        <dl class="pairs">
          <dt>Grain</dt>
          <dd>${question.grain}</dd>
          ${
            question.unit === undefined
              ? ''
              : html`<dt>Unit</dt>
                  <dd>${question.unit}</dd>`
          }
          <dt>Filters</dt>
          <dd>${question.filters.length === 0 ? 'none' : question.filters.join(', ')}</dd>
          ${given.map(
            ([name, value]) =>
              html`<dt><code>${name}</code></dt>
                <dd>${value}</dd>`,
          )}
        </dl>
        <div class="links">
          <a href="/questions/${question.name}.csv${query}" download>CSV</a>
          <a href="${linkTo('/ask', { question: question.name }, known)}">Open in Ask</a>
        </div>
      </section>
      <section class="panel wide" aria-labelledby="h-result">
        <h2 id="h-result">Result</h2>
        ${
          'error' in answer
            ? renderFailure(answer.error)
            : answer.rows.length === 0
              ? html`<p class="empty">No rows. Give other filters, or none.</p>`
              : renderTable(answer, { dashboard, label: question.title })
        }
      </section>
      <section class="panel wide" aria-labelledby="h-sql">
        <h2 id="h-sql">SQL</h2>
        <pre
          class="code"
          tabindex="0"
          role="region"
          aria-label="SQL of the question"
        ><code>${question.sql}</code></pre>
      </section>
    </div>`
    return c.html(
      renderPage({
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

interface BusinessOptions {
  readonly presentation: Presentation
  readonly dashboard: Dashboard
  readonly query: Readonly<Record<string, string>>
  readonly caller: Caller
}

/** Whether a question is for the caller. */
function maySee({ access }: Question, { groups }: Caller): boolean {
  return access === undefined || groups.has(access)
}

function refuse({ access }: Question): Response {
  const detail = `This is shown to the group ${access} only`
  return problemResponse({ status: 403, code: 'GROUP_MISSING', detail })
}

/** A page of panels. One question that fails shows so in its own place. */
async function renderBusiness(
  page: Page,
  { presentation, dashboard, query, caller }: BusinessOptions,
): Promise<Markup> {
  const { title, path, summary } = page
  const { questions, now } = presentation
  const freshness = await presentation.freshness()
  const choices = await readChoices(page, { presentation, dashboard })
  const selection = readSelection(query, { page, dashboard, choices, now: now() })
  const lead = renderLead(selection, { page, dashboard, choices })
  if (page.needs !== undefined && selection.params[page.needs] === undefined) {
    const body = renderChooser(page, choices.get(page.needs) ?? [], selection.params)
    return renderPage({ title, path, freshness, summary, filters: lead, body })
  }
  const shown = page.panels.filter(
    ({ needs }) => needs === undefined || selection.params[needs] !== undefined,
  )
  const panels = await Promise.all(
    shown.map(async (panel) => {
      const question = questions.get(panel.question)
      if (question === undefined) throw new TypeError(`there is no question ${panel.question}`)
      if (!maySee(question, caller)) return renderWithheld({ panel, question })
      const answer: Answer | { error: unknown } = await presentation.answers
        .answer(question, selection.filters)
        .catch((error: unknown) => ({ error }))
      return renderPanel({ panel, question, answer, selection, dashboard })
    }),
  )
  const chosen = choices
    .get(page.needs ?? '')
    ?.find(({ value }) => value === selection.params[page.needs ?? ''])
  return renderPage({
    title: chosen?.label ?? title,
    path,
    freshness,
    summary,
    filters: html`${lead} ${renderFilters(selection, { page, dashboard, choices })}
    ${renderAsOf(selection, page)}`,
    body: html`<div class="panels">${panels}</div>`,
  })
}

/** What each filter of a page offers. One whose question fails offers nothing and checks nothing. */
async function readChoices(
  page: Page,
  { presentation, dashboard }: Pick<BusinessOptions, 'presentation' | 'dashboard'>,
): Promise<ReadonlyMap<string, readonly Choice[]>> {
  const { questions, answers } = presentation
  const entries = await Promise.all(
    dashboard.filters.map(async (filter): Promise<[string, readonly Choice[]][]> => {
      if (filter.kind === 'period' || !page.filters.includes(filter.name)) return []
      const question = questions.get(filter.options)
      if (question === undefined) throw new TypeError(`there is no question ${filter.options}`)
      try {
        const { rows } = await answers.answer(question)
        const found = rows.map(([value, label]) => ({ value: value ?? '', label: label ?? '' }))
        return [[filter.name, found]]
      } catch (error) {
        if (error instanceof TidemarkError) return []
        throw error
      }
    }),
  )
  return new Map(entries.flat())
}

/** What to choose from on a page that says nothing without a choice. */
function renderChooser(
  page: Page,
  choices: readonly Choice[],
  params: Readonly<Record<string, string>>,
): Markup {
  if (choices.length === 0) {
    return html`<p class="empty">There is nothing to choose from yet. The next run brings it.</p>`
  }
  return html`<ul class="choices">
    ${choices.map(
      ({ value, label }) =>
        html`<li>
          <a href="${linkTo(page.path, params, { [page.needs ?? '']: value })}">${label}</a>
        </li>`,
    )}
  </ul>`
}
