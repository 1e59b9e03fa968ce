import { Hono } from 'hono'
import { html } from 'hono/html'
import { TidemarkError } from '../../../platform/errors.ts'
import type { Answer } from '../../../platform/presentation/answer.ts'
import type { Choice, Dashboard, Page } from '../../../platform/project/dashboard.ts'
import type { Caller, ServerEnv } from '../access.ts'
import type { Markup } from '../markup.ts'
import { takes } from '../parameters.ts'
import type { Presentation } from '../presentation.ts'
import { pageParameters } from '../question-parameters.ts'
import { renderAsOf, renderFilters, renderLead, renderPaperFacts } from './filters.ts'
import { renderPage } from './layout.ts'
import { leadTo } from './leads.ts'
import { renderPanel, renderWithheld } from './panel.ts'
import { maySee } from './question.ts'
import { linkTo, readSelection, type Selection, shorterAddress } from './selection.ts'

/** The pages of the project's dashboard. */
export function businessRoutes(presentation: Presentation, dashboard: Dashboard): Hono<ServerEnv> {
  const app = new Hono<ServerEnv>()
  for (const page of dashboard.pages) {
    app.get(page.path, takes(pageParameters(page, dashboard.filters)), async (c) => {
      const query = c.req.query()
      const shorter = shorterAddress(page.path, query)
      if (shorter !== undefined) return c.redirect(shorter)
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
  return app
}

interface BusinessOptions {
  readonly presentation: Presentation
  readonly dashboard: Dashboard
  readonly query: Readonly<Record<string, string>>
  readonly caller: Caller
}

/** Renders a page of panels. A question that fails says so in its own panel. */
async function renderBusiness(
  page: Page,
  { presentation, dashboard, query, caller }: BusinessOptions,
): Promise<Markup> {
  const { title, path, summary } = page
  const { project, questions, now } = presentation
  const freshness = await presentation.freshness()
  const choices = await readChoices(page, { presentation, dashboard })
  const selection = readSelection(query, { page, dashboard, choices, now: now() })
  const lead = renderLead(selection, { page, dashboard, choices })
  if (page.needs !== undefined && selection.params[page.needs] === undefined) {
    const body = renderChooser(page, choices.get(page.needs) ?? [], selection.params)
    return renderPage({ project, title, path, freshness, summary, filters: lead, body })
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
      return renderPanel({ panel, question, answer, selection, dashboard, page })
    }),
  )
  const chosen = choices
    .get(page.needs ?? '')
    ?.find(({ value }) => value === selection.params[page.needs ?? ''])
  return renderPage({
    project,
    title: chosen?.label ?? title,
    path,
    freshness,
    summary,
    filters: html`${renderRelated(page, selection.params, dashboard)} ${lead}
    ${renderFilters(selection, { page, dashboard, choices })} ${renderAsOf(selection, page)}
    ${renderPaperFacts(selection, { page, dashboard, choices })}`,
    body: html`<div class="panels">${panels}</div>`,
  })
}

/** Links to the lists in which everything on the page can be looked up, with its filters. */
function renderRelated({ related = [] }: Page, params: Selection['params'], dashboard: Dashboard) {
  if (related.length === 0) return html``
  const { period: _period, from: _from, to: _to, ...others } = params
  return html`<nav class="links related" aria-label="Lists">
    ${related.map(({ title, to }) => html`<a href="${leadTo(to, others, dashboard)}">${title}</a>`)}
  </nav>`
}

/** The choices of each filter of a page. A filter whose question fails offers nothing and checks nothing. */
export async function readChoices(
  { filters }: Pick<Page, 'filters'>,
  { presentation, dashboard }: Pick<BusinessOptions, 'presentation' | 'dashboard'>,
): Promise<ReadonlyMap<string, readonly Choice[]>> {
  const { questions, answers } = presentation
  const entries = await Promise.all(
    dashboard.filters.map(async (filter): Promise<[string, readonly Choice[]][]> => {
      if (!('options' in filter) || !filters.includes(filter.name)) return []
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

/** Renders the choices of a page that needs one before it can show anything. */
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
