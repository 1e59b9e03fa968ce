import { Duration, type Stack } from 'aws-cdk-lib'
import {
  type Alarm,
  AlarmStatusWidget,
  Dashboard,
  GraphWidget,
  type IMetric,
  Stats,
} from 'aws-cdk-lib/aws-cloudwatch'
import type { StateMachine } from 'aws-cdk-lib/aws-stepfunctions'
import { ownMetric } from './alarms.ts'
import type { MadeFunction } from './function.ts'
import type { Parameters } from './parameters.ts'

/** Creates a page in CloudWatch: alarms, freshness, rows, runs, durations, quarantine and memory. */
export function createDashboard(
  stack: Stack,
  {
    parameters,
    alarms,
    functions,
    machine,
  }: {
    parameters: Parameters
    alarms: Alarm[]
    functions: readonly MadeFunction[]
    machine: StateMachine
  },
): void {
  const period = Duration.minutes(5)
  const graph = (title: string, left: IMetric[], threshold?: number) =>
    new GraphWidget({
      title,
      left,
      width: 12,
      height: 6,
      ...(threshold === undefined
        ? {}
        : { leftAnnotations: [{ value: threshold, label: 'promised' }] }),
    })
  new Dashboard(stack, 'Dashboard', {
    dashboardName: parameters.name,
    defaultInterval: Duration.hours(12),
    widgets: [
      [new AlarmStatusWidget({ title: 'Alarms', alarms, width: 24, height: 4 })],
      [
        graph(
          'Age of the warehouse, seconds',
          [ownMetric('freshness', Stats.MAXIMUM, period)],
          parameters.promiseMinutes * 60,
        ),
        graph('Rows changed', [ownMetric('changed', Stats.SUM, period)]),
      ],
      [
        graph('Runs', [
          machine.metricSucceeded({ period }),
          machine.metricFailed({ period }),
          machine.metricTimedOut({ period }),
        ]),
        graph(
          'Longest invocation, milliseconds',
          functions.map(({ name, lambda }) =>
            lambda.metricDuration({ period, statistic: Stats.MAXIMUM, label: name }),
          ),
        ),
      ],
      [
        graph('Held', [
          ownMetric('quarantined', Stats.SUM, period),
          ownMetric('held', Stats.MAXIMUM, period),
          ownMetric('deletesHeld', Stats.MAXIMUM, period),
        ]),
        graph('Memory used, percent', [ownMetric('memory', Stats.MAXIMUM, period)], 100),
      ],
    ],
  })
}
