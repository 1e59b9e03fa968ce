import { readFileSync } from 'node:fs'
import { type Context, Hono } from 'hono'
import { html } from 'hono/html'
import { freshnessOf } from '../../../platform/presentation/freshness.ts'
import { readList, sortedQuestion } from '../../../platform/presentation/list.ts'
import { type CursorScope, placeIn } from '../../../platform/presentation/list-cursor.ts'
import { parseQuestion, type Question } from '../../../platform/presentation/question.ts'
import type { Dashboard, List, Page, Sort } from '../../../platform/project/dashboard.ts'
import type { AppLog } from '../../log.ts'
import type { ServerEnv } from '../access.ts'
import { pathOf } from '../auth.ts'
import { logReserved } from '../groups.ts'
import type { Markup } from '../markup.ts'
import { checkParameters, type Parameter, refusal } from '../parameters.ts'
import type { Presentation } from '../presentation.ts'
import { pageParameters } from '../question-parameters.ts'
import { readChoices } from './business.ts'
import { answerFile, DOWNLOAD_FORMATS, type DownloadFormat } from './files.ts'
import { renderFilters, renderListSearch, renderPaperFacts } from './filters.ts'
import { renderPage } from './layout.ts'
import { listPath } from './leads.ts'
import { renderRows, sortText } from './list/rows.ts'
import { forbidQuestion, maySee, renderSql } from './question.ts'
import { type AnyFilter, readSelection, type Selection, shorterAddress } from './selection.ts'

/** How many rows are on a page. */
const PAGE_ROWS = 50

/** What the routes of the lists read. */
export interface ListContext {
  readonly presentation: Presentation
  readonly dashboard: Dashboard
  readonly log: AppLog
}

/** A list with all that its page is made from. */
interface OpenList {
  readonly list: List
  readonly question: Question
  /** The list as a page of the dashboard, for its filters. */
  readonly page: Page
  readonly filters: readonly AnyFilter[]
  readonly parameters: readonly Parameter[]
}

/**
 * The lists of the dashboard: `GET /list/<name>`, a page of rows at a time, and
 * `GET /list/<name>.csv` or `.xlsx`, all rows that meet the filters. A value that a filter cannot
 * have is named on the page; the file, and a cursor or an order that is not valid, are refused
 * (400). A read of a list that one group may see is logged with its subject.
 */
export function listRoutes(context: ListContext): Hono<ServerEnv> {
  const app = new Hono<ServerEnv>()
  for (const each of context.dashboard.lists ?? []) {
    const open = openList(each, context.dashboard)
    app.get(open.page.path, async (c) =>
      logged(c, context, open, await answerPage(c, context, open)),
    )
    for (const format of DOWNLOAD_FORMATS) {
      app.get(`${open.page.path}.${format}`, async (c) =>
        logged(c, context, open, await answerRows(c, context, { ...open, format })),
      )
    }
  }
  return app
}

function openList(list: List, dashboard: Dashboard): OpenList {
  const { title, summary, periodOf, own } = list
  const filters: readonly AnyFilter[] = [...own, ...dashboard.filters]
  const page: Page = {
    path: listPath(list),
    title,
    summary,
    filters: [...own.map(({ name }) => name), ...list.filters],
    ...(periodOf === undefined ? {} : { periodOf }),
    standardPeriod: 'all',
    panels: [],
  }
  const sort: Parameter = {
    name: 'sort',
    description: 'The column to sort by; descending with a hyphen in front.',
    example: sortText(list.sort),
    values: {
      kind: 'choice',
      values: Object.keys(list.sorts).flatMap((column) => [column, `-${column}`]),
    },
    mayBeEmpty: true,
  }
  return {
    list,
    question: parseQuestion(readFileSync(list.sql, 'utf8')),
    page,
    filters,
    parameters: [...pageParameters(page, filters), sort],
  }
}

const CURSOR: Parameter = {
  name: 'cursor',
  description: 'Where the page begins: from a link of the page beside it.',
  example: '',
  values: {
    kind: 'pattern',
    pattern: '^[A-Za-z0-9_-]{1,2000}$',
    what: 'from a link of the page beside it',
  },
  mayBeEmpty: true,
}

/** What an address asks of a list. */
interface Asked {
  readonly selection: Selection
  readonly sort: Sort
  readonly choices: Awaited<ReturnType<typeof readChoices>>
  readonly given: ReadonlyMap<string, string>
}

