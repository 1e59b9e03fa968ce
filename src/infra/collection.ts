import { Duration, type Stack } from 'aws-cdk-lib'
import { Stats } from 'aws-cdk-lib/aws-cloudwatch'
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import type { Code } from 'aws-cdk-lib/aws-lambda'
import { Schedule, ScheduleExpression, type ScheduleGroup } from 'aws-cdk-lib/aws-scheduler'
import { LambdaInvoke } from 'aws-cdk-lib/aws-scheduler-targets'
import { type Alert, functionAlerts, ownMetric } from './alarms.ts'
import { createFunction, type MadeFunction } from './function.ts'
import type { Parameters } from './parameters.ts'

/** The function that collects, and the alerts on it. */
export interface Collection {
  readonly collect: MadeFunction
  readonly alerts: readonly Alert[]
}

/** So many collections in a row must fail before somebody is told. */
const PATIENCE = 6

/**
 * Creates the function that collects dropped files and servers' answers, with its own schedule. No run
 * waits for it, and its failure stops none. The next run transforms and loads what it commits.
 * Returns undefined if no drop and no server is set.
 */
export function createCollection(
  stack: Stack,
  { parameters, code, group }: { parameters: Parameters; code: Code; group: ScheduleGroup },
): Collection | undefined {
  const { drop, ratesUrl, ratesFormat, collectMinutes } = parameters
  if (drop === undefined && ratesUrl === undefined) return undefined
  const collect = createFunction(stack, {
    name: 'collect',
    code,
    parameters,
    // In the processed zone it only reads which batches were made from this lake.
    zones: { ingestion: { read: '*', create: '*' }, processed: { read: '*/batch/*' } },
    drop,
    environment: {
      ...(drop === undefined ? {} : { TIDEMARK_DROP: drop }),
      ...(ratesUrl === undefined ? {} : { TIDEMARK_RATES_URL: ratesUrl }),
      TIDEMARK_RATES_FORMAT: ratesFormat,
      // The schedule decides how often.
      TIDEMARK_RATES_MINUTES: '1',
    },
  })
  createSchedule(stack, { parameters, collect, group })
  const period = Duration.minutes(PATIENCE * collectMinutes)
  return {
    collect,
    alerts: [
      {
        name: 'feeds-unreachable',
        entry: 'feeds-unreachable',
        says: `For ${PATIENCE} collections in a row, files could not be read or servers not asked; the last known rows are used.`,
        metric: ownMetric('feedsUnreachable', Stats.MINIMUM, period),
        threshold: 1,
        isSilenceBad: true,
      },
      ...functionAlerts(collect),
    ],
  }
}

function createSchedule(
  stack: Stack,
  {
    parameters,
    collect,
    group,
  }: { parameters: Parameters; collect: MadeFunction; group: ScheduleGroup },
): void {
  const { name, collectMinutes } = parameters
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
    description: 'Tidemark: collects files and answers of servers.',
    schedule: ScheduleExpression.rate(Duration.minutes(collectMinutes)),
    target: new LambdaInvoke(collect.lambda, {
      // The role that CDK makes could start every version as well.
      role: role.withoutPolicyUpdates(),
      maxEventAge: Duration.minutes(Math.max(1, collectMinutes)),
      retryAttempts: 2,
    }),
  })
}
