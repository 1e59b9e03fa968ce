import { type Context, Hono } from 'hono'
import { html } from 'hono/html'
import { asCaptured, type Deps } from '../../../platform/deps.ts'
import { ConfigError } from '../../../platform/errors.ts'
import { readOrigins } from '../../../platform/inspect/origins.ts'
import { readHead } from '../../../platform/presentation/freshness.ts'
import { type FactHistory, findFact, readHistory } from '../../../platform/presentation/history.ts'
import type { Dashboard, FactWords } from '../../../platform/project/dashboard.ts'
import type { Fact } from '../../../platform/project/model.ts'
import type { Project } from '../../../platform/project/project.ts'
import { shorten } from '../../format.ts'
import type { ServerEnv } from '../access.ts'
import { pathOf } from '../auth.ts'
import { isReserved, logReserved, mayRead } from '../groups.ts'
import type { Markup } from '../markup.ts'
import type { AppLog } from '../../log.ts'
import { takes } from '../parameters.ts'
import type { Presentation } from '../presentation.ts'
import { problemResponse } from '../problem.ts'
import { textParameter } from '../question-parameters.ts'
import type { ServerExtension } from '../server-extension.ts'
import { renderPage } from './layout.ts'
import { readNames } from './order/names.ts'
import { renderOrigins } from './order/origins.ts'
import {
  MAX_KEY_CHARS,
  orderPath,
  renderSearch,
  type SearchFields,
  titleOf,
} from './order/search.ts'
import { renderState, renderTimeline } from './order/timeline.ts'
import { renderVersions, windowOf } from './order/versions.ts'

/** The labels of a project without pages of its own. */
const PLAIN: Pick<Dashboard, 'labels' | 'units'> = { labels: {} }

const SEARCH = [
  textParameter('table', 'The source table of the fact.'),
  textParameter('key', 'The number of the fact.'),
]
const WINDOW = [textParameter('until', 'The newest of the versions that are shown side by side.')]

/** What the routes of Order read. */
interface OrderContext {
  readonly presentation: Presentation
  /** What the project calls its facts, and where it shows them. */
  readonly words: FactWords
  readonly deps: Deps
  readonly extension: ServerExtension | undefined
  readonly log: AppLog
}

/**
 * One fact with all its versions, at the address that the project gives its facts, `GET
 * /find/<source table>/<key>` (the values of a key of several columns separated by commas), and `GET
 * /find`, a form that leads there. Each fact has one address: another name of the table, or another
 * spelling of the key, is redirected to it, and that address decides who may read the fact. A read of
 * what is reserved is logged with its subject.
 */
export function orderRoutes(opened: OrderContext): Hono<ServerEnv> {
  const { words } = opened
  const app = new Hono<ServerEnv>()

  app.get(words.path, takes(SEARCH), async (c) => {
    const context = await capturedContext(opened)
    const { project } = context.deps
    const { table, key = '' } = c.req.query()
    if (table === undefined) {
      const { find: title, summary, path } = words
      const body = renderSearch(factsOf(project), { table: '', key, path })
      return await answerPage(c, context, { title, summary, body })
    }
    const fact = findKnownFact(project, table)
    if (fact === undefined) return await answerUnknownTable(c, context, table)
    const trimmed = key.trim()
    if (trimmed !== '') return c.redirect(orderPath(words, fact, trimmed))
    const given = { table: fact.from, key: '' }
    return await answerNotFound(c, context, { summary: 'Enter a number to look for.', given })
  })

  app.get(`${words.path}/:table/:key`, takes(WINDOW), async (c) => {
    const context = await capturedContext(opened)
    const { project } = context.deps
    const { table, key } = c.req.param()
    const fact = findKnownFact(project, table)
    if (fact === undefined) return await answerUnknownTable(c, context, table)
    if (table !== fact.from) return c.redirect(orderPath(words, fact, key))
    // Checked again by the fact's own address, however the request was written.
    const { groups } = c.get('caller')
    if (!mayRead(orderPath(words, fact, key), groups, project)) return forbidden()
    return await answerFact(c, context, { fact, key })
  })
  return app
}

/** The context with the project as it was captured last. */
async function capturedContext(context: OrderContext): Promise<OrderContext> {
  return { ...context, deps: await asCaptured(context.deps) }
}