async function readAsked(
  c: Context<ServerEnv>,
  { presentation, dashboard }: ListContext,
  { list, page, filters, parameters }: OpenList,
): Promise<Asked> {
  const given = checkParameters(c, parameters)
  const choices = await readChoices(list, { presentation, dashboard })
  const read = readSelection(c.req.query(), {
    page,
    dashboard: { filters },
    choices,
    now: presentation.now(),
  })
  const sort = parseSort(given.get('sort')) ?? list.sort
  // Links keep the order as they keep the filters.
  const isStandard = sortText(sort) === sortText(list.sort)
  const params = isStandard ? read.params : { ...read.params, sort: sortText(sort) }
  return { selection: { ...read, params }, sort, choices, given }
}

async function answerPage(
  c: Context<ServerEnv>,
  context: ListContext,
  open: OpenList,
): Promise<Response> {
  const { list, question, page, filters } = open
  if (!maySee(question, c.get('caller'))) return forbidQuestion(question)
  const { presentation } = context
  const parameters = [...open.parameters, CURSOR]
  const asked = await readAsked(c, context, { ...open, parameters })
  const shorter = shorterAddress(page.path, c.req.query())
  if (shorter !== undefined) return c.redirect(shorter)
  const { selection, sort, choices, given } = asked
  const scope: CursorScope = { list, sort, filters: selection.params }
  const place = placeOf(given.get('cursor'), { scope, parameters })
  const found = await readList(presentation.reader, {
    list,
    question,
    filters: selection.filters,
    sort,
    place,
    rowCount: PAGE_ROWS,
  })
  const { project, promiseMs, now } = presentation
  const dashboard = { ...context.dashboard, filters }
  const shown = { page, dashboard, choices }
  const body = html`<div class="panels">
    ${renderRows(found, { list, scope, selection, ...shown })} ${renderStatement(question)}
  </div>`
  const rendered = renderPage({
    project,
    title: list.title,
    path: list.page,
    freshness: freshnessOf(found.head, { promiseMs, now: now() }),
    summary: list.summary,
    filters: html`${renderListSearch(selection, shown)} ${renderFilters(selection, shown)}
    ${renderPaperFacts(selection, shown)}`,
    body,
  })
  return c.html(rendered, 200, { 'cache-control': 'private, no-cache' })
}

/** Where a cursor says that the page begins. Throws `ProblemError` (400) if it is not for this list. */
function placeOf(
  cursor: string | undefined,
  { scope, parameters }: { scope: CursorScope; parameters: readonly Parameter[] },
): ReturnType<typeof asPlace> {
  return cursor === undefined ? undefined : asPlace(placeIn(cursor, scope), parameters)
}

function asPlace(
  place: ReturnType<typeof placeIn>,
  parameters: readonly Parameter[],
): Exclude<typeof place, string> | undefined {
  if (typeof place !== 'string') return place
  const why =
    place === 'other list'
      ? 'belongs to other filters or another order: leave it out to begin with the first row'
      : `must be ${CURSOR.values.kind === 'pattern' ? CURSOR.values.what : ''}`
  throw refusal({ name: CURSOR.name, code: 'BAD_FILTER', why, parameters })
}

async function answerRows(
  c: Context<ServerEnv>,
  context: ListContext,
  open: OpenList & { readonly format: DownloadFormat },
): Promise<Response> {
  const { list, question, parameters, format } = open
  if (!maySee(question, c.get('caller'))) return forbidQuestion(question)
  const { selection, sort } = await readAsked(c, context, open)
  // A file cannot say that a filter was left out.
  for (const [name, { why }] of Object.entries(selection.faults)) {
    throw refusal({ name, code: 'BAD_FILTER', why: `is not valid. ${why}`, parameters })
  }
  return await answerFile(c, context.presentation, {
    format,
    question: sortedQuestion(list, question, sort),
    filters: selection.filters,
  })
}

function logged(
  c: Context<ServerEnv>,
  { presentation, log }: ListContext,
  { question }: OpenList,
  response: Response,
): Response {
  if (question.access !== undefined) {
    const { subject } = c.get('caller')
    logReserved(log, presentation.project, { path: pathOf(c), status: response.status, subject })
  }
  return response
}

function renderStatement(question: Question): Markup {
  return html`<section class="panel wide" aria-label="SQL">
    <details id="sql">
      <summary>SQL</summary>
      ${renderSql(question)}
    </details>
  </section>`
}

function parseSort(text: string | undefined): Sort | undefined {
  if (text === undefined) return undefined
  return { column: text.replace(/^-/, ''), isDescending: text.startsWith('-') }
}
