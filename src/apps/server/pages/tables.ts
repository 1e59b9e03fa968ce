import { type Context, Hono } from 'hono'
import { html } from 'hono/html'
import { asCaptured, type Deps } from '../../../platform/deps.ts'
import { ConfigError } from '../../../platform/errors.ts'
import { findCatalogTable } from '../../../platform/inspect/catalog.ts'
import { readOrigins } from '../../../platform/inspect/origins.ts'
import { readOverview } from '../../../platform/inspect/overview.ts'
import { readTableQuality } from '../../../platform/inspect/quality.ts'
import {
  type BrowsedTable,
  findBrowsedTable,
} from '../../../platform/presentation/browsed-table.ts'
import {
  countRowsOf,
  MAX_COUNTED,
  readRows,
  readWholeRow,
  selectionAsQuestion,
} from '../../../platform/presentation/browse-rows.ts'
import { freshnessOf, readHead } from '../../../platform/presentation/freshness.ts'
import { readHistory } from '../../../platform/presentation/history.ts'
import { readChangesOverTime } from '../../../platform/presentation/changes-over-time.ts'
import type { Dashboard } from '../../../platform/project/dashboard.ts'
import type { Fact } from '../../../platform/project/model.ts'
import { shorten } from '../../format.ts'
import type { AppLog } from '../../log.ts'
import type { ServerEnv } from '../access.ts'
import { pathOf } from '../auth.ts'
import { logReserved } from '../groups.ts'
import type { Markup } from '../markup.ts'
import { takes } from '../parameters.ts'
import type { Presentation } from '../presentation.ts'
import { ProblemError } from '../problem.ts'
import { textParameter } from '../question-parameters.ts'
import { answerFile, DOWNLOAD_FORMATS } from './files.ts'
import type { KeptCatalog } from './kept-catalog.ts'
import { renderPage } from './layout.ts'
import { windowOf } from './order/versions.ts'
import {
  renderSchemaHistory,
  renderTableColumns,
  renderTableLinks,
  renderTableQuality,
} from './tables/about.ts'
import {
  overviewPath,
  readAskedTable,
  readKey,
  rowPath,
  tablePath,
  tidyAddress,
} from './tables/address.ts'
import { renderChanges } from './tables/changes-chart.ts'
import { renderLineage } from './tables/lineage.ts'
import { around } from './tables/lineage-graph.ts'
import { renderOverview } from './tables/overview.ts'
import { projectLineage } from './tables/project-lineage.ts'
import { renderPlainRow, renderRowHistory } from './tables/row.ts'
import { renderRowFilters, renderRowsPanel, sayTotal } from './tables/rows.ts'

/** How many rows are on a page. */
const PAGE_ROWS = 50
/** The most versions of a row that are read. */
const MAX_VERSIONS = 200
const UNTIL = textParameter('until', 'The newest of the versions that are shown side by side.')

/** What the pages about tables read. */
export interface TablesContext {
  readonly presentation: Presentation
  readonly dashboard: Dashboard
  readonly deps: Deps
  readonly catalogs: KeptCatalog
  readonly log: AppLog
}

/**
 * The pages that every project has: all tables (`/`, or `/tables` beside a first page of the project's
 * own), the rows of each (`/table/<name>`, and as a file `/table/<name>/rows.csv`), a row with its
 * versions (`/table/<name>/row`), and where everything comes from (`/lineage`). Which tables a mirror
 * has is looked up for each request. Rows are for those who may ask with SQL.
 */
export function tableRoutes(context: TablesContext): Hono<ServerEnv> {
  const app = new Hono<ServerEnv>()
  app.get(overviewPath(context.presentation.project), takes(), (c) => answerOverview(c, context))
  app.get('/lineage', takes(LINEAGE), (c) => answerLineage(c, context))
  app.get('/table/:table', (c) => answerTable(c, context, c.req.param('table')))
  app.get('/table/:table/row', (c) => answerRow(c, context, c.req.param('table')))
  for (const format of DOWNLOAD_FORMATS) {
    app.get(`/table/:table/rows.${format}`, async (c) => {
      const { table } = await openTable(context, c.req.param('table'))
      const { selection, faults } = readAskedTable(c, table, { isFile: true })
      for (const { condition, why } of faults) throw badFilter(condition.column.name, why)
      logRead(c, context)
      return await answerFile(c, context.presentation, {
        format,
        ...selectionAsQuestion(selection),
      })
    })
  }
  return app
}

