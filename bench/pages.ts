import { readAccess } from '../src/apps/server/access.ts'
import { createApp } from '../src/apps/server/app.ts'
import { pageRoutes, renderProblem } from '../src/apps/server/pages/pages.ts'
import { parseConfig } from '../src/platform/config.ts'
import type { Page } from '../src/platform/project/dashboard.ts'
import { createAnswers } from '../src/platform/presentation/answer.ts'
import { readQuestions } from '../src/platform/presentation/question.ts'
import { createReader, type Reader } from '../src/platform/presentation/reader.ts'
import { dashboard } from '../src/totesys/presentation/pages.ts'
import { totesys } from '../src/totesys/totesys.ts'
import { depsAt, type Place } from './deps.ts'
import { type Measurement, median, quantile, timeMs } from './measure.ts'
import { progress } from './progress.ts'
import type { BenchSystem } from './system.ts'

const FRESH_TIMES = 2
const KEPT_TIMES = 5
const REVENUE_TIMES = 20
const FRESH_BAR = { below: 300 }
const STANDARD_BAR = { below: 1000 }
const REVENUE_BAR = { below: 100 }

/**
 * Every page of the dashboard with its standard filters and with several others, over a warehouse
 * that holds everything, by a server that has kept no answer; and all-time revenue by currency as
 * the presentation layer answers it. The clock is that of the newest order.
 */
export async function measurePages(system: BenchSystem, place: Place): Promise<Measurement[]> {
  // What autovacuum would do at some moment of its own choosing.
  await system.warehouse.query('vacuum (analyze)')
  await system.warehouse.query('checkpoint')
  await using reader = createReader({ ...depsAt(place).warehouse, url: place.readerUrl })
  const fresh: number[] = []
  const kept: number[] = []
  const slowest: Record<string, number> = {}
  const standard: Record<string, number> = {}
  const unanswered = new Set<string>()
  for (const page of dashboard.pages) {
    progress(`pages: ${page.title}`)
    for (const query of await queriesOf(page, system, place)) {
      const times: number[] = []
      for (let round = 0; round < FRESH_TIMES; round++) {
        const ask = asker(reader, { system, place })
        // Connections and statements' plans are not what is asked for.
        await ask('/health')
        const path = `${page.path}?${query}`
        let isAnswered = true
        // What the database gave up after its time limit took at least that long.
        times.push(await timeMs(async () => (isAnswered = await ask(path))))
        if (!isAnswered) unanswered.add(path)
        const again = isAnswered && round === 0 ? KEPT_TIMES : 0
        for (let time = 0; time < again; time++) kept.push(await timeMs(() => ask(path)))
      }
      fresh.push(...times)
      slowest[page.title] = Math.max(slowest[page.title] ?? 0, median(times))
      standard[page.title] ??= median(times)
    }
  }
  return [
    {
      name: 'pages_fresh',
      title: 'pages with standard and other filters, no answer kept, p95',
      value: quantile(fresh, 0.95),
      unit: 'ms',
      bar: FRESH_BAR,
      parts: { p50: median(fresh), asked: fresh.length, ...slowest },
    },
    {
      name: 'pages_standard',
      title: 'slowest page with its standard filters, no answer kept',
      value: Math.max(...Object.values(standard)),
      unit: 'ms',
      bar: STANDARD_BAR,
      parts: standard,
    },
    {
      name: 'pages_unanswered',
      title: 'pages with a panel that was given up at its time limit',
      value: unanswered.size,
      unit: 'pages',
      bar: { below: 1 },
    },
    {
      name: 'pages_kept',
      title: 'pages with standard and other filters, answers kept, p95',
      value: quantile(kept, 0.95),
      unit: 'ms',
      parts: { p50: median(kept) },
    },
    await measureRevenue(reader, system),
  ]
}

async function measureRevenue(reader: Reader, { until }: BenchSystem): Promise<Measurement> {
  const questions = dashboard.questions.map((folder) => readQuestions(folder))
  const question = questions.map((some) => some.get(REVENUE)).find((one) => one !== undefined)
  if (question === undefined) throw new Error(`there is no question ${REVENUE}`)
  const times: number[] = []
  for (let time = 0; time < REVENUE_TIMES; time++) {
    const answers = createAnswers(reader, { now: () => until })
    times.push(
      await timeMs(async () => {
        const { rows } = await answers.answer(question)
        if (rows.length === 0) throw new Error(`${REVENUE} has no answer`)
      }),
    )
  }
  return {
    name: 'revenue',
    title: 'all-time revenue by currency, no answer kept, median',
    value: median(times),
    unit: 'ms',
    bar: REVENUE_BAR,
    parts: { slowestMs: Math.max(...times) },
  }
}

const REVENUE = 's01_sales_by_currency'

/** Queries for a page, made from the filters that it offers. The standard filters come first. */
async function queriesOf(page: Page, { warehouse }: BenchSystem, place: Place): Promise<string[]> {
  const { rows } = await warehouse.query<{ id: number; moment: Date }>(
    `select counterparty_id as id, now() as moment
     from ${place.schema}.fact_sales_order_current
     group by counterparty_id order by count(*) desc, counterparty_id limit 1`,
  )
  const customer = String(rows[0]?.id)
  const selections: readonly Readonly<Record<string, string>>[] = [
    {},
    { period: '52w' },
    { period: 'all' },
    { currency: 'GBP' },
    { counterparty: customer, period: '52w' },
    { design: '1', period: 'all' },
    { as_of: rows[0]?.moment.toISOString() ?? '', period: 'all' },
  ]
  const needed = page.needs === undefined ? {} : { [page.needs]: customer }
  const queries = selections
    .filter((selection) => Object.keys(selection).every((name) => page.filters.includes(name)))
    .map((selection) => new URLSearchParams({ ...needed, ...selection }).toString())
  return [...new Set(queries)]
}

/**
 * Asks a server of its own, from this machine. Returns whether every question was answered; throws
 * if there was no page.
 */
function asker(
  reader: Reader,
  { system, place }: { system: BenchSystem; place: Place },
): (path: string) => Promise<boolean> {
  const log = () => {}
  const app = createApp({
    project: totesys,
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
    if (response.status !== 200) throw new Error(`${path} was answered with ${response.status}`)
    return !text.includes('class="failure"')
  }
}
