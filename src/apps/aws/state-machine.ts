import { FUNCTIONS } from './functions.ts'

/** Names that stand in the machine as `${Name}` until it is deployed, and where. */
export const PLACEHOLDERS = [
  'ExtractArn',
  'TransformArn',
  'LoadArn',
  'AlertsTopicArn',
  'FailureAlarmName',
  'RunbookUrl',
] as const

/**
 * Seconds that a run and each of its stages may take, by the kind of workflow. AWS ends an express
 * one after five minutes at the latest; a stage that is then at work finishes all the same, and the
 * next run sees what it did.
 */
export const WORKFLOWS = {
  express: { runSeconds: 300, stageSeconds: 240 },
  standard: { runSeconds: 3600, stageSeconds: 900 },
} as const

export type Workflow = keyof typeof WORKFLOWS

/**
 * Errors that may be gone a moment later. Ours bear the name of their class; the others are
 * Lambda's own.
 */
const TRANSIENT = {
  ErrorEquals: [
    'TransientError',
    'ConflictError',
    'Lambda.ServiceException',
    'Lambda.AWSLambdaException',
    'Lambda.SdkClientException',
    'Lambda.TooManyRequestsException',
  ],
  IntervalSeconds: 2,
  BackoffRate: 2,
  MaxAttempts: 4,
  MaxDelaySeconds: 30,
  JitterStrategy: 'FULL',
}

/** The run's id in commit records, ledger and logs is the execution's name. */
const RUN = { 'runId.$': '$$.Execution.Name' } as const

/** Waited for a little longer than the function itself is allowed to run. */
function timeout(name: 'extract' | 'transform' | 'load'): { TimeoutSeconds: number } {
  return { TimeoutSeconds: FUNCTIONS[name].timeoutSeconds + 30 }
}

/**
 * One run as a state machine (Amazon States Language, JSONPath): extract, then transform if
 * anything is pending, then load, which confirms what was found unchanged. As in `run()`, a stage
 * that fails does not stop the ones after it from catching up on what is already there; the run
 * has failed all the same, says so once (a failure that is known already is in an alarm), and the
 * next one goes on. Nothing changed costs three transitions.
 */
export const stateMachine = {
  Comment: 'One run of Tidemark: extract, transform, load.',
  StartAt: 'Extract',
  States: {
    Extract: {
      Type: 'Task',
      Resource: '${ExtractArn}',
      Parameters: RUN,
      ResultPath: '$.extracted',
      ...timeout('extract'),
      Retry: [TRANSIENT],
      Catch: [{ ErrorEquals: ['States.ALL'], ResultPath: '$.failure', Next: 'TransformAnyway' }],
      Next: 'AnythingPending',
    },
    AnythingPending: {
      Type: 'Choice',
      Choices: [{ Variable: '$.extracted.isPending', BooleanEquals: true, Next: 'Transform' }],
      Default: 'Load',
    },
    Transform: {
      Type: 'Task',
      Resource: '${TransformArn}',
      Parameters: RUN,
      ResultPath: '$.transformed',
      ...timeout('transform'),
      Retry: [TRANSIENT],
      Catch: [{ ErrorEquals: ['States.ALL'], ResultPath: '$.failure', Next: 'LoadAnyway' }],
      Next: 'Load',
    },
    Load: {
      Type: 'Task',
      Resource: '${LoadArn}',
      Parameters: { ...RUN, 'unchanged.$': '$.extracted.unchanged' },
      ResultPath: '$.loaded',
      ...timeout('load'),
      Retry: [TRANSIENT],
      Catch: [{ ErrorEquals: ['States.ALL'], ResultPath: '$.failure', Next: 'IsFailureKnown' }],
      End: true,
    },
    TransformAnyway: {
      Type: 'Task',
      Resource: '${TransformArn}',
      Parameters: RUN,
      ResultPath: '$.transformed',
      ...timeout('transform'),
      Retry: [TRANSIENT],
      Catch: [{ ErrorEquals: ['States.ALL'], ResultPath: '$.alsoFailed', Next: 'LoadAnyway' }],
      Next: 'LoadAnyway',
    },
    LoadAnyway: {
      Type: 'Task',
      Resource: '${LoadArn}',
      Parameters: RUN,
      ResultPath: '$.loaded',
      ...timeout('load'),
      Retry: [TRANSIENT],
      Catch: [{ ErrorEquals: ['States.ALL'], ResultPath: '$.alsoFailed', Next: 'IsFailureKnown' }],
      Next: 'IsFailureKnown',
    },
    IsFailureKnown: {
      Type: 'Task',
      Resource: 'arn:aws:states:::aws-sdk:cloudwatch:describeAlarms',
      Parameters: { AlarmNames: ['${FailureAlarmName}'] },
      ResultSelector: { 'states.$': '$.MetricAlarms[*].StateValue' },
      ResultPath: '$.alarm',
      TimeoutSeconds: 30,
      Catch: [{ ErrorEquals: ['States.ALL'], ResultPath: '$.alarm', Next: 'Alert' }],
      Next: 'OnlyNews',
    },
    OnlyNews: {
      Type: 'Choice',
      Choices: [
        {
          And: [
            { Variable: '$.alarm.states[0]', IsPresent: true },
            { Variable: '$.alarm.states[0]', StringEquals: 'ALARM' },
          ],
          Next: 'Failed',
        },
      ],
      Default: 'Alert',
    },
    Alert: {
      Type: 'Task',
      Resource: 'arn:aws:states:::sns:publish',
      Parameters: {
        TopicArn: '${AlertsTopicArn}',
        Subject: 'Tidemark: a run failed',
        'Message.$':
          "States.Format('A run of Tidemark failed; nothing was half-published, and the next run goes on.\n\nError: {}\n\n{}\n\nExecution: {}\nWhat to do: ${RunbookUrl}#executions-failed', $.failure.Error, $.failure.Cause, $$.Execution.Id)",
      },
      ResultPath: '$.alerted',
      TimeoutSeconds: 30,
      Catch: [{ ErrorEquals: ['States.ALL'], ResultPath: '$.alerted', Next: 'Failed' }],
      Next: 'Failed',
    },
    Failed: {
      Type: 'Fail',
      ErrorPath: '$.failure.Error',
      CausePath: '$.failure.Cause',
    },
  },
} as const
