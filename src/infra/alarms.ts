import { Duration, type Stack } from 'aws-cdk-lib'
import {
  Alarm,
  ComparisonOperator,
  Metric,
  Stats,
  TreatMissingData,
} from 'aws-cdk-lib/aws-cloudwatch'
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions'
import type { ITopic } from 'aws-cdk-lib/aws-sns'
import { METRICS, NAMESPACE, SERVICE } from '../apps/aws/metrics.ts'
import { SAYS, saysStale } from '../apps/alerts/says.ts'
import type { MadeFunction } from './function.ts'
import { alarmPeriodMinutes, freshnessMinutes, type Parameters } from './parameters.ts'

/** Something that a person must hear about. */
export interface Alert {
  /** Name of the alarm, after the name of the deployment. */
  readonly name: string
  /** The heading of its entry in the runbook. */
  readonly entry: string
  /** A sentence for the mail that says what has happened. */
  readonly says: string
  readonly metric: Metric
  /** The alarm is raised at this value; with `above`, only over it. */
  readonly threshold: number
  readonly above?: boolean
  /** Whether the alarm is raised if there is no data. Otherwise missing data is a good sign. */
  readonly isSilenceBad?: boolean
}

/** The name of the alarm on failed runs. The state machine looks it up before it sends a mail. */
export function failureAlarmName({ name }: Pick<Parameters, 'name'>): string {
  return `${name}-executions-failed`
}

/** Creates alarms that tell the topic when something goes wrong, and when it is right again. */
export function createAlarms(
  stack: Stack,
  {
    parameters,
    topic,
    alerts,
  }: { parameters: Parameters; topic: ITopic; alerts: readonly Alert[] },
): Alarm[] {
  return alerts.map(({ name, entry, says, metric, threshold, above, isSilenceBad }) => {
    const alarm = new Alarm(stack, `Alarm-${name}`, {
      alarmName: `${parameters.name}-${name}`,
      alarmDescription: `${says} What to do: ${parameters.runbookUrl}#${entry}`,
      metric,
      threshold,
      comparisonOperator:
        above === true
          ? ComparisonOperator.GREATER_THAN_THRESHOLD
          : ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      evaluationPeriods: 1,
      treatMissingData:
        isSilenceBad === true ? TreatMissingData.BREACHING : TreatMissingData.NOT_BREACHING,
    })
    alarm.addAlarmAction(new SnsAction(topic))
    alarm.addOkAction(new SnsAction(topic))
    return alarm
  })
}

/** A metric that the functions themselves write. */
export function ownMetric(key: keyof typeof METRICS, statistic: string, period: Duration): Metric {
  return new Metric({
    namespace: NAMESPACE,
    metricName: METRICS[key].name,
    dimensionsMap: { service: SERVICE },
    statistic,
    period,
  })
}

interface Watched {
  readonly parameters: Parameters
  readonly machineArn: string
  readonly scheduleGroup: string
  readonly functions: readonly MadeFunction[]
}

/** Every alert on runs: they do not start, end or keep the promise; they hold something; they fail. */
export function runAlerts(watched: Watched): Alert[] {
  const period = Duration.minutes(alarmPeriodMinutes(watched.parameters))
  return [
    ...executionAlerts(watched, period),
    ...outcomeAlerts(period),
    ...watched.functions.flatMap(functionAlerts),
  ]
}

/** Runs that do not start or end as they should, and the promise they keep. */
function executionAlerts(
  { parameters, machineArn, scheduleGroup }: Watched,
  period: Duration,
): Alert[] {
  const ofMachine = (metricName: string) =>
    new Metric({
      namespace: 'AWS/States',
      metricName,
      dimensionsMap: { StateMachineArn: machineArn },
      statistic: Stats.SUM,
      period,
    })
  const staleAfter = freshnessMinutes(parameters)
  return [
    {
      name: 'executions-failed',
      entry: 'executions-failed',
      says: SAYS.failed,
      metric: ofMachine('ExecutionsFailed'),
      threshold: 1,
    },
    {
      name: 'executions-timed-out',
      entry: 'executions-timed-out',
      says: 'A run was ended because it took too long.',
      metric: ofMachine('ExecutionsTimedOut'),
      threshold: 1,
    },
    {
      name: 'freshness',
      entry: 'freshness',
      says: saysStale({ after: staleAfter, promised: parameters.promiseMinutes }),
      metric: ownMetric('freshness', Stats.MAXIMUM, period),
      threshold: staleAfter * 60,
      above: true,
      isSilenceBad: true,
    },
    {
      name: 'schedule-errors',
      entry: 'schedule-errors',
      says: 'The schedule could not start a run.',
      metric: new Metric({
        namespace: 'AWS/Scheduler',
        metricName: 'TargetErrorCount',
        dimensionsMap: { ScheduleGroup: scheduleGroup },
        statistic: Stats.SUM,
        period,
      }),
      threshold: 1,
    },
  ]
}

/** What runs measure themselves: rows and tables that did not get through, and memory. */
function outcomeAlerts(period: Duration): Alert[] {
  return [
    {
      name: 'rows-quarantined',
      entry: 'rows-quarantined',
      says: SAYS.quarantined,
      metric: ownMetric('quarantined', Stats.SUM, period),
      threshold: 1,
    },
    {
      name: 'tables-held',
      entry: 'tables-held',
      says: SAYS.held,
      metric: ownMetric('held', Stats.MAXIMUM, period),
      threshold: 1,
    },
    {
      name: 'deletes-held',
      entry: 'deletes-held',
      says: SAYS.deletes,
      metric: ownMetric('deletesHeld', Stats.MAXIMUM, period),
      threshold: 1,
    },
    {
      name: 'memory-near-limit',
      entry: 'memory-near-limit',
      says: 'A function has used 90 % of its memory or more.',
      metric: ownMetric('memory', Stats.MAXIMUM, period),
      threshold: 90,
    },
  ]
}

/**
 * Alerts on one function. A second attempt overcomes most errors, so a stage must fail three times in
 * five minutes. The function that answers people must fail only once.
 */
export function functionAlerts({ name, errors, throttles }: MadeFunction): Alert[] {
  return [
    {
      name: `${name}-errors`,
      entry: 'function-errors',
      says: `The function ${name} fails.`,
      metric: errors,
      threshold: name === 'api' ? 1 : 3,
    },
    {
      name: `${name}-throttles`,
      entry: 'function-throttles',
      says: `Lambda throttles the function ${name}.`,
      metric: throttles,
      threshold: 1,
    },
  ]
}
