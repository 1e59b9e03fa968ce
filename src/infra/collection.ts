import { Duration, type Stack } from 'aws-cdk-lib'
import { Stats } from 'aws-cdk-lib/aws-cloudwatch'
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import type { Code } from 'aws-cdk-lib/aws-lambda'
import { Schedule, ScheduleExpression, type ScheduleGroup } from 'aws-cdk-lib/aws-scheduler'
import { LambdaInvoke } from 'aws-cdk-lib/aws-scheduler-targets'
import { type Alert, functionAlerts, ownMetric } from './alarms.ts'
import { createFunction, type MadeFunction } from './function.ts'
import type { Parameters } from './parameters.ts'

export interface Collection {
  readonly collect: MadeFunction
  readonly alerts: readonly Alert[]
}

/** Collections in a row that must fail before somebody is told. */
const PATIENCE = 6

/**
 * Files that others drop, and exchange rates: a function on a schedule of its own, which no run waits
 * for and whose failure stops none. What it commits the next run transforms and loads. Undefined
 * where there is nothing to collect.
 */
export function createCollection(
  stack: Stack,
  { parameters, code, group }: { parameters: Parameters; code: Code; group: ScheduleGroup },
): Collection | undefined {
  const { name, drop, ratesUrl, ratesFormat, collectMinutes } = parameters
  if (drop === undefined && ratesUrl === undefined) return undefined
  const collect = createFunction(stack, {
    name: 'collect',
    code,
    parameters,
    // It reads in the processed zone which batch of this lake that was made from.
    zones: { ingestion: { read: '*', create: '*' }, processed: { read: '*/batch/*' } },
    drop,
    environment: {
      ...(drop === undefined ? {} : { TIDEMARK_DROP: drop }),
      ...(ratesUrl === undefined ? {} : { TIDEMARK_RATES_URL: ratesUrl }),
      TIDEMARK_RATES_FORMAT: ratesFormat,
      // The schedule says how often.
      TIDEMARK_RATES_MINUTES: '1',
    },
  })
  const role = new Role(stack, 'CollectScheduleRole', {
    assumedBy: new ServicePrincipal('scheduler.amazonaws.com', {
      conditions: { StringEquals: { 'aws:SourceAccount': stack.account } },
    }),
    description: 'Tidemark: lets the schedule start the collection',
  })
  role.addToPolicy(
    new PolicyStatement({
      sid: 'Collect',
      actions: ['lambda:InvokeFunction'],
      resources: [collect.lambda.functionArn],
    }),
  )
  new Schedule(stack, 'Collect', {
    scheduleName: `${name}-collect`,
    scheduleGroup: group,
    description: 'Tidemark: collects files and exchange rates.',
    schedule: ScheduleExpression.rate(Duration.minutes(collectMinutes)),
    target: new LambdaInvoke(collect.lambda, {
      // CDK's own would let it start every version as well.
      role: role.withoutPolicyUpdates(),
      maxEventAge: Duration.minutes(Math.max(1, collectMinutes)),
      retryAttempts: 2,
    }),
  })
  const period = Duration.minutes(PATIENCE * collectMinutes)
  return {
    collect,
    alerts: [
      {
        name: 'feeds-unreachable',
        entry: 'feeds-unreachable',
        says: `For ${PATIENCE} collections no file could be read or no rate be had; the last known are used.`,
        metric: ownMetric('feedsUnreachable', Stats.MINIMUM, period),
        threshold: 1,
        isSilenceBad: true,
      },
      ...functionAlerts(collect),
    ],
  }
}
