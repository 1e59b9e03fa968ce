import { Hono } from 'hono'
import { html } from 'hono/html'
import { readBatch, readRecentBatches } from '../../../platform/batches.ts'
import { type Catalog, readCatalog } from '../../../platform/catalog.ts'
import { type Deps, ingestionZone } from '../../../platform/deps.ts'
import { readLastCommit } from '../../../platform/lake/batch-log.ts'
import { readLedgerBatches } from '../../../platform/presentation/ledger-batches.ts'
import { capturedTables } from '../../../platform/project.ts'
import { readQuarantine } from '../../../platform/quarantine.ts'
import { readStatus } from '../../../platform/status.ts'
import type { ServerEnv } from '../access.ts'
import type { Markup } from '../markup.ts'
import type { Presentation } from '../presentation.ts'
import { problemResponse } from '../problem.ts'
import { renderPage } from './layout.ts'
import { renderCatalogue, renderTableCatalogue } from './operations/catalogue.ts'
import { RECENT, renderPipeline } from './operations/pipeline.ts'
import { renderQuarantine } from './operations/quarantine.ts'
import { renderBatch } from './operations/run.ts'

/** The question about the lag of batches, where the project asks it. */
const LAG = 'o01_freshness'
/** Rows of the quarantine that a page shows of each table. */
const MAX_ENTRIES = 100

/**
 * Pages for those who run the platform: Pipeline, Run, Quarantine, Catalogue. They show what the
 * lake, the ledger and the registry say, and read nothing else.
 */
export function operationRoutes({
  presentation,
  deps,
}: {
  presentation: Presentation
  deps: Deps
}): Hono<ServerEnv> {
  const { reader, promiseMs, now } = presentation
  const catalogs = keepCatalog(deps)
  const app = new Hono<ServerEnv>()
  const page = async ({
    body,
    ...options
  }: {
    title: string
    path: string
    summary: string
    body: Markup
  }) =>
    renderPage({
      ...options,
      freshness: await presentation.freshness().catch(() => undefined),
      body: html`<div class="panels">${body}</div>`,
    })
  const status = () => readStatus(deps, { reader, promiseMs, now: now() })

  app.get('/pipeline', async (c) => {
    const [current, batches, ledger] = await Promise.all([
      status(),
      readRecentBatches(deps, RECENT),
      reader.read((session) => readLedgerBatches(session, { count: RECENT })),
    ])
    const loaded = new Map(ledger.map((entry) => [entry.batch, entry]))
    const question = presentation.questions.has(LAG) ? LAG : undefined
    const body = renderPipeline({ status: current, batches, loaded, question })
    const summary = 'How changes travel from the source to here, and how long that takes.'
    return c.html(await page({ title: 'Pipeline', path: '/pipeline', summary, body }))
  })

  app.get('/run/:batch{[0-9]{1,12}}', async (c) => {
    const number = Number(c.req.param('batch'))
    const batch = await readBatch(deps, number)
    if (batch === undefined) {
      return problemResponse({
        status: 404,
        code: 'NOT_FOUND',
        detail: `There is no batch ${number} in the lake`,
      })
    }
    const [loaded] = await reader.read((session) =>
      readLedgerBatches(session, { count: 1, batch: number }),
    )
    const summary = 'One unit of change: captured, transformed and loaded as a whole.'
    const body = renderBatch(batch, loaded)
    return c.html(await page({ title: `Batch ${number}`, path: '/pipeline', summary, body }))
  })

  app.get('/quarantine', async (c) => {
    const [{ entries, total }, { tables, held, warnings }] = await Promise.all([
      readQuarantine(deps, { limit: MAX_ENTRIES }),
      status(),
    ])
    const source = tables.flatMap(({ table, hold }) =>
      hold === undefined ? [] : [{ table, hold }],
    )
    const body = renderQuarantine({ held: [...source, ...held], entries, total, warnings })
    const summary = 'What could not be stored, why, and what fixes it. Everything else went on.'
    return c.html(await page({ title: 'Quarantine', path: '/quarantine', summary, body }))
  })

  app.get('/catalogue', async (c) => {
    const body = renderCatalogue(await catalogs.read())
    const summary = 'The tables of the source, the stars made of them, and how one feeds the other.'
    return c.html(await page({ title: 'Catalogue', path: '/catalogue', summary, body }))
  })

  app.get('/catalogue/:table', async (c) => {
    const name = c.req.param('table')
    const catalog = await catalogs.read()
    const table = catalog.tables.find((each) => each.table === name)
    if (table === undefined) {
      const detail = 'The contract names no such source table'
      return problemResponse({ status: 404, code: 'NOT_FOUND', detail })
    }
    const contract = capturedTables(deps.project.source).find((each) => each.name === name)?.columns
    const body = renderTableCatalogue(catalog, table, contract)
    const summary = 'Its columns, where each goes, and every shape it was captured in.'
    return c.html(await page({ title: name, path: '/catalogue', summary, body }))
  })
  return app
}

/** The catalogue, made once a batch: it reads every commit record there is. */
function keepCatalog(deps: Deps): { read(): Promise<Catalog> } {
  let kept: { batch: number; catalog: Promise<Catalog> } | undefined
  return {
    async read() {
      const zone = ingestionZone(deps)
      const batch = (await readLastCommit(zone, kept?.batch))?.batch ?? 0
      if (kept?.batch !== batch) {
        const made = { batch, catalog: readCatalog(deps) }
        kept = made
        made.catalog.catch(() => {
          if (kept === made) kept = undefined
        })
      }
      return await kept.catalog
    },
  }
}
