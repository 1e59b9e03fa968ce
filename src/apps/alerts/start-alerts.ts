import { join } from 'node:path'
import type { Config } from '../../platform/config.ts'
import type { RunReport } from '../../platform/pipeline.ts'
import type { Environment } from '../environment.ts'
import type { AppLog } from '../log.ts'
import type { Alerts } from './alerts.ts'
import type { Judge, Seen } from './causes.ts'
import { type Heartbeat, type Pulse, readPulse, startHeartbeat } from './heartbeat.ts'

/** The parts of an environment that alerts need. */
export type AlertEnvironment = Pick<Environment, 'config' | 'deps' | 'now'>

/** Watches the runs of a process: gives signs of life, and tells people what is wrong. */
export interface RunWatch extends AsyncDisposable {
  /** Takes the report of a run, and returns at once. */
  after(report: RunReport): void
}

/** How long a process that was asked to stop waits for a message that is under way. */
const GRACE_MS = 3000

/**
 * Watches runs until it is disposed of, which waits some seconds at most for messages under way.
 * With `command`, which starts the process again, the process should run until it is stopped: it
 * gives signs of life. Tells nobody, and loads nothing for it, if no alerts are set up. Never throws,
 * and keeps no run from starting.
 */
export async function watchRuns(
  environment: AlertEnvironment,
  {
    log,
    signal,
    command,
  }: { readonly log: AppLog; readonly signal: AbortSignal; readonly command?: string },
): Promise<RunWatch> {
  const { config, now } = environment
  const home = config.TIDEMARK_HOME
  const heartbeat =
    command === undefined ? undefined : await beatFor(home, { log, signal, command })
  const alerts = await openAlerts(environment, { log })
  const promiseMs = config.TIDEMARK_PROMISE_MINUTES * 60_000
  let completeTo: string | undefined
  let reading: Promise<void> | undefined
  const take = async (report: RunReport): Promise<void> => {
    const { seenInFreshness, seenInHeartbeat, seenInRun, together } = await import('./causes.ts')
    completeTo = report.completeTo ?? completeTo
    const sign: Seen =
      heartbeat === undefined
        ? seenInHeartbeat(await readPulse(home, new Date()))
        : { causes: [], judged: new Set<Judge>(['heartbeat']) }
    const fresh = seenInFreshness({ completeTo, promiseMs, now: now() })
    alerts?.take(together(seenInRun(report), fresh, sign))
  }
  return {
    after(report) {
      heartbeat?.beat()
      if (alerts !== undefined) reading = take(report)
    },
    async [Symbol.asyncDispose]() {
      heartbeat?.[Symbol.dispose]()
      await reading
      await alerts?.settle(signal.aborted ? GRACE_MS : undefined)
    },
  }
}

async function beatFor(
  home: string,
  { log, ...options }: { log: AppLog; signal: AbortSignal; command: string },
): Promise<Heartbeat> {
  return await startHeartbeat(home, {
    ...options,
    onFailure: (error) =>
      log({
        event: 'alert_failed',
        level: 'warn',
        channel: 'heartbeat',
        code: (error as NodeJS.ErrnoException).code ?? 'UNEXPECTED',
        message: `No sign of life can be written to ${home}`,
      }),
  })
}

/** Whether alerts are sent to anybody. */
export function hasAlerts({
  TIDEMARK_ALERT_TO: to,
  TIDEMARK_ALERT_WEBHOOK: webhook,
}: Pick<Config, 'TIDEMARK_ALERT_TO' | 'TIDEMARK_ALERT_WEBHOOK'>): boolean {
  return to !== undefined || webhook !== undefined
}

/** Opens alerts with their state in the home. Undefined if the settings name nobody to tell. */
export async function openAlerts(
  { config, deps }: Pick<AlertEnvironment, 'config' | 'deps'>,
  { log }: { readonly log: AppLog },
): Promise<Alerts | undefined> {
  if (!hasAlerts(config)) return undefined
  const { recipientsOf } = await import('./recipients.ts')
  const { createAlerts } = await import('./alerts.ts')
  const { diskStore } = await import('../../platform/lake/store/disk-store.ts')
  return createAlerts({
    recipients: recipientsOf(config),
    store: diskStore(join(config.TIDEMARK_HOME, 'alerts')),
    project: deps.project.title,
    runId: deps.runId,
    log,
  })
}

/**
 * Tells people if the freshness promise is broken or the process that should run does not, and waits
 * until they are told. `completeTo` (ISO 8601) is undefined if it cannot be read. Never throws.
 */
export async function alertOnAge(
  environment: AlertEnvironment,
  {
    completeTo,
    pulse,
    log,
  }: { completeTo: string | undefined; pulse: Pulse | undefined; log: AppLog },
): Promise<void> {
  const alerts = await openAlerts(environment, { log })
  if (alerts === undefined) return
  const { config, now } = environment
  alerts.take(await seenInAge({ config, now }, { completeTo, pulse }))
  await alerts.settle()
}

async function seenInAge(
  { config, now }: Pick<AlertEnvironment, 'config' | 'now'>,
  { completeTo, pulse }: { completeTo: string | undefined; pulse: Pulse | undefined },
): Promise<Seen> {
  const { seenInFreshness, seenInHeartbeat, together } = await import('./causes.ts')
  const promiseMs = config.TIDEMARK_PROMISE_MINUTES * 60_000
  return together(
    seenInFreshness({ completeTo, promiseMs, now: now(), pulse }),
    seenInHeartbeat(pulse),
  )
}

/** How often a process beside the runs looks, in milliseconds. */
const LOOK_MS = 60_000

/**
 * Looks once a minute, until it is disposed of, at the age of the warehouse and at the sign of life of
 * the process that should run. Does nothing if no alerts are set up. Never throws.
 */
export async function watchAge(
  environment: AlertEnvironment & Pick<Environment, 'reader'>,
  { log, everyMs = LOOK_MS }: { readonly log: AppLog; readonly everyMs?: number },
): Promise<AsyncDisposable> {
  const alerts = await openAlerts(environment, { log })
  if (alerts === undefined) return { [Symbol.asyncDispose]: async () => {} }
  const { createReader } = await import('../../platform/presentation/reader.ts')
  const { readHead } = await import('../../platform/presentation/freshness.ts')
  const reader = createReader(environment.reader, { shared: 1 })
  const { config, now } = environment
  let isOpen = true
  let timer: NodeJS.Timeout | undefined
  const look = async (): Promise<void> => {
    // Why it cannot be read, the pages say; the sign of life is judged all the same.
    const head = await reader.read(readHead).catch(() => undefined)
    const pulse = await readPulse(config.TIDEMARK_HOME, new Date())
    if (!isOpen) return
    alerts.take(await seenInAge({ config, now }, { completeTo: head?.completeTo, pulse }))
    timer = setTimeout(() => void (looking = look()), everyMs).unref()
  }
  let looking = look()
  return {
    async [Symbol.asyncDispose]() {
      isOpen = false
      clearTimeout(timer)
      await looking
      await alerts.settle(GRACE_MS)
      await reader[Symbol.asyncDispose]()
    },
  }
}