type PageContext = Context<ServerEnv>

function badFilter(column: string, why: string): ProblemError {
  const detail = `The filter on “${shorten(column)}” is not valid. ${why}`
  return new ProblemError({ status: 400, code: 'BAD_FILTER', detail })
}

/** A table with the system as it was captured last. Throws `ProblemError` (404) if there is none. */
async function openTable(
  { presentation, deps: opened }: TablesContext,
  name: string,
): Promise<{ readonly table: BrowsedTable; readonly deps: Deps }> {
  const deps = await asCaptured(opened)
  const table = await presentation.reader.read(async (session) => {
    await readHead(session)
    return await findBrowsedTable(session, deps.project, name)
  })
  if (table !== undefined) return { table, deps }
  throw new ProblemError({
    status: 404,
    code: 'NOT_FOUND',
    detail: `The warehouse has no table called “${shorten(name)}”`,
  })
}

/** Logs a read of rows if the project reserves some: a table may hold what is reserved. */
function logRead(c: PageContext, { presentation: { project }, log }: TablesContext): void {
  if (project.presentation?.reserved === undefined) return
  logReserved(log, project, { path: pathOf(c), status: 200, subject: c.get('caller').subject })
}

async function answerOverview(
  c: PageContext,
  { presentation, deps }: TablesContext,
): Promise<Response> {
  const { project, reader, promiseMs, now } = presentation
  const overview = await readOverview(await asCaptured(deps), (work) => reader.read(work))
  const { head } = overview
  const path = overviewPath(project)
  return c.html(
    await renderPage({
      project,
      title: path === '/' ? 'Overview' : 'Tables',
      path,
      freshness: head && freshnessOf(head, { promiseMs, now: now() }),
      summary: `Every table of ${project.title}: what is in it now, and when it last changed.`,
      body: html`<div class="panels">${renderOverview(overview)}</div>`,
    }),
    200,
    { 'cache-control': 'private, no-cache' },
  )
}

async function answerTable(
  c: PageContext,
  context: TablesContext,
  name: string,
): Promise<Response> {
  const { presentation } = context
  const { table, deps } = await openTable(context, name)
  const asked = readAskedTable(c, table)
  const tidy = tidyAddress(c, table)
  if (tidy !== undefined) return c.redirect(tidy)
  const { model } = table
  const { selection, place } = asked
  const isWhole =
    selection.state === 'current' &&
    selection.search === undefined &&
    selection.conditions.length === 0
  const [found, quality, captured] = await Promise.all([
    presentation.reader.read(async (session) => ({
      head: await readHead(session),
      page: await readRows(session, { ...selection, place, rowCount: PAGE_ROWS }),
      total: isWhole ? await countRowsOf(session, table) : undefined,
      changes: await readChangesOverTime(session, [model.table]),
    })),
    readTableQuality(deps, model),
    model.kind === 'fact' ? findCatalogTable(deps, model.from) : undefined,
  ])
  logRead(c, context)
  const { project, promiseMs, now } = presentation
  const { page, total, head, changes } = found
  return c.html(
    await renderPage({
      project,
      title: model.table,
      path: overviewPath(project),
      freshness: freshnessOf(head, { promiseMs, now: now() }),
      summary:
        model.description ?? 'The rows as they are now, with their columns, changes and quality.',
      filters: html`${renderTableLinks(table, captured)} ${renderRowFilters(asked)}`,
      body: html`<div class="panels">
        ${renderRowsPanel(page, asked, {
          total: total === undefined ? undefined : sayTotal(total, MAX_COUNTED),
        })}
        ${renderChanges(changes, `Rows of ${model.table} that changed`)}
        ${renderTableQuality(quality)} ${renderTableColumns(table)} ${renderSchemaHistory(captured)}
      </div>`,
    }),
    200,
    { 'cache-control': 'private, no-cache' },
  )
}

