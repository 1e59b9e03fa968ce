import { type App, Duration, RemovalPolicy, Stack, type StackProps } from 'aws-cdk-lib'
import { PolicyStatement } from 'aws-cdk-lib/aws-iam'
import { Code } from 'aws-cdk-lib/aws-lambda'
import { LogGroup } from 'aws-cdk-lib/aws-logs'
import {
  ContextAttribute,
  Schedule,
  ScheduleExpression,
  ScheduleGroup,
  ScheduleTargetInput,
} from 'aws-cdk-lib/aws-scheduler'
import { StepFunctionsStartExecution } from 'aws-cdk-lib/aws-scheduler-targets'
import {
  DefinitionBody,
  LogLevel,
  StateMachine,
  StateMachineType,
} from 'aws-cdk-lib/aws-stepfunctions'
import { type PLACEHOLDERS, stateMachine, WORKFLOWS } from '../apps/aws/state-machine.ts'
import { acknowledge } from './acknowledge.ts'
import { createAlarms, failureAlarmName, runAlerts } from './alarms.ts'
import { type AlertsTopic, createAlertsTopic, letPublish } from './alerts-topic.ts'
import { createCollection } from './collection.ts'
import { createDashboard } from './dashboard.ts'
import { createFunction, type MadeFunction } from './function.ts'
import type { Network } from './network.ts'
import { output } from './output.ts'
import type { Parameters } from './parameters.ts'
import type { Storage } from './storage.ts'

/** What the pipeline is built on. */
export interface PipelineProps extends StackProps {
  readonly parameters: Parameters
  readonly storage: Storage
  readonly network: Network | undefined
  /** Folder with the package of the functions. */
  readonly codeDir: string
}

/** The stack with the runs, and where its alerts go. */
export interface Pipeline {
  readonly stack: Stack
  readonly alerts: AlertsTopic
}

/**
 * Creates everything for a run every few minutes: schedule, state machine, functions and alarms.
 */
export function createPipeline(
  app: App,
  { parameters, storage, network, codeDir, ...props }: PipelineProps,
): Pipeline {
  const { name } = parameters
  const stack = new Stack(app, 'Pipeline', {
    ...props,
    stackName: `${name}-pipeline`,
    description: 'Tidemark: runs, and alarms on them.',
  })
  stack.addStackDependency(storage.stack)
  const code = Code.fromAsset(codeDir)
  const alerts = createAlertsTopic(stack, parameters)
  const functions = createStages(stack, { parameters, code, network })
  const machine = createMachine(stack, { parameters, alerts, functions })
  const schedule = createSchedule(stack, { parameters, machine })
  const collection = createCollection(stack, { parameters, code, group: schedule })
  const stages = Object.values(functions)
  const watched = runAlerts({
    parameters,
    machineArn: machine.stateMachineArn,
    scheduleGroup: schedule.scheduleGroupName,
    functions: stages,
  })
  const alarms = createAlarms(stack, {
    parameters,
    topic: alerts.topic,
    alerts: [...watched, ...(collection?.alerts ?? [])],
  })
  const all = collection === undefined ? stages : [...stages, collection.collect]
  if (parameters.dashboard) createDashboard(stack, { parameters, alarms, functions: all, machine })
  output(stack, { StateMachine: machine.stateMachineArn, AlertsTopic: alerts.topic.topicArn })
  return { stack, alerts }
}

const TYPES = { express: StateMachineType.EXPRESS, standard: StateMachineType.STANDARD }

type Stages = Readonly<Record<'extract' | 'transform' | 'load', MadeFunction>>

function createStages(
  stack: Stack,
  { parameters, code, network }: { code: Code } & Pick<PipelineProps, 'parameters' | 'network'>,
): Stages {
  const made = { code, parameters }
  return {
    extract: createFunction(stack, {
      ...made,
      name: 'extract',
      // The source is outside. Without a way out of the network it could not be reached.
      network: parameters.natGateways > 0 ? network : undefined,
      secrets: ['source'],
      zones: {
        ingestion: { read: '*', create: '*' },
        // The commit records say whether anything is pending.
        processed: { read: '*/batch/*' },
      },
    }),
    transform: createFunction(stack, {
      ...made,
      name: 'transform',
      network: parameters.natGateways > 0 ? network : undefined,
      zones: { ingestion: { read: '*' }, processed: { read: '*', create: '*' } },
    }),
    load: createFunction(stack, {
      ...made,
      name: 'load',
      network,
      secrets: ['warehouse'],
      // The commit records show whether the warehouse was loaded from another lake.
      zones: { ingestion: { read: 'batch/*' }, processed: { read: '*' } },
    }),
  }
}

