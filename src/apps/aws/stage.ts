import { randomUUID } from 'node:crypto'
import * as z from 'zod'
import type { Deps } from '../../platform/deps.ts'
import { ConfigError } from '../../platform/errors.ts'
import { openFunctionEnvironment, type SecretOf } from './environment.ts'
import type { FunctionLog, StageOutput } from './events.ts'
import { createLog, type Measured, publicError, publishMetrics } from './logging.ts'
import { forgetSecrets } from './secrets.ts'

/** What the state machine, or an operator who invokes a stage alone, may pass to it. */
const stageInput = z.object({
  runId: z.string().min(1).max(200).optional(),
  /** For load: what the extract of this run proved to be unchanged. */
  unchanged: z
    .object({ batch: z.number().int().positive(), takenAt: z.iso.datetime({ offset: true }) })
    .nullish(),
  /** For extract: tables whose mass deletion is right. */
  confirmDeletes: z.array(z.string()).default([]),
})

/** The parsed input of a stage. */
export type StageInput = z.infer<typeof stageInput>

/** The part of Lambda's context that is used. */
export interface InvocationContext {
  readonly awsRequestId: string
  readonly memoryLimitInMB: string
  getRemainingTimeInMillis(): number
}

/** What a stage did. */
export interface StageResult<Output extends StageOutput> {
  /** What the state machine passes on: small, and plain JSON. */
  readonly output: Output
  readonly measured: Measured
}

/** A stage as a function on AWS. */
export interface StageFunction<Output extends StageOutput> {
  readonly name: 'extract' | 'collect' | 'transform' | 'load'
  readonly needs: readonly SecretOf[]
  readonly work: (deps: Deps, input: StageInput) => Promise<StageResult<Output>>
}

/**
 * Makes a Lambda handler from a stage. The handler builds `Deps`, watches time and memory, and runs
 * the same function as elsewhere. It writes metrics only if the stage succeeded. If a database refuses
 * a login from a kept secret, it reads the secret again and tries once more. What it throws has the
 * name of its class and no cause.
 */
export function stageHandler<Output extends StageOutput>({
  name,
  needs,
  work,
}: StageFunction<Output>): (event: unknown, context: InvocationContext) => Promise<Output> {
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

/** Found before anything else can fail, so that every line of the log carries it. */
function findRunId(event: unknown): string {
  const { success, data } = stageInput.safeParse(event)
  return (success ? data.runId : undefined) ?? randomUUID()
}

function parseInput(event: unknown): StageInput {
  const parsed = stageInput.safeParse(event ?? {})
  if (parsed.success) return parsed.data
  const faults = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`)
  throw new ConfigError(`The input of the stage is not valid: ${faults.join('; ')}`, {
    code: 'INPUT_INVALID',
    hint: 'give {} or {"confirmDeletes": ["table"]}',
  })
}

function isRefusedLogin(error: unknown): error is ConfigError {
  return error instanceof ConfigError && error.code.endsWith('_PASSWORD')
}

/** Above this share of the function's memory, a stage begins no other piece of work. */
const MEMORY_SHARE = 0.85

interface Watch extends Disposable {
  readonly deadline: AbortSignal
  peakPercent(): number
}

/**
 * Aborts the deadline when half of the time is gone, so that the current piece of work has as long as
 * everything before it, or when memory runs short. A killed function leaves nothing half done, but
 * it would be killed at the same place again.
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
