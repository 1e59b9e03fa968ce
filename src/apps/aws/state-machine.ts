import { FUNCTIONS } from './functions.ts'

/** Names that the machine holds as `${Name}` until the deployment fills them in. */
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
 * workflow after five minutes at the latest. A stage that is then at work still finishes, and the
 * next run sees what it did.
 */
export const WORKFLOWS = {
  express: { runSeconds: 300, stageSeconds: 240 },
  standard: { runSeconds: 3600, stageSeconds: 900 },
} as const

/** A kind of state machine: `express` is cheap, `standard` keeps the history of each run. */
export type Workflow = keyof typeof WORKFLOWS

/** Errors that may pass. Ours have the name of their class; the others are Lambda's own. */
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

/**
 * A state that calls a stage. The run's id in commit records, ledger and logs is the execution's
 * name. The state waits a little longer than the function may run. An error that is not retried is
 * kept under `as` and leads to `failed`.
 */
function callStage(
  name: 'extract' | 'transform' | 'load',
  {
    given = {},
    failed,
    as,
    ...next
  }: {
    given?: Readonly<Record<string, string>>
    failed: string
    as: '$.failure' | '$.alsoFailed'
    Next?: string
    End?: true
  },
) {
  const { arn, result } = STAGES[name]
  return {
    Type: 'Task',
    Resource: arn,
    Parameters: { 'runId.$': '$$.Execution.Name', ...given },
    ResultPath: result,
    TimeoutSeconds: FUNCTIONS[name].timeoutSeconds + 30,
    Retry: [TRANSIENT],
    Catch: [{ ErrorEquals: ['States.ALL'], ResultPath: as, Next: failed }],
    ...next,
  }
}

const STAGES = {
  extract: { arn: '${ExtractArn}', result: '$.extracted' },
  transform: { arn: '${TransformArn}', result: '$.transformed' },
  load: { arn: '${LoadArn}', result: '$.loaded' },
} as const

/**
 * One run as a state machine (Amazon States Language, JSONPath): extract, then transform if
 * anything is pending, then load, which also confirms what is unchanged.
 *
 * As in `run()`, a stage that fails does not keep the later ones from catching up. The run has
 * failed all the same and sends one message, unless the alarm on failed runs is raised already. The
 * next run goes on. A run without changes costs three transitions.
 */
export const stateMachine = {
  Comment: 'One run of Tidemark: extract, transform, load.',
  StartAt: 'Extract',
  States: {
    Extract: callStage('extract', {
      as: '$.failure',
      failed: 'TransformAnyway',
      Next: 'AnythingPending',
    }),
    AnythingPending: {
      Type: 'Choice',
      Choices: [{ Variable: '$.extracted.isPending', BooleanEquals: true, Next: 'Transform' }],
      Default: 'Load',
    },
    Transform: callStage('transform', { as: '$.failure', failed: 'LoadAnyway', Next: 'Load' }),
    Load: callStage('load', {
      given: { 'unchanged.$': '$.extracted.unchanged' },
      as: '$.failure',
      failed: 'IsFailureKnown',
      End: true,
    }),
    TransformAnyway: callStage('transform', {
      as: '$.alsoFailed',
      failed: 'LoadAnyway',
      Next: 'LoadAnyway',
    }),
    LoadAnyway: callStage('load', {
      as: '$.alsoFailed',
      failed: 'IsFailureKnown',
      Next: 'IsFailureKnown',
    }),
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
