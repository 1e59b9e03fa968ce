import { Logger } from '@aws-lambda-powertools/logger'
import { Metrics } from '@aws-lambda-powertools/metrics'
import { codeOf, TidemarkError } from '../../platform/errors.ts'
import type { Level } from '../../platform/log.ts'
import type { FunctionLog } from './events.ts'
import { METRICS, NAMESPACE, SERVICE } from './metrics.ts'

const WRITE = { info: 'info', warn: 'warn', alert: 'critical' } as const satisfies Record<
  Level,
  string
>

/** A log that writes JSON lines for CloudWatch. `message` is the event's name. */
export function createLog(
  functionName: string,
  fields: Readonly<Record<string, string>> = {},
): FunctionLog {
  const logger = new Logger({ serviceName: SERVICE, persistentKeys: { function: functionName } })
  logger.appendKeys(fields)
  return ({ event, level, ...entry }) => {
    const write = (more: Readonly<Record<string, unknown>>) =>
      logger[WRITE[level ?? 'info']](event, more)
    if (!('message' in entry)) return write(entry)
    // The line's own `message` is the event's name.
    const { message, ...others } = entry
    write({ ...others, text: message })
  }
}

/** What an invocation measured, by metric. */
export type Measured = Partial<Record<keyof typeof METRICS, number>>

/** Writes metrics to the log as one line, from which CloudWatch makes them. */
export function publishMetrics(measured: Measured): void {
  const metrics = new Metrics({ namespace: NAMESPACE, serviceName: SERVICE })
  for (const [key, value] of Object.entries(measured)) {
    const { name, unit } = METRICS[key as keyof typeof METRICS]
    metrics.addMetric(name, unit, value)
  }
  metrics.publishStoredMetrics()
}

/**
 * Returns an error that Lambda may show, because its runtime logs everything that an error carries.
 * It has the name, the message and the hint, and no cause, in which a driver may have put a row. An
 * error that is not ours loses its message too.
 */
export function publicError(error: unknown): Error {
  const known = error instanceof TidemarkError
  const code = codeOf(error)
  const name = error instanceof Error ? error.name : 'Error'
  const shown = known
    ? new Error(`${error.message} [${error.code}]${error.hint ? ` · ${error.hint}` : ''}`)
    : new Error(`Unexpected error: ${name}${code === '' ? '' : ` [${code}]`}`)
  shown.name = known ? name : 'UnexpectedError'
  shown.stack = `${shown.name}: ${shown.message}\n${framesOf(error)}`
  return shown
}

function framesOf(error: unknown): string {
  const stack = error instanceof Error ? (error.stack ?? '') : ''
  return stack
    .split('\n')
    .filter((line) => /^ +at /.test(line))
    .join('\n')
}
