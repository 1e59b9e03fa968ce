import { resolve } from 'node:path'
import { asCaptured } from '../../../platform/deps.ts'
import { ConfigError, TidemarkError } from '../../../platform/errors.ts'
import { hostOf } from '../../../platform/io/postgres-url.ts'
import { countFacts, type FactCounts } from '../../../platform/inspect/status.ts'
import { run, type RunReport } from '../../../platform/pipeline.ts'
import { findExample } from '../../../platform/presentation/history.ts'
import { openWarehouse } from '../../../platform/warehouse/warehouse.ts'
import { type Environment, openEnvironment } from '../../environment.ts'
import { formatCount, formatNumber } from '../../format.ts'
import { claimHome } from '../../home-claim.ts'
import type { LocalSystem } from '../../local/local-system.ts'
import type { AppLogEntry } from '../../log.ts'
import { watchRuns } from '../../alerts/start-alerts.ts'
import { checkReports, startReports } from '../../reports/start-reports.ts'
import { readAccess } from '../../server/access.ts'
import { DEFAULT_PORT, openServer, type OpenServer } from '../../server/open-server.ts'
import { checkPort } from '../../server/serve.ts'
import type { CommandContext } from '../context.ts'
import { exitCodeOfRun } from '../exit-code.ts'
import { type Output, stepLine } from '../output.ts'
import type { Result } from '../results.ts'
import { describeAddresses } from '../served-addresses.ts'
import { capturePast } from './capture-past.ts'
import { repeatRuns, reportRun } from './run.ts'

/** How long to run, and how often. */
export interface UpOptions {
  /** Whether to stop after one full cycle. */
  readonly once: boolean
  readonly everyMs: number
}

/**
 * `tidemark up`: runs everything on this machine until interrupted. Starts what is embedded, fills
 * an empty simulated source, lets it live, and serves the dashboard. A source without a warehouse gets
 * one in the home. With `once` it serves nothing.
 * Throws what `claimHome` and `checkPort` throw, before anything else is started.
 */
export async function upCommand(
  context: CommandContext,
  { once, everyMs }: UpOptions,
): Promise<number> {
  const { output, config, given, signal } = context
  // First, so that nothing starts in vain.
  const access = once ? undefined : readAccess(config)
  await using claim = await claimHome(config.TIDEMARK_HOME)
  const { TIDEMARK_PORT: port } = config
  if (access !== undefined && port !== undefined) await checkPort({ host: access.host, port })
  if (!once) await checkReports(config)
  let title = ''
  await using environment = await openEnvironment({
    config,
    given,
    log: (entry) => {
      output.log(entry)
      noteStart(output, { title, entry })
    },
    fill: true,
    warehouseFor: 'the dashboard',
    embedWarehouse: true,
    signal,
    check: (project) => void ({ title } = project),
  })
  const { deps, local } = environment
  output.note(
    stepLine(output, {
      what: 'lake ready',
      more: `${deps.ingestion.location} · ${deps.processed.location}`,
    }),
  )

  await using watch = await watchRuns(environment, {
    log: output.log,
    signal,
    ...(!once && { command: 'tidemark up' }),
  })
  await capturePast(context, environment)
  const first = await run(deps)
  reportRun(context, environment, first)
  watch.after(first)
  if (once || signal.aborted) {
    const holdings = await readHoldings(environment)
    if (first.failures.length === 0) output.note(summary(output, environment, { holdings }))
    if (once) output.conclude(describeForMachines(first, holdings))
    return exitCodeOfRun(first)
  }
  await using server = await serve(context, environment)
  claim.announce(server.url)
  output.emit({
    event: 'server_started',
    url: server.url,
    login: server.access.oidc !== undefined,
  })
  await using _reports = await startReports(environment, { log: output.log, url: server.url })
  await using _life = local?.live(() =>
    output.note(output.style('yellow', `  The simulated ${title} had an error. It tries again.`)),
  )
  const holdings = await readHoldings(environment)
  output.note(summary(output, environment, { holdings, server }))
  return await repeatRuns(context, environment, { everyMs, confirmed: new Set(), watch })
}

/** Serves on the port from the settings. Without one: on the default port, or on any free one. */
async function serve(
  { output, config }: CommandContext,
  environment: Environment,
): Promise<OpenServer> {
  const { log } = output
  const { TIDEMARK_PORT: wanted } = config
  try {
    return await openServer(environment, { log, port: wanted ?? DEFAULT_PORT })
  } catch (error) {
    const isTaken = error instanceof ConfigError && error.code === 'PORT_TAKEN'
    if (!isTaken || wanted !== undefined) throw error
    const server = await openServer(environment, { log, port: 0 })
    output.note(
      output.style(
        'yellow',
        `  Port ${DEFAULT_PORT} is taken; the dashboard is on ${server.port}.`,
      ),
    )
    return server
  }
}

