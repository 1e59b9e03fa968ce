import { readAccess } from '../src/apps/server/access.ts'
import { createApp } from '../src/apps/server/app.ts'
import { pageRoutes, renderProblem } from '../src/apps/server/pages/pages.ts'
import { parseConfig } from '../src/platform/config.ts'
import type { Page } from '../src/platform/project/dashboard.ts'
import { readQuestions } from '../src/platform/presentation/question.ts'
import { createReader, type Reader } from '../src/platform/presentation/reader.ts'
import { dashboard } from '../src/totesys/presentation/pages.ts'
import { depsAt, type Place } from './deps.ts'
import { type Measurement, median, timeMs } from './measure.ts'
import type { BenchSystem } from './system.ts'

const WARM_TIMES = 20

/**
 * Every page of the dashboard with its standard filters, over a warehouse that holds everything: by a
 * server that has kept no answer, then again by the same. The clock is that of the newest order.
 */
export async function measurePages(
  system: BenchSystem,
  place: Place,
  repetitions: number,
): Promise<Measurement[]> {
  // What autovacuum would do at some moment of its own choosing.
  await system.warehouse.query('vacuum (analyze)')
  await system.warehouse.query('checkpoint')
  const facts = depsAt(place).project.models.filter(({ kind }) => kind === 'fact')
  const counts = facts.map(({ table }) => `(select count(*) from ${place.schema}.${table})`)
  const { rows } = await system.warehouse.query<{ versions: string }>(
    `select ${counts.join(' + ')} as versions`,
  )
  const versions = Number(rows[0]?.versions)

  await using reader = createReader({ ...depsAt(place).warehouse, url: place.readerUrl })
  const measurements: Measurement[] = []
  for (const page of dashboard.pages) {
    const colds: number[] = []
    const warms: number[] = []
    let bytes = 0
    for (let round = 0; round < repetitions; round++) {
      const ask = asker(reader, { system, place })
      const path = await addressOf(page, system, place)
      // Connections and statements' plans are not what is asked for.
      await ask('/health')
      colds.push(
        await timeMs(async () => {
          bytes = (await ask(path)).length
        }),
      )
      if (round > 0) continue
      for (let time = 0; time < WARM_TIMES; time++) warms.push(await timeMs(() => ask(path)))
    }
    measurements.push({
      name: `page_${page.title.toLowerCase()}`,
      title: `page ${page.title} of ${versions.toLocaleString('en-US')} fact versions, median`,
      value: median(warms),
      unit: 'ms',
      bar: { below: 200 },
      parts: { slowestMs: Math.max(...warms), coldMs: median(colds), kb: bytes / 1024 },
    })
  }
  return measurements
}

/** Asks a server of its own, from this machine. Throws unless every question was answered. */
function asker(
  reader: Reader,
  { system, place }: { system: BenchSystem; place: Place },
): (path: string) => Promise<string> {
  const log = () => {}
  const app = createApp({
    reader,
    questions: new Map(dashboard.questions.flatMap((folder) => [...readQuestions(folder)])),
    promiseMs: 1_800_000,
    access: readAccess(parseConfig({})),
    log,
    version: '0.0.0-bench',
    pages: (presentation) => pageRoutes({ presentation, dashboard, deps: depsAt(place), log }),
    problemPage: renderProblem,
    now: () => system.until,
    rate: { burst: 100_000, perSecond: 100_000 },
  })
  return async (path) => {
    const response = await app.request(
      path,
      { headers: { accept: 'text/html' } },
      { incoming: { socket: { remoteAddress: '127.0.0.1' } } },
    )
    const text = await response.text()
    if (response.status !== 200 || text.includes('class="failure"')) {
      throw new Error(`${path} was not answered: ${response.status}`)
    }
    return text
  }
}

/** A page's address; one about a single thing is asked for the counterparty who buys most. */
async function addressOf(page: Page, { warehouse }: BenchSystem, place: Place): Promise<string> {
  if (page.needs === undefined) return page.path
  const { rows } = await warehouse.query<{ id: number }>(
    `select counterparty_id as id from ${place.schema}.fact_sales_order_current
     group by counterparty_id order by count(*) desc, counterparty_id limit 1`,
  )
  return `${page.path}?${page.needs}=${rows[0]?.id}`
}