async function answerRow(c: PageContext, context: TablesContext, name: string): Promise<Response> {
  const { table, deps } = await openTable(context, name)
  const { model } = table
  const key = readKey(c, model, [UNTIL])
  logRead(c, context)
  return model.kind === 'fact'
    ? await answerVersions(c, context, { deps, fact: model, key })
    : await answerPlainRow(c, context, { table, key })
}

async function answerVersions(
  c: PageContext,
  context: TablesContext,
  { deps, fact, key }: { deps: Deps; fact: Fact; key: readonly string[] },
): Promise<Response> {
  const { presentation } = context
  const found = await orMissing(fact.table, () =>
    presentation.reader.read(async (session) => ({
      generation: (await readHead(session)).generation,
      history: await readHistory(session, fact, key, { newest: MAX_VERSIONS }),
    })),
  )
  const { history, generation } = found
  if (history.versions.length === 0) throw noRow(fact.table)
  const shown = windowOf(history.versions, c.req.query('until'))
  const origins = await readOrigins(deps, fact, { versions: shown.versions, generation })
  const { project } = presentation
  const address = rowPath(fact, key)
  return await answerRowPage(c, context, {
    table: fact.table,
    key,
    summary: history.headline,
    body: renderRowHistory({ fact, history, shown, origins, source: project.title, address }),
  })
}

async function answerPlainRow(
  c: PageContext,
  context: TablesContext,
  { table, key }: { table: BrowsedTable; key: readonly string[] },
): Promise<Response> {
  const { presentation } = context
  const name = table.model.table
  const cells = await orMissing(name, () =>
    presentation.reader.read((session) => readWholeRow(session, table, key)),
  )
  if (cells === undefined) throw noRow(name)
  return await answerRowPage(c, context, {
    table: name,
    key,
    summary: undefined,
    body: renderPlainRow(table, cells),
  })
}

async function answerRowPage(
  c: PageContext,
  { presentation }: TablesContext,
  {
    table,
    key,
    summary,
    body,
  }: { table: string; key: readonly string[]; summary: string | undefined; body: Markup },
): Promise<Response> {
  const { project } = presentation
  const freshness = await presentation.freshness().catch(() => undefined)
  return c.html(
    await renderPage({
      project,
      title: shorten(`${table} ${key.join(', ')}`, 120),
      path: overviewPath(project),
      freshness,
      summary: html`${summary ?? ''} <a href="${tablePath(table)}">All rows of ${table}</a>`,
      body,
    }),
    200,
    { 'cache-control': 'private, no-store' },
  )
}

/** What `work` reads. Throws `ProblemError` (404) if the values cannot be a key. */
async function orMissing<Result>(table: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof ConfigError && error.code === 'BAD_KEY') throw noRow(table)
    throw error
  }
}

function noRow(table: string): ProblemError {
  return new ProblemError({
    status: 404,
    code: 'NOT_FOUND',
    detail: `No version of this row of ${table} was captured`,
  })
}

const LINEAGE = [
  textParameter('table', 'A table of the warehouse: only what is around it.'),
  textParameter('source', 'A source table: only what is around it.'),
]

async function answerLineage(c: PageContext, context: TablesContext): Promise<Response> {
  const { presentation, deps, catalogs } = context
  const { project } = presentation
  const { table, source } = c.req.query()
  const captured = (await asCaptured(deps)).project
  const graph = projectLineage(await catalogs.read(), captured, {
    questions: presentation.questions,
    dashboard: context.dashboard,
  })
  const focus = table ?? source
  const ids = [
    ...(table === undefined ? [] : [`table ${table}`]),
    ...(source === undefined ? [] : [`source ${source}`]),
  ]
  const shown = ids.length === 0 ? graph : around(graph, ids)
  if (ids.length > 0 && shown.nodes.length === 0) {
    const detail = `There is no table called “${shorten(focus ?? '')}”`
    throw new ProblemError({ status: 404, code: 'NOT_FOUND', detail })
  }
  const freshness = await presentation.freshness().catch(() => undefined)
  return c.html(
    await renderPage({
      project,
      title: 'Lineage',
      path: '/lineage',
      freshness,
      summary: 'Where each table comes from, and which pages read it.',
      body: html`<div class="panels">
        ${renderLineage(shown, { focus: ids.length === 0 ? undefined : focus })}
      </div>`,
    }),
  )
}