/**
 * The machine from `apps/aws` with its placeholders filled. Its role may call these functions and
 * alert.
 */
function createMachine(
  stack: Stack,
  {
    parameters,
    alerts,
    functions,
  }: { parameters: Parameters; alerts: AlertsTopic; functions: Stages },
): StateMachine {
  const stateMachineName = `${parameters.name}-run`
  const arnOf = (stage: keyof Stages) => functions[stage].lambda.functionArn
  const placeholders: Record<(typeof PLACEHOLDERS)[number], string> = {
    ExtractArn: arnOf('extract'),
    TransformArn: arnOf('transform'),
    LoadArn: arnOf('load'),
    AlertsTopicArn: alerts.topic.topicArn,
    FailureAlarmName: failureAlarmName(parameters),
    RunbookUrl: parameters.runbookUrl,
  }
  const definition = { ...stateMachine, TimeoutSeconds: WORKFLOWS[parameters.workflow].runSeconds }
  const machine = new StateMachine(stack, 'Run', {
    stateMachineName,
    stateMachineType: TYPES[parameters.workflow],
    definitionBody: DefinitionBody.fromString(JSON.stringify(definition)),
    definitionSubstitutions: placeholders,
    tracingEnabled: true,
    logs: {
      level: LogLevel.ERROR,
      // What states are given is never logged.
      includeExecutionData: false,
      destination: new LogGroup(stack, 'RunLog', {
        // States may write to log groups with this name without a longer policy in the account.
        logGroupName: `/aws/vendedlogs/states/${stateMachineName}`,
        retention: parameters.logDays,
        removalPolicy: RemovalPolicy.DESTROY,
      }),
    },
  })
  machine.addToRolePolicy(
    new PolicyStatement({
      sid: 'RunStages',
      actions: ['lambda:InvokeFunction'],
      resources: [arnOf('extract'), arnOf('transform'), arnOf('load')],
    }),
  )
  machine.addToRolePolicy(
    new PolicyStatement({
      sid: 'AskForAlarm',
      actions: ['cloudwatch:DescribeAlarms'],
      resources: ['*'],
    }),
  )
  letPublish(alerts, machine.role)
  acknowledge(machine, {
    'AwsSolutions-IAM5[Resource::*]':
      'Tracing and the delivery of logs know no resources, and reading the state of alarms is granted for all or none.',
    'AwsSolutions-SF1':
      'Every event of every run would cost more than the runs; errors are logged here, and each stage logs its own run.',
  })
  return machine
}

/**
 * Starts a run every few minutes, whether or not the last one still runs: the stages allow that. A
 * run that could not start is not kept for later, because the next one catches up.
 */
function createSchedule(
  stack: Stack,
  { parameters, machine }: { parameters: Parameters; machine: StateMachine },
): ScheduleGroup {
  const { name, scheduleMinutes } = parameters
  const group = new ScheduleGroup(stack, 'Schedules', {
    scheduleGroupName: name,
    removalPolicy: RemovalPolicy.DESTROY,
  })
  new Schedule(stack, 'EveryFewMinutes', {
    scheduleName: `${name}-run`,
    scheduleGroup: group,
    description: 'Tidemark: a run.',
    schedule: ScheduleExpression.rate(Duration.minutes(scheduleMinutes)),
    target: new StepFunctionsStartExecution(machine, {
      input: ScheduleTargetInput.fromObject({
        scheduledAt: ContextAttribute.scheduledTime,
        scheduleId: ContextAttribute.executionId,
      }),
      maxEventAge: Duration.minutes(1),
      retryAttempts: 2,
    }),
  })
  return group
}
