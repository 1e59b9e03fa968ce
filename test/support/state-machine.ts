import { randomUUID } from 'node:crypto'
import { stateMachine } from '../../src/apps/aws/state-machine.ts'
import type { InvocationContext } from '../../src/apps/aws/stage.ts'

// The interpreter is written for Node 22.
if (!('withResolvers' in Promise)) {
  const withResolvers = () => {
    const settle: { resolve?: unknown; reject?: unknown } = {}
    const promise = new Promise((resolve, reject) => Object.assign(settle, { resolve, reject }))
    return { promise, ...settle }
  }
  Object.assign(Promise, { withResolvers })
}
const { StateMachine } = await import('aws-local-stepfunctions')

export type Handler = (event: unknown, context: InvocationContext) => Promise<unknown>

export interface ExecutionOptions {
  readonly extract: Handler
  readonly transform: Handler
  readonly load: Handler
  /** State of the alarm on failed executions. Default `OK`. */
  readonly alarm?: 'OK' | 'ALARM' | undefined
  /** Seconds a stage may take before the machine gives up on it. */
  readonly timeouts?: Readonly<Record<string, number>>
  /** Milliseconds before each new try of a stage. Default 10, where the deployed one waits seconds. */
  readonly retryMs?: number
}

export interface Execution {
  /** Names of the states entered, in order, retries as often as they were tried. */
  readonly states: readonly string[]
  readonly output: unknown
  /** The error with which the machine failed, if it did. */
  readonly error: string | undefined
  /** Mails to the operator. */
  readonly alerts: readonly string[]
}

export const RUNBOOK = 'https://example.com/runbook.md'

/** Runs the deployed definition, its placeholders filled, with handlers called in this process. */
export async function execute(options: ExecutionOptions): Promise<Execution> {
  const alerts: string[] = []
  const call = (handler: Handler) => async (event: unknown) => {
    const answer = await handler(event, context())
    return JSON.parse(JSON.stringify(answer)) as never
  }
  const machine = new StateMachine(definition(options.timeouts))
  const name = randomUUID()
  const { result, eventLogs } = machine.run(
    {},
    {
      context: { Execution: { Id: `arn:aws:states:execution:${name}`, Name: name } },
      overrides: {
        taskResourceLocalHandlers: {
          Extract: call(options.extract),
          Transform: call(options.transform),
          TransformAnyway: call(options.transform),
          Load: call(options.load),
          LoadAnyway: call(options.load),
          IsFailureKnown: () => ({ MetricAlarms: [{ StateValue: options.alarm ?? 'OK' }] }),
          Alert: (input) => {
            alerts.push((input as { Message: string }).Message)
            return { MessageId: '1' }
          },
        },
        retryIntervalOverrides: Object.fromEntries(
          STAGES.map((stage) => [stage, options.retryMs ?? 10]),
        ),
      },
    },
  )
  const outcome = result.then(
    (output) => ({ output, error: undefined }),
    (error: unknown) => ({ output: undefined, error: nameOf(error) }),
  )
  const states: string[] = []
  for await (const log of eventLogs) {
    if (log.type === 'StateEntered' || log.type === 'StateRetried') states.push(log.state.name)
  }
  return { states, alerts, ...(await outcome) }
}

const STAGES = ['Extract', 'Transform', 'Load', 'TransformAnyway', 'LoadAnyway']

function definition(timeouts: Readonly<Record<string, number>> = {}) {
  const fill: Record<string, string> = { AlertsTopicArn: arn('sns', 'alerts'), RunbookUrl: RUNBOOK }
  const text = JSON.stringify(stateMachine).replaceAll(
    /\$\{(\w+)\}/g,
    (_, name: string) => fill[name] ?? arn('lambda', `function:${name}`),
  )
  const filled = JSON.parse(text) as { States: Record<string, { TimeoutSeconds?: number }> }
  for (const [state, seconds] of Object.entries(timeouts)) {
    const found = filled.States[state]
    if (found !== undefined) found.TimeoutSeconds = seconds
  }
  return filled as unknown as ConstructorParameters<typeof StateMachine>[0]
}

function arn(service: string, name: string): string {
  return `arn:aws:${service}:eu-west-2:123456789012:${name}`
}

function nameOf(error: unknown): string {
  const { cause } = error as { cause?: Error }
  return cause?.name ?? String(error)
}

/** The context that Lambda passes to a handler with the event. */
export function context(remainingMs = 900_000): InvocationContext {
  return {
    awsRequestId: randomUUID(),
    memoryLimitInMB: '8192',
    getRemainingTimeInMillis: () => remainingMs,
  }
}
