import { Duration, RemovalPolicy, type Stack } from 'aws-cdk-lib'
import { Stats } from 'aws-cdk-lib/aws-cloudwatch'
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import type { Code } from 'aws-cdk-lib/aws-lambda'
import { Schedule, ScheduleExpression, ScheduleGroup } from 'aws-cdk-lib/aws-scheduler'
import { LambdaInvoke } from 'aws-cdk-lib/aws-scheduler-targets'
import { SMTP_SECRET_SETTING } from '../apps/aws/functions.ts'
import { type Alert, functionAlerts, ownMetric } from './alarms.ts'
import { createFunction, type MadeFunction, SENT_PREFIX } from './function.ts'
import type { Network } from './network.ts'
import type { Parameters } from './parameters.ts'
import { zoneBucketName } from './storage.ts'

/** What the function that sends reports is made from. */
export interface ReportingProps {
  readonly parameters: Parameters
  readonly code: Code
  readonly network: Network | undefined
  /** Where people open the pages. */
  readonly pagesUrl: string
}

/** This many invocations in a row must fail before an alarm is raised. */
const PATIENCE = 3

/**
 * Creates the function that sends reports by mail, with a schedule of its own, and returns the alerts
 * on it. Creates nothing if no reports file is set.
 */
export function createReporting(
  stack: Stack,
  { parameters, code, network, pagesUrl }: ReportingProps,
): readonly Alert[] {
  const { reportsFile, mailFrom, smtpSecret, reportsMinutes } = parameters
  if (reportsFile === undefined || mailFrom === undefined) return []
  const state = `s3://${zoneBucketName(stack, parameters, 'processed')}/${SENT_PREFIX}`
  const reports = createFunction(stack, {
    name: 'reports',
    code,
    parameters,
    network,
    secrets: ['reader', 'saver'],
    // The figures come from the warehouse.
    zones: {},
    reports: reportsFile,
    environment: {
      TIDEMARK_REPORTS_FILE: reportsFile,
      TIDEMARK_REPORTS_STATE: state,
      TIDEMARK_MAIL_FROM: mailFrom,
      TIDEMARK_PAGES_URL: pagesUrl,
      [SMTP_SECRET_SETTING]: smtpSecret,
    },
  })
  createSchedule(stack, { parameters, reports })
  return [
    {
      name: 'reports-failed',
      entry: 'reports-failed',
      says: `${PATIENCE} times in a row, a report could not be sent or its declaration is not valid; the others are sent.`,
      metric: ownMetric(
        'reportsFailed',
        Stats.MINIMUM,
        Duration.minutes(PATIENCE * reportsMinutes),
      ),
      threshold: 1,
      isSilenceBad: true,
    },
    ...functionAlerts(reports),
  ]
}

function createSchedule(
  stack: Stack,
  { parameters, reports }: { parameters: Parameters; reports: MadeFunction },
): void {
  const { name, reportsMinutes } = parameters
  const role = new Role(stack, 'ReportsScheduleRole', {
    assumedBy: new ServicePrincipal('scheduler.amazonaws.com', {
      conditions: { StringEquals: { 'aws:SourceAccount': stack.account } },
    }),
    description: 'Tidemark: lets the schedule start the function that sends reports',
  })
  role.addToPolicy(
    new PolicyStatement({
      sid: 'SendReports',
      actions: ['lambda:InvokeFunction'],
      resources: [reports.lambda.functionArn],
    }),
  )
  new Schedule(stack, 'Reports', {
    scheduleName: `${name}-reports`,
    scheduleGroup: new ScheduleGroup(stack, 'ReportSchedules', {
      scheduleGroupName: `${name}-reports`,
      removalPolicy: RemovalPolicy.DESTROY,
    }),
    description: 'Tidemark: sends the reports that are due.',
    schedule: ScheduleExpression.rate(Duration.minutes(reportsMinutes)),
    target: new LambdaInvoke(reports.lambda, {
      // The role that CDK makes could start every version as well.
      role: role.withoutPolicyUpdates(),
      maxEventAge: Duration.minutes(reportsMinutes),
      // The next invocation comes soon enough.
      retryAttempts: 0,
    }),
  })
}
