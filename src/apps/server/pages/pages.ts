import { Hono } from 'hono'
import { compress } from 'hono/compress'
import { html } from 'hono/html'
import type { Deps } from '../../../platform/deps.ts'
import type { Dashboard } from '../../../platform/project/dashboard.ts'
import type { AppLog } from '../../log.ts'
import type { ServerEnv } from '../access.ts'
import type { Markup } from '../markup.ts'
import { takes } from '../parameters.ts'
import type { Presentation } from '../presentation.ts'
import type { ProblemOptions } from '../problem.ts'
import type { ServerExtension } from '../server-extension.ts'
import { askRoutes } from './ask.ts'
import { readAsset } from './assets.ts'
import { businessRoutes } from './business.ts'
import { type PageOptions, renderPage } from './layout.ts'
import { keepCatalog } from './kept-catalog.ts'
import { listRoutes } from './list.ts'
import { myRoutes } from './my.ts'
import { operationRoutes } from './operations.ts'
import { orderRoutes } from './order.ts'
import { questionRoutes } from './question.ts'
import { tableRoutes } from './tables.ts'

/** What the pages are made from. */
export interface PageRoutesOptions {
  readonly presentation: Presentation
  readonly dashboard: Dashboard
  readonly deps: Deps
  /** What the project adds in code. */
  readonly extension?: ServerExtension | undefined
  readonly log: AppLog
}

/** The routes for browsers: the pages, the assets that they load, and answers as files. */
export function pageRoutes({
  presentation,
  dashboard,
  deps,
  extension,
  log,
}: PageRoutesOptions): Hono<ServerEnv> {
  const app = new Hono<ServerEnv>()
  app.get('/assets/:file', takes(), (c) => {
    const asset = readAsset(c.req.param('file'), c.req.header('accept-encoding') ?? '')
    if (asset === undefined) return c.notFound()
    const { body, type, encoding } = asset
    c.header('content-type', type)
    c.header('vary', 'Accept-Encoding')
    c.header('cache-control', 'private, max-age=31536000, immutable')
    if (encoding !== undefined) c.header('content-encoding', encoding)
    return c.body(body)
  })
  app.use(compress())
  app.route('/', businessRoutes(presentation, dashboard))
  app.route('/', questionRoutes(presentation, dashboard))
  app.route('/', listRoutes({ presentation, dashboard, log }))
  const { facts: words } = dashboard
  if (words !== undefined) {
    app.route('/', orderRoutes({ presentation, words, deps, extension, log }))
  }
  const catalogs = keepCatalog(deps)
  app.route('/', tableRoutes({ presentation, dashboard, deps, catalogs, log }))
  app.route('/', askRoutes({ presentation, deps, log }))
  app.route('/', myRoutes({ presentation, log }))
  app.route('/', operationRoutes({ presentation, deps, catalogs }))
  return app
}

/** Renders a page that says why the one asked for cannot be shown. */
export function renderProblem(
  { status, code, detail, allowed }: ProblemOptions,
  project: PageOptions['project'],
): Markup {
  const next =
    allowed !== undefined
      ? html`Correct the address, or <a href="?">leave out what follows the question mark</a>.`
      : code === 'WAREHOUSE_EMPTY'
        ? html`Load the first batch: <code>tidemark run</code>, or <code>npm start</code> for a live
            example. This page shows it as soon as it is loaded.`
        : status === 404
          ? html`<a href="/">Go to the overview</a>`
          : html`Try again in a moment. <code>tidemark doctor</code> says what is missing.`
  return renderPage({
    project,
    title:
      status === 404
        ? 'There is nothing here'
        : allowed === undefined
          ? 'There is nothing to show now'
          : 'This address is not valid',
    path: '',
    freshness: undefined,
    body: html`<div class="${status === 404 || code === 'WAREHOUSE_EMPTY' ? 'empty' : 'failure'}">
      <p><b>${detail}.</b> <code>${code}</code></p>
      <p>${next}</p>
    </div>`,
  })
}
