import { type Context, Hono } from 'hono'
import { html } from 'hono/html'
import type { Deps } from '../../../platform/deps.ts'
import { ConfigError } from '../../../platform/errors.ts'
import { readOrigins } from '../../../platform/origins.ts'
import { readHead } from '../../../platform/presentation/freshness.ts'
import { type FactHistory, findFact, readHistory } from '../../../platform/presentation/history.ts'
import type { Fact, Project } from '../../../platform/project.ts'
import { shorten } from '../../format.ts'
import type { ServerEnv } from '../access.ts'
import { groupsFor, pathOf } from '../auth.ts'
import type { Markup } from '../markup.ts'
import type { Presentation } from '../presentation.ts'
import { problemResponse } from '../problem.ts'
import { renderPage } from './layout.ts'
import { readNames } from './order/names.ts'
import { renderOrigins } from './order/origins.ts'
import { mayRead, readPayments, renderPayments } from './order/payments.ts'
import { MAX_KEY_CHARS, orderPath, renderSearch, titleOf } from './order/search.ts'
import { renderState, renderTimeline } from './order/timeline.ts'
import { renderVersions, windowOf } from './order/versions.ts'

/** What columns are called where the project declares no pages of its own. */
const PLAIN = { labels: {}, links: {} }

/**
 * One fact with all its versions, `GET /order/<source table>/<key>`, a key of several columns with
 * commas; and `GET /order`, a form that leads there. There is one address for each: another name of
 * the table or another way to write the key is sent on to it, and who may read it is decided by
 * that address. A read that shows payments is logged with its subject.
 */
export function orderRoutes({
  presentation,
  deps,
}: {
  presentation: Presentation
  deps: Deps
}): Hono<ServerEnv> {
  const { project } = deps
  const facts = project.models.filter((model) => model.kind === 'fact')
  const dashboard = project.presentation ?? PLAIN
  const app = new Hono<ServerEnv>()

  const respond = async (
    c: Context<ServerEnv>,
    {
      status = 200,
      summary,
      ...page
    }: { status?: 200 | 404; title: string; summary: string | undefined; body: Markup },
  ) => {
    const freshness = await presentation.freshness().catch(() => undefined)
    const about = summary === undefined ? {} : { summary }
    const body = renderPage({ ...page, ...about, path: '/order', freshness })
    return c.html(body, status, { 'cache-control': 'private, no-store' })
  }
  const notFound = (c: Context<ServerEnv>, summary: string, given = { table: '', key: '' }) =>
    respond(c, { status: 404, title: 'Not found', summary, body: renderSearch(facts, given) })
  const unknownTable = (c: Context<ServerEnv>, table: string) => {
    const known = facts.map(({ from }) => from).join(', ')
    const what = `There is no history of a table called “${shorten(table)}”`
    return notFound(c, `${what}. There is one of: ${known}.`)
  }

  app.get('/order', async (c) => {
    const { table, key = '' } = c.req.query()
    if (table === undefined) {
      const summary = 'Every order and payment with all its versions, deleted ones too.'
      const body = renderSearch(facts, { table: '', key })
      return await respond(c, { title: 'Find an order', summary, body })
    }
    const fact = findKnownFact(project, table)
    if (fact === undefined) return await unknownTable(c, table)
    const trimmed = key.trim()
    if (trimmed !== '') return c.redirect(orderPath(fact, trimmed))
    return await notFound(c, 'Give a number to look for.', { table: fact.from, key: '' })
  })

  app.get('/order/:table/:key', async (c) => {
    const { table, key } = c.req.param()
    const fact = findKnownFact(project, table)
    if (fact === undefined) return await unknownTable(c, table)
    if (table !== fact.from) return c.redirect(orderPath(fact, key))
    // Once more by the name of the fact itself, however the address was written.
    if (!mayRead(c, orderPath(fact, key))) return forbidden()
    const given = { table: fact.from, key: shorten(key) }
    const found = await readVersions(presentation, fact, key)
    if (found === 'BAD_KEY') {
      const wanted = `${project.title}'s ${fact.from} goes by ${fact.key.join(', ')}`
      return await notFound(c, `“${shorten(key)}” cannot be a key: ${wanted}.`, given)
    }
    const { history, generation } = found
    const { versions, headline } = history
    const last = versions.at(-1)
    if (last === undefined) {
      const summary = `${titleOf(fact, shorten(key))} has never been seen: ${project.title} never had it, or not for as long as from one run to the next.`
      return await notFound(c, summary, given)
    }
    const own = fact.key.map((name) => last.values[name] ?? '').join(',')
    if (own !== key) return c.redirect(orderPath(fact, own))

    const shown = windowOf(versions, c.req.query('until'))
    const [names, payments, origins] = await Promise.all([
      readNames(presentation, { project, fact, versions }),
      readPayments(c, presentation, { table: fact.from, key }),
      readOrigins(deps, fact, { versions: shown.versions, generation }),
    ])
    if (payments?.kind === 'answer' || !groupsFor(orderPath(fact, key)).includes('analyst')) {
      const { subject } = c.get('caller')
      deps.log({ event: 'payments_read', path: pathOf(c), status: 200, subject })
    }
    const context = { fact, labels: dashboard.labels, names }
    const body = html`${renderState(versions, project.title)}
      <div class="panels">
        ${renderTimeline(versions, context)} ${renderVersions(shown, history, context)}
        ${renderPayments(payments, dashboard)} ${renderOrigins(origins, shown, fact)}
        <section class="panel wide" aria-labelledby="h-search">
          <h2 id="h-search">Find another</h2>
          ${renderSearch(facts, { table: fact.from, key: '' })}
        </section>
      </div>`
    return await respond(c, { title: titleOf(fact, key), summary: headline, body })
  })
  return app
}

function findKnownFact(project: Project, table: string): Fact | undefined {
  try {
    return findFact(project, table)
  } catch (error) {
    if (error instanceof ConfigError) return undefined
    throw error
  }
}

/** Its versions and the generation they are of, in one snapshot. */
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
  const detail = 'The token names no group that may read this'
  return problemResponse({ status: 403, code: 'GROUP_MISSING', detail })
}
