import { describe, expect, it } from 'vitest'
import { EVERYTHING } from './synthesize.ts'
import { findOne, stackOf, statementsOf, templatesOf } from './template-facts.ts'
import type { Statement } from './template.ts'

const pipeline = stackOf(templatesOf(EVERYTHING), 'Pipeline')

describe('alerts', () => {
  it('go to an e-mail address, through a topic that is encrypted with a key alarms may use', () => {
    expect(findOne(pipeline, 'AWS::SNS::Subscription')).toMatchObject({
      Protocol: 'email',
      Endpoint: 'alerts@example.org',
    })
    expect(findOne(pipeline, 'AWS::SNS::Topic')).toMatchObject({
      KmsMasterKeyId: { 'Fn::GetAtt': [expect.stringMatching(/^AlertsKey/) as string, 'Arn'] },
    })
    const key = findOne(pipeline, 'AWS::KMS::Key')
    expect(key['EnableKeyRotation']).toBe(true)
    expect((key['KeyPolicy'] as { Statement: Statement[] }).Statement).toContainEqual(
      expect.objectContaining({
        Effect: 'Allow',
        Principal: { Service: 'cloudwatch.amazonaws.com' },
        Action: ['kms:Decrypt', 'kms:GenerateDataKey*'],
      }),
    )
  })

  it('are published by alarms of this account and by the machine, over TLS only', () => {
    const statements = statementsOf(findOne(pipeline, 'AWS::SNS::TopicPolicy'))
    const rules = statements.map(({ Effect, Action, Principal, Condition }) => [
      Effect,
      Action,
      Principal,
      Condition,
    ])
    expect(rules).toEqual([
      ['Deny', 'sns:Publish', '*', { Bool: { 'aws:SecureTransport': 'false' } }],
      [
        'Allow',
        'sns:Publish',
        { Service: 'cloudwatch.amazonaws.com' },
        { StringEquals: { 'aws:SourceAccount': { Ref: 'AWS::AccountId' } } },
      ],
      [
        'Allow',
        'sns:Publish',
        { AWS: { 'Fn::GetAtt': [expect.stringMatching(/^RunRole/), 'Arn'] } },
        undefined,
      ],
    ])
  })
})

it.each([
  [1, 'rate(1 minute)'],
  [5, 'rate(5 minutes)'],
])('the schedule starts a run every %d minutes', (scheduleMinutes, ScheduleExpression) => {
  const made = stackOf(templatesOf({ ...EVERYTHING, scheduleMinutes }), 'Pipeline')
  expect(findOne(made, 'AWS::Scheduler::Schedule', 'Every')).toMatchObject({
    ScheduleExpression,
    State: 'ENABLED',
    FlexibleTimeWindow: { Mode: 'OFF' },
    Target: { RetryPolicy: { MaximumEventAgeInSeconds: 60, MaximumRetryAttempts: 2 } },
  })
})