async function answerFact(
  c: Context<ServerEnv>,
  context: OrderContext,
  { fact, key }: { fact: Fact; key: string },
): Promise<Response> {
  const { presentation, words, deps, extension, log } = context
  const { project } = deps
  const given = { table: fact.from, key: shorten(key) }
  const found = await readVersions(presentation, fact, key)
  if (found === 'BAD_KEY') {
    const wanted = `the key of ${fact.from} is ${fact.key.join(', ')}`
    const summary = `“${shorten(key)}” cannot be a key: ${wanted}.`
    return await answerNotFound(c, context, { summary, given })
  }
  const { history, generation } = found
  const { versions, headline } = history
  const last = versions.at(-1)
  if (last === undefined) {
    const summary = `No version of ${titleOf(fact, shorten(key))} was captured. No run has seen it in ${project.title}, or it was refused.`
    return await answerNotFound(c, context, { summary, given })
  }
  const own = fact.key.map((name) => last.values[name] ?? '').join(',')
  if (own !== key) return c.redirect(orderPath(words, fact, own))

  const shown = windowOf(versions, c.req.query('until'))
  const [names, section, origins] = await Promise.all([
    readNames(presentation, { project, fact, versions }),
    extension?.readFactSection?.(c, presentation, { fact, key }),
    readOrigins(deps, fact, { versions: shown.versions, generation }),
  ])
  if (section?.isReserved === true || isReserved(orderPath(words, fact, key), project)) {
    const { subject } = c.get('caller')
    logReserved(log, project, { path: pathOf(c), status: 200, subject })
  }
  const { labels, units = {} } = project.presentation ?? PLAIN
  const named = { fact, labels, names, units }
  const body = html`${renderState(versions, project.title)}
    <div class="panels">
      ${renderTimeline(versions, named)} ${renderVersions(shown, history, named)}
      ${section?.content ?? ''} ${renderOrigins(origins, shown, fact)}
      <section class="panel wide off-paper" aria-labelledby="h-search">
        <h2 id="h-search">Find another</h2>
        ${renderSearch(factsOf(project), { table: fact.from, key: '', path: words.path })}
      </section>
    </div>`
  return await answerPage(c, context, { title: titleOf(fact, key), summary: headline, body })
}

async function answerPage(
  c: Context<ServerEnv>,
  { presentation, words }: OrderContext,
  {
    status = 200,
    summary,
    ...page
  }: { status?: 200 | 404; title: string; summary: string | undefined; body: Markup },
): Promise<Response> {
  const freshness = await presentation.freshness().catch(() => undefined)
  const about = summary === undefined ? {} : { summary }
  const body = renderPage({
    ...page,
    ...about,
    project: presentation.project,
    path: words.path,
    freshness,
  })
  return c.html(body, status, { 'cache-control': 'private, no-store' })
}

/** A page that says why there is no such fact, with the form to find another. */
async function answerNotFound(
  c: Context<ServerEnv>,
  context: OrderContext,
  { summary, given = { table: '', key: '' } }: { summary: string; given?: SearchFields },
): Promise<Response> {
  const { deps, words } = context
  const body = renderSearch(factsOf(deps.project), { ...given, path: words.path })
  return await answerPage(c, context, { status: 404, title: 'Not found', summary, body })
}

async function answerUnknownTable(
  c: Context<ServerEnv>,
  context: OrderContext,
  table: string,
): Promise<Response> {
  const known = factsOf(context.deps.project).map(({ from }) => from)
  const summary = `There is no history of a table called “${shorten(table)}”. These tables have one: ${known.join(', ')}.`
  return await answerNotFound(c, context, { summary })
}

function factsOf({ models }: Project): readonly Fact[] {
  return models.filter((model) => model.kind === 'fact')
}

function findKnownFact(project: Project, table: string): Fact | undefined {
  try {
    return findFact(project, table)
  } catch (error) {
    if (error instanceof ConfigError) return undefined
    throw error
  }
}

/** The versions of a fact and their generation, from one snapshot. */
async function readVersions(
  { reader }: Presentation,
  fact: Fact,
  key: string,
): Promise<{ history: FactHistory; generation: string } | 'BAD_KEY'> {
  if (key.length > MAX_KEY_CHARS) return 'BAD_KEY'
  try {
    return await reader.read(async (session) => ({
      generation: (await readHead(session)).generation,
      history: await readHistory(session, fact, fact.key.length === 1 ? [key] : key.split(',')),
    }))
  } catch (error) {
    if (error instanceof ConfigError && error.code === 'BAD_KEY') return 'BAD_KEY'
    throw error
  }
}

function forbidden(): Response {
  const detail = 'None of the groups in the token may read this'
  return problemResponse({ status: 403, code: 'GROUP_MISSING', detail })
}
