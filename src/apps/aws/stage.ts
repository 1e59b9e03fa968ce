import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import type { Deps } from '../../platform/deps.ts'
import { ConfigError } from '../../platform/errors.ts'
import { openFunctionEnvironment, type SecretOf } from './environment.ts'
import type { FunctionLog, StageOutput } from './events.ts'
import { createLog, type Measured, publicError, publishMetrics } from './logging.ts'
import { forgetSecrets } from './secrets.ts'

/** What a stage may be given: by the state machine, or by an operator who invokes it alone. */
const stageInput = z.object({
  runId: z.string().min(1).max(200).optional(),
  /** Load: what the extract of this run has proven to be unchanged. */
  unchanged: z
    .object({ batch: z.number().int().positive(), takenAt: z.iso.datetime({ offset: true }) })
    .nullish(),
  /** Extract: tables whose mass deletion is meant. */
  confirmDeletes: z.array(z.string()).default([]),
})

export type StageInput = z.infer<typeof stageInput>

/** The part of Lambda's context that counts. */
export interface InvocationContext {
  readonly awsRequestId: string
  readonly memoryLimitInMB: string
  getRemainingTimeInMillis(): number
}

export interface StageResult<Output extends StageOutput> {
  /** Small and plain: what the state machine passes on. */
  readonly output: Output
  readonly measured: Measured
}

export interface Stage<Output extends StageOutput> {
  readonly name: 'extract' | 'collect' | 'transform' | 'load'
  readonly needs: readonly SecretOf[]
  readonly work: (deps: Deps, input: StageInput) => Promise<StageResult<Output>>
}

/**
 * A stage as a Lambda handler. It builds the outside, watches time and memory, and runs the same
 * function as everywhere; metrics are written when the stage is done and by nothing that failed.
 * A login refused with a secret that was kept is tried once more with the secret as it now is.
 * Whatever is thrown bears the name of its class and no cause.
 */
export function stageHandler<Output extends StageOutput>({
  name,
  needs,
  work,
}: Stage<Output>): (event: unknown, context: InvocationContext) => Promise<Output> {
  return async (event, context) => {
    const startedAt = performance.now()
    const runId = findRunId(event)
    const log = createLog(name, { runId, requestId: context.awsRequestId })
    log({ event: 'stage_started' })
    using watch = watchLimits(context, log)
    const attempt = async (): Promise<StageResult<Output>> => {
      await using environment = await openFunctionEnvironment({
        needs,
        runId,
        log,
        deadline: watch.deadline,
      })
      return await work(environment.deps, parseInput(event))
    }
    try {
      const { output, measured } = await attempt().catch(async (error: unknown) => {
        if (!isRefusedLogin(error)) throw error
        log({ event: 'secret_read_again', level: 'warn', code: error.code })
        forgetSecrets()
        return await attempt()
      })
      publishMetrics({ ...measured, memory: watch.peakPercent() })
      const durationMs = Math.round(performance.now() - startedAt)
      log({ event: 'stage_finished', ...output, durationMs })
      return output
    } catch (error) {
      const shown = publicError(error)
      log({ event: 'stage_failed', level: 'alert', name: shown.name, error: shown.message })
      throw shown
    }
  }
}

/** Known before anything else may fail, so that every line of the log bears it. */
function findRunId(event: unknown): string {
  const { success, data } = stageInput.safeParse(event)
  return (success ? data.runId : undefined) ?? randomUUID()
}

function parseInput(event: unknown): StageInput {
  const parsed = stageInput.safeParse(event ?? {})
  if (parsed.success) return parsed.data
  const faults = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`)
  throw new ConfigError(`The stage was invoked with something else: ${faults.join('; ')}`, {
    code: 'INPUT_INVALID',
    hint: 'give {} or {"confirmDeletes": ["table"]}',
  })
}

function isRefusedLogin(error: unknown): error is ConfigError {
  return error instanceof ConfigError && error.code.endsWith('_PASSWORD')
}

/** Beyond this share of the function's memory no other piece of work is begun. */
const MEMORY_SHARE = 0.85

interface Watch extends Disposable {
  readonly deadline: AbortSignal
  peakPercent(): number
}

/**
 * Aborts the deadline when half of the time is gone, so that the piece of work then under way has
 * as long as all before it took, or when memory runs short: a function that is killed has done
 * nothing half, but would be killed at the same place again.
 */
function watchLimits(context: InvocationContext, log: FunctionLog): Watch {
  const deadline = new AbortController()
  const limitBytes = Number(context.memoryLimitInMB) * 2 ** 20
  let peakBytes = 0
  const stop = (event: 'memory_short' | 'time_short'): void => {
    if (deadline.signal.aborted) return
    log({ event, level: 'warn' })
    deadline.abort()
  }
  const measure = (): void => {
    peakBytes = Math.max(peakBytes, process.memoryUsage.rss())
    if (peakBytes > limitBytes * MEMORY_SHARE) stop('memory_short')
  }
  measure()
  const timer = setTimeout(() => stop('time_short'), context.getRemainingTimeInMillis() / 2)
  const meter = setInterval(measure, 200)
  return {
    deadline: deadline.signal,
    peakPercent() {
      measure()
      return Math.round((peakBytes / limitBytes) * 1000) / 10
    },
    [Symbol.dispose]() {
      clearTimeout(timer)
      clearInterval(meter)
    },
  }
}
