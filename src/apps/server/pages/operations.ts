import { type Context, Hono } from 'hono'
import { html } from 'hono/html'
import { asCaptured, type Deps } from '../../../platform/deps.ts'
import { readBatch, readRecentBatches } from '../../../platform/inspect/batches.ts'
import { readQuarantine } from '../../../platform/inspect/quarantine.ts'
import { readStatus, type Status } from '../../../platform/inspect/status.ts'
import { readLedgerBatches } from '../../../platform/presentation/ledger-batches.ts'
import { capturedTables } from '../../../platform/project/source-contract.ts'
import { sourceTables } from '../../../platform/project/known-table.ts'
import type { ServerEnv } from '../access.ts'
import { takes } from '../parameters.ts'
import type { Presentation } from '../presentation.ts'
import { problemResponse } from '../problem.ts'
import { keepCatalog, type KeptCatalog } from './kept-catalog.ts'
import { type PageOptions, renderPage } from './layout.ts'
import { renderCatalogue, renderTableCatalogue } from './operations/catalogue.ts'
import { RECENT, renderPipeline } from './operations/pipeline.ts'
import { renderQuarantine } from './operations/quarantine.ts'
import { renderBatch } from './operations/run.ts'

/** The question about the lag of batches, which a project may have. */
const LAG = 'o01_freshness'
/** The most quarantined rows that the page shows from each table. */
const MAX_ENTRIES = 100

/** What the operations pages read. */
interface Operations {
  readonly presentation: Presentation
  readonly deps: Deps
  readonly catalogs: KeptCatalog
}

/**
 * The pages for the people who run the platform: Pipeline, Run, Quarantine, Catalogue. They show what
 * the lake, the ledger and the registry say, and read nothing else.
 */
export function operationRoutes({
  catalogs,
  ...options
}: Omit<Operations, 'catalogs'> & Partial<Pick<Operations, 'catalogs'>>): Hono<ServerEnv> {
  const operations = { ...options, catalogs: catalogs ?? keepCatalog(options.deps) }
  const app = new Hono<ServerEnv>()
  app.get('/pipeline', takes(), (c) => answerPipeline(c, operations))
  app.get('/run/:batch{[0-9]{1,12}}', takes(), (c) =>
    answerRun(c, operations, c.req.param('batch')),
  )
  app.get('/quarantine', takes(), (c) => answerQuarantine(c, operations))
  app.get('/catalogue', takes(), (c) => answerCatalogue(c, operations))
  app.get('/catalogue/:table', takes(), (c) => answerTable(c, operations, c.req.param('table')))
  return app
}

async function answerPipeline(c: PageContext, operations: Operations): Promise<Response> {
  const { presentation, deps } = operations
  const [status, batches, ledger] = await Promise.all([
    statusOf(operations),
    readRecentBatches(deps, RECENT),
    presentation.reader.read((session) => readLedgerBatches(session, { count: RECENT })),
  ])
  const loaded = new Map(ledger.map((entry) => [entry.batch, entry]))
  const question = presentation.questions.has(LAG) ? LAG : undefined
  const { project } = await asCaptured(deps)
  const catalogued = new Set(sourceTables(project).names)
  return await answerPage(c, presentation, {
    title: 'Pipeline',
    path: '/pipeline',
    summary: 'How changes travel from the source to here, and how long that takes.',
    body: renderPipeline({ status, batches, loaded, question, catalogued }),
  })
}

async function answerRun(
  c: PageContext,
  { presentation, deps }: Operations,
  batch: string,
): Promise<Response> {
  const number = Number(batch)
  const found = await readBatch(deps, number)
  if (found === undefined) return notFound(`The lake has no batch ${number}`)
  const [loaded] = await presentation.reader.read((session) =>
    readLedgerBatches(session, { count: 1, batch: number }),
  )
  return await answerPage(c, presentation, {
    title: `Batch ${number}`,
    path: '/pipeline',
    summary: 'One unit of change: captured, transformed and loaded as a whole.',
    body: renderBatch(found, loaded),
  })
}

async function answerQuarantine(c: PageContext, operations: Operations): Promise<Response> {
  const [{ entries, total }, { tables, held, warnings }] = await Promise.all([
    readQuarantine(operations.deps, { limit: MAX_ENTRIES }),
    statusOf(operations),
  ])
  const source = tables.flatMap(({ table, hold }) => (hold === undefined ? [] : [{ table, hold }]))
  return await answerPage(c, operations.presentation, {
    title: 'Quarantine',
    path: '/quarantine',
    summary: 'What could not be stored, why, and what fixes it. Everything else went on.',
    body: renderQuarantine({
      held: [...source, ...held],
      entries,
      total,
      warnings,
      isMirror: operations.deps.project.mirror !== undefined,
    }),
  })
}

async function answerCatalogue(
  c: PageContext,
  { presentation, catalogs }: Operations,
): Promise<Response> {
  return await answerPage(c, presentation, {
    title: 'Catalogue',
    path: '/catalogue',
    summary: 'The tables of the source, the tables made from them, and what feeds what.',
    body: renderCatalogue(await catalogs.read()),
  })
}

async function answerTable(
  c: PageContext,
  { presentation, deps, catalogs }: Operations,
  name: string,
): Promise<Response> {
  const catalog = await catalogs.read()
  const table = catalog.tables.find((each) => each.table === name)
  if (table === undefined) return notFound('There is no source table of this name')
  const { project } = await asCaptured(deps)
  const contract = capturedTables(project.source).find((each) => each.name === name)?.columns
  return await answerPage(c, presentation, {
    title: name,
    path: '/catalogue',
    summary: 'Its columns, where each goes, and every schema it was captured with.',
    body: renderTableCatalogue(catalog, table, contract),
  })
}

type PageContext = Context<ServerEnv>

/** A page of panels. It is shown even while the warehouse cannot be read. */
async function answerPage(
  c: PageContext,
  presentation: Presentation,
  { body, ...page }: Omit<PageOptions, 'project' | 'freshness' | 'filters'>,
): Promise<Response> {
  const freshness = await presentation.freshness().catch(() => undefined)
  return c.html(
    await renderPage({
      ...page,
      project: presentation.project,
      freshness,
      body: html`<div class="panels">${body}</div>`,
    }),
  )
}

async function statusOf({ presentation, deps }: Operations): Promise<Status> {
  const { reader, promiseMs, now } = presentation
  return await readStatus(deps, { reader, promiseMs, now: now() })
}

function notFound(detail: string): Response {
  return problemResponse({ status: 404, code: 'NOT_FOUND', detail })
}
