import { Hono } from 'hono'
import { html } from 'hono/html'
import type { AskedRows } from '../../../platform/presentation/ask.ts'
import type {
  SavedQuestion,
  SavedQuestions,
} from '../../../platform/presentation/saved-questions.ts'
import { sideBySide } from '../../../platform/io/side-by-side.ts'
import type { ServerEnv } from '../access.ts'
import type { Markup } from '../markup.ts'
import { takes } from '../parameters.ts'
import { isDrawn, renderChart } from './ask/chart.ts'
import { renderButton } from './ask/keep.ts'
import {
  describeSize,
  isAnswered,
  type Outcome,
  renderFailedOutcome,
  renderAskedRows,
} from './ask/outcome.ts'
import { type AskContext, runDraft } from './ask/run-draft.ts'
import { renderFileLinks } from './files.ts'
import { renderPage } from './layout.ts'

/** What the page shows of each answer, and how many run at once. */
const PANEL_LIMITS = { maxRows: 200, maxBytes: 500_000, timeoutMs: 8000 }
const WIDTH = 2

/** My page: the answers to the saved questions that a person has put on it, as they are now. */
export function myRoutes(context: AskContext): Hono<ServerEnv> {
  const { presentation } = context
  const app = new Hono<ServerEnv>()
  app.get('/my', takes(), async (c) => {
    const [freshness, chosen] = await Promise.all([
      presentation.freshness().catch(() => undefined),
      readChosen(presentation.saved, c.get('caller').subject),
    ])
    const panels =
      typeof chosen === 'string'
        ? renderNone(chosen)
        : await sideBySide(chosen, { width: WIDTH }, async (question) =>
            renderPanel(
              question,
              await runDraft(c, context, { draft: question, limits: PANEL_LIMITS }),
            ),
          )
    const page = renderPage({
      project: presentation.project,
      title: 'My page',
      path: '/my',
      freshness,
      summary: 'The saved questions that you have chosen.',
      body: html`<div class="panels">${panels}</div>`,
    })
    return c.html(page, 200, { 'cache-control': 'no-store' })
  })
  return app
}

type None = 'off' | 'away' | 'empty'

async function readChosen(
  store: SavedQuestions | undefined,
  subject: string,
): Promise<readonly SavedQuestion[] | None> {
  if (store === undefined) return 'off'
  const chosen = await store.pageOf(subject).catch((): None => 'away')
  return chosen.length === 0 ? 'empty' : chosen
}

function renderNone(none: None): Markup {
  const says = {
    off: html`Nothing can be saved here. <code>TIDEMARK_SAVER_URL</code> switches it on.`,
    away: html`The saved questions cannot be read now. Load this page again in a moment.`,
    empty: html`Nothing yet. <a href="/ask">Ask</a> a question, save it below its answer, and choose
      “Put on My page”.`,
  }
  return html`<section class="panel wide" aria-label="Nothing to show">
    <p class="empty"><span>${says[none]}</span></p>
  </section>`
}

/** An answer with its table folded below its chart, or open if there is no chart. */
function renderPanel(question: SavedQuestion, outcome: Outcome): Markup {
  const { name, title, sql } = question
  const id = `h-${name}`
  const { shown, folded } = isAnswered(outcome)
    ? renderAnswer(outcome, question)
    : { shown: renderFailedOutcome(outcome, sql), folded: '' }
  return html`<section class="panel" aria-labelledby="${id}">
    <h2 id="${id}"><a href="/ask?saved=${name}">${title}</a></h2>
    ${shown}
    <div class="links">
      ${folded} ${renderFileLinks('/ask', `?saved=${name}`)}
      ${renderButton('/my/remove', name, 'Take off')}
    </div>
  </section>`
}

function renderAnswer(
  answer: AskedRows,
  { name, title, chart }: SavedQuestion,
): { shown: Markup; folded: Markup | '' } {
  const size = html`<p class="note">${describeSize(answer)}</p>`
  const table = renderAskedRows(answer, title)
  if (!isDrawn(answer, chart)) return { shown: html`${size} ${table}`, folded: '' }
  const folded = html`<details id="t-${name}">
    <summary>Show as table</summary>
    ${table}
  </details>`
  return { shown: html`${size} ${renderChart(answer, chart)}`, folded }
}