function noteStart(output: Output, { title, entry }: { title: string; entry: AppLogEntry }): void {
  if (entry.event === 'postgres_started') {
    const { version, address, durationMs } = entry
    output.note(
      stepLine(output, { what: `Postgres ${version} started`, durationMs, more: address }),
    )
  } else if (entry.event === 'source_filled') {
    const { tables, rows, durationMs } = entry
    const what = `${title} filled: ${formatCount(tables)} tables, ${formatNumber(rows, 'row')}`
    output.note(stepLine(output, { what, durationMs, more: 'read-only user tidemark_source' }))
  } else if (entry.event === 'batch_loaded' && entry.batch === 1) {
    output.note(stepLine(output, { what: 'warehouse ready: batch 1 loaded' }))
  }
}

/** What is in the warehouse. */
interface Holdings {
  readonly facts: readonly FactCounts[]
  /** A command that shows more. */
  readonly example: string
}

/** Reads what is in the warehouse. If it cannot be read, returns nothing: the run has said why. */
async function readHoldings({ deps: opened, reader }: Environment): Promise<Holdings> {
  // Which tables a mirror has, its first run finds out.
  const deps = await asCaptured(opened)
  const fact = deps.project.models.find((model) => model.kind === 'fact')
  try {
    await using warehouse = await openWarehouse(reader)
    const facts = await countFacts(deps, warehouse)
    const key = fact === undefined ? undefined : await findExample(warehouse, fact)
    const isKnown = fact !== undefined && key !== undefined
    return {
      facts,
      example: isKnown ? `tidemark history ${fact.from} ${key.join(',')}` : 'tidemark status',
    }
  } catch (error) {
    if (!(error instanceof TidemarkError)) throw error
    return { facts: [], example: 'tidemark status' }
  }
}

function describeForMachines({ failures }: RunReport, { facts }: Holdings): Result {
  return {
    event: 'up_finished',
    ok: failures.length === 0,
    facts: facts.reduce((sum, { current }) => sum + current, 0),
    versions: facts.reduce((sum, { versions }) => sum + versions, 0),
    tables: facts,
  }
}

/** The addresses to use while this process runs, and what stays after it. */
function summary(
  output: Output,
  environment: Environment,
  // Without a server there is no dashboard, and no run follows.
  { holdings, server }: { holdings: Holdings; server?: OpenServer },
): string {
  const example = output.style('cyan', holdings.example)
  const isOver = server === undefined
  const { local, embedded } = environment
  const own = local ?? embedded
  const places =
    isOver && own?.isAttached === false
      ? describeKept(environment)
      : [...(isOver ? [] : describeServed(server)), ...describeDatabases(environment)]
  if (own !== undefined && !isOver) places.push(describeReading(environment, own))
  places.push(...describeHoldings(environment, holdings))
  const next = isOver
    ? `${example} · tidemark verify · tidemark up`
    : `${example}   in another terminal. Ctrl-C stops everything.`
  return ['', ...places, '', `  Try: ${next}`, ''].join('\n')
}

/** How many tables are listed. */
const MAX_TABLES = 12

/** How many rows each table of the warehouse holds now, in how many versions. */
function describeHoldings({ deps }: Environment, { facts }: Holdings): string[] {
  const noun = deps.project.mirror === undefined ? 'fact' : 'row'
  const filled = facts.filter(({ versions }) => versions > 0)
  const shown = filled.length > MAX_TABLES ? filled.slice(0, MAX_TABLES - 1) : filled
  const lines = shown.map(({ table, current, versions }) => {
    const counts = `${formatNumber(current, noun)}, ${formatNumber(versions, 'version')}`
    return `${table.padEnd(24)} ${counts}`
  })
  const more = filled.length - shown.length
  if (more > 0) lines.push(`and ${formatNumber(more, 'more table', 'more tables')}`)
  return lines.map((line, at) => `  ${(at === 0 ? 'Holds' : '').padEnd(9)}   ${line}`)
}

/** What stays once the embedded Postgres has stopped: its addresses do not. */
function describeKept({ config, local }: Environment): string[] {
  const what = local === undefined ? 'lake and warehouse' : 'lake and databases'
  return [
    `  Kept        ${resolve(config.TIDEMARK_HOME)}   ${what}`,
    '  Postgres    stops now; each command starts it when needed',
  ]
}

function describeServed({ url, access, addresses }: OpenServer): string[] {
  const login = access.oidc === undefined ? 'for this machine only' : 'every request needs a token'
  return [`  Dashboard   ${url}   ${login}`, ...describeAddresses(url, addresses)]
}

function describeDatabases({ config, deps, reader, local, embedded }: Environment): string[] {
  const what = local === undefined ? 'read' : `a living ${deps.project.title}, read`
  return [
    `  Source      ${hostOf(deps.source.url)}   ${what} with SELECT only`,
    `  Warehouse   ${hostOf(reader.url)}   schema ${deps.warehouse.schema}${embedded === undefined ? '' : `, kept in ${resolve(config.TIDEMARK_HOME)}`}`,
  ]
}

function describeReading(
  { reader }: Environment,
  { passFile }: Pick<LocalSystem, 'passFile'>,
): string {
  const { username, host, pathname } = new URL(reader.url)
  return `  Read it     PGPASSFILE=${passFile} psql postgresql://${username}@${host}${pathname}`
}
