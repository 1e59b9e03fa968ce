import { Annotations, type Stack } from 'aws-cdk-lib'
import { type IGrantable, PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import { Key } from 'aws-cdk-lib/aws-kms'
import { Topic } from 'aws-cdk-lib/aws-sns'
import { EmailSubscription } from 'aws-cdk-lib/aws-sns-subscriptions'
import type { Parameters } from './parameters.ts'

/** The topic for alerts, and the key that encrypts it. */
export interface AlertsTopic {
  readonly topic: Topic
  readonly key: Key
}

/**
 * Creates the topic for everything that needs a person. It has its own key, because alarms may not use
 * the one that AWS keeps for SNS and would stay silent. Warns at synthesis if nobody is subscribed.
 */
export function createAlertsTopic(stack: Stack, parameters: Parameters): AlertsTopic {
  const key = new Key(stack, 'AlertsKey', {
    description: 'Tidemark: alerts',
    enableKeyRotation: true,
  })
  const topic = new Topic(stack, 'Alerts', {
    topicName: `${parameters.name}-alerts`,
    displayName: 'Tidemark',
    masterKey: key,
    enforceSSL: true,
  })
  const alarms = new ServicePrincipal('cloudwatch.amazonaws.com')
  const ofThisAccount = { StringEquals: { 'aws:SourceAccount': stack.account } }
  topic.addToResourcePolicy(
    new PolicyStatement({
      sid: 'AlarmsPublish',
      principals: [alarms],
      actions: ['sns:Publish'],
      resources: [topic.topicArn],
      conditions: ofThisAccount,
    }),
  )
  key.addToResourcePolicy(
    new PolicyStatement({
      sid: 'AlarmsEncrypt',
      principals: [alarms],
      actions: ['kms:Decrypt', 'kms:GenerateDataKey*'],
      resources: ['*'],
      conditions: ofThisAccount,
    }),
  )
  if (parameters.alertEmail === undefined) {
    Annotations.of(stack).addWarningV2(
      'tidemark:nobodyIsTold',
      'No alertEmail is set: alarms are raised, and nobody is told.',
    )
  } else {
    topic.addSubscription(new EmailSubscription(parameters.alertEmail))
  }
  return { topic, key }
}

/** Lets a role publish to the topic, and use its key for that. */
export function letPublish({ topic, key }: AlertsTopic, grantee: IGrantable): void {
  grantee.grantPrincipal.addToPrincipalPolicy(
    new PolicyStatement({
      sid: 'Alert',
      actions: ['sns:Publish'],
      resources: [topic.topicArn],
    }),
  )
  grantee.grantPrincipal.addToPrincipalPolicy(
    new PolicyStatement({
      sid: 'EncryptAlert',
      actions: ['kms:Decrypt', 'kms:GenerateDataKey'],
      resources: [key.keyArn],
    }),
  )
  topic.addToResourcePolicy(
    new PolicyStatement({
      sid: 'RunsPublish',
      principals: [grantee.grantPrincipal],
      actions: ['sns:Publish'],
      resources: [topic.topicArn],
    }),
  )
}
